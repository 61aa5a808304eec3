"""A few of the catalogue's environments, really built (into the shared cache) and really used."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sagewright.core.seams import Built
from sagewright.images import catalogue, shelf

pytestmark = pytest.mark.slow

TRAIN = """
import pickle, sys, numpy as np, xgboost as xgb
rows = np.random.RandomState(0).rand(100, 3)
model = xgb.train({"objective": "reg:linear" if xgb.__version__ < "1" else "reg:squarederror"},
                  xgb.DMatrix(rows, label=rows.sum(axis=1)), 3)
pickle.dump(model, open(sys.argv[1], "wb"))
np.save(sys.argv[1] + ".npy", model.predict(xgb.DMatrix(rows)))
"""
PREDICT = """
import pickle, sys, numpy as np, xgboost as xgb
rows = np.random.RandomState(0).rand(100, 3)
model = pickle.load(open(sys.argv[1], "rb"))
assert np.allclose(model.predict(xgb.DMatrix(rows)), np.load(sys.argv[1] + ".npy"))
"""


def environment(name: str) -> Built:
    """That environment, built if it is not there yet."""
    here = shelf.Shelf(Path(os.environ["SAGEWRIGHT_ENV_CACHE"]))
    image = here.image_of(name)
    if image.note:
        pytest.skip(image.note)
    return here.build(image, print)


def run(built: Built, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([built.python, *arguments], capture_output=True, text=True, check=False, env=dict(built.env))


@pytest.mark.parametrize("name", ["xgboost-0.90-2", "xgboost-1.7-1", "sklearn-1.2-1"])
def test_the_library_has_exactly_the_version_that_the_tag_names(name: str) -> None:
    module = catalogue.MODULES[catalogue.BY_NAME[name].library]
    done = run(environment(name), "-c", f"import {module}; print({module}.__version__)")
    assert done.stdout.strip() == catalogue.BY_NAME[name].version, done.stderr


def test_a_booster_pickled_by_xgboost_0_90_loads_in_its_own_environment(tmp_path: Path) -> None:
    built = environment("xgboost-0.90-2")
    for script in (TRAIN, PREDICT):
        done = run(built, "-c", script, str(tmp_path / "model.pkl"))
        assert done.returncode == 0, done.stderr


def test_the_commands_of_the_container_contract_are_in_the_environment() -> None:
    built = environment("xgboost-1.7-1")
    done = run(built, "-c", "import sagewright_kit, uvicorn, httptools, uvloop, boto3, pyarrow, scipy, sklearn, pip")
    assert done.returncode == 0, done.stderr
    for command in ("train", "serve"):
        assert os.access(Path(built.prefix) / "bin" / command, os.X_OK)
