"""Built-in XGBoost as whole training containers, on data sets that scikit-learn ships, in several versions."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.kit.conftest import CURRENT, Job, environment, run_python

VERSIONS = ["xgboost-0.90-2", "xgboost-1.2-1", "xgboost-1.5-1", "xgboost-1.7-1", CURRENT]
WRITE = """
import sys, numpy as np
from sklearn import datasets
rows = getattr(datasets, "load_" + sys.argv[1])()
order = np.random.RandomState(0).permutation(len(rows.target))
table = np.column_stack([rows.target, rows.data])[order]
cut = int(len(table) * 0.8)
for name, part in (("train", table[:cut]), ("validation", table[cut:])):
    np.savetxt("%s/%s.csv" % (sys.argv[2], name), part, delimiter=",", fmt="%.9g")
"""
CSV = {"ContentType": "text/csv", "TrainingInputMode": "File"}


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory, current: Path) -> dict[str, Path]:
    """Directories with train.csv and validation.csv, by name of the data set."""
    found = {}
    for name in ("breast_cancer", "diabetes", "iris"):
        found[name] = tmp_path_factory.mktemp(name)
        run_python(current, WRITE, name, str(found[name]))
    return found


def prepare(job: Job, directory: Path, **hyperparameters: str) -> Job:
    for name in ("train", "validation"):
        job.channel(name, "data.csv", (directory / f"{name}.csv").read_bytes())
    job.configure(hyperparameters, {"train": CSV, "validation": CSV})
    return job


def metrics(log: str) -> list[dict[str, float]]:
    """The metrics of each round, as the regular expressions of the real image would find them."""
    lines = [line.replace("\t", "#011") for line in log.splitlines() if re.match(r"\[\d+\]\t", line)]
    return [{k: float(v) for k, v in re.findall(r"#011([^#:]+):(\S+?)(?=#011|$)", line)} for line in lines]


PLAIN = """
import sys, json, numpy as np, xgboost as xgb, pickle
directory, model, params, rounds = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), int(sys.argv[4])
def read(name):
    table = np.loadtxt("%s/%s.csv" % (directory, name), delimiter=",", dtype=np.float32)
    return xgb.DMatrix(table[:, 1:], label=table[:, 0])
train, validation = read("train"), read("validation")
plain = xgb.train(params, train, rounds)
version = tuple(int(p) for p in xgb.__version__.split(".")[:2])
if version < (1, 3):
    ours = pickle.load(open(model, "rb"))
else:
    ours = xgb.Booster()
    ours.load_model(model)
print(json.dumps([plain.predict(validation).tolist(), ours.predict(validation).tolist()]))
"""


@pytest.mark.parametrize("name", VERSIONS)
@pytest.mark.parametrize(
    ("table", "parameters"),
    [
        ("breast_cancer", {"objective": "binary:logistic", "max_depth": 4, "eta": 0.3, "subsample": 0.8, "seed": 3}),
        ("iris", {"objective": "multi:softprob", "num_class": 3, "min_child_weight": 2.0}),
    ],
)
def test_the_model_is_the_one_that_plain_xgboost_gives(
    job: Job, tables: dict[str, Path], name: str, table: str, parameters: dict[str, Any]
) -> None:
    job.python = environment(name)
    prepare(job, tables[table], num_round="8", **{key: str(value) for key, value in parameters.items()})
    done = job.run()
    assert done.returncode == 0, done.stderr
    rounds = metrics(done.stdout)
    assert len(rounds) == 8 and {key.split("-")[0] for key in rounds[0]} == {"train", "validation"}
    model = job.base / "model" / "xgboost-model"
    plain, ours = json.loads(
        run_python(job.python, PLAIN, str(tables[table]), str(model), json.dumps(parameters), "8").splitlines()[-1]
    )
    assert plain == ours


def test_all_formats_give_the_same_metrics(job: Job, tables: dict[str, Path], current: Path, tmp_path: Path) -> None:
    convert = """
import sys, numpy as np, pyarrow as pa, pyarrow.parquet as pq
from sagewright_kit.contract import recordio
table = np.loadtxt(sys.argv[1], delimiter=",", dtype=np.float32)
out = sys.argv[2]
with open(out + "/x.libsvm", "w") as file:
    for r in table:
        file.write("%r %s\\n" % (float(r[0]), " ".join("%d:%r" % (i, float(v)) for i, v in enumerate(r[1:]))))
pq.write_table(pa.table({str(i): table[:, i] for i in range(table.shape[1])}), out + "/x.parquet")
open(out + "/x.rec", "wb").write(recordio.write(table[:, 1:], table[:, 0]))
"""
    results = {}
    for kind, file in (
        ("text/csv", ""), ("text/libsvm", "x.libsvm"), ("application/x-parquet", "x.parquet"),
        ("application/x-recordio-protobuf", "x.rec"),
    ):  # fmt: skip
        one = Job(tmp_path / (file or "csv"), current)
        for name in ("train", "validation"):
            out = tmp_path / f"{name}-{file}"
            out.mkdir()
            run_python(current, convert, str(tables["diabetes"] / f"{name}.csv"), str(out))
            source = out / file if file else tables["diabetes"] / f"{name}.csv"
            one.channel(name, "data", source.read_bytes())
        channel = {"ContentType": kind, "TrainingInputMode": "File"}
        one.configure({"num_round": "4", "objective": "reg:squarederror"}, {"train": channel, "validation": channel})
        done = one.run()
        assert done.returncode == 0, done.stderr
        results[kind] = metrics(done.stdout)
    assert len(results["text/csv"]) == 4
    assert all(result == results["text/csv"] for result in results.values())


@pytest.mark.parametrize("name", ["xgboost-0.90-2", "xgboost-1.2-1", "xgboost-1.7-1", CURRENT])
def test_early_stopping_custom_metrics_and_the_tuning_objective(job: Job, tables: dict[str, Path], name: str) -> None:
    job.python = environment(name)
    prepare(
        job, tables["breast_cancer"], num_round="200", objective="binary:logistic", early_stopping_rounds="5",
        eval_metric="logloss", _tuning_objective_metric="validation:f1",
    )  # fmt: skip
    done = job.run()
    assert done.returncode == 0, done.stderr
    rounds = metrics(done.stdout)
    assert 5 < len(rounds) < 200
    best = max(range(len(rounds)), key=lambda i: (rounds[i]["validation-f1"], -i))
    assert len(rounds) == best + 6, "training ends five rounds after the best"
    assert all(0.8 < one["validation-f1"] <= 1 and "train-logloss" in one for one in rounds)


def test_custom_metrics_are_those_of_scikit_learn(job: Job, tables: dict[str, Path], current: Path) -> None:
    job.python = current
    asked = "accuracy,balanced_accuracy,f1,f1_binary,precision,recall,mse"
    prepare(job, tables["breast_cancer"], num_round="3", objective="binary:logistic", eval_metric=asked)
    done = job.run()
    assert done.returncode == 0, done.stderr
    code = """
import sys, json, numpy as np, xgboost as xgb
from sklearn import metrics as m
table = np.loadtxt(sys.argv[1], delimiter=",", dtype=np.float32)
booster = xgb.Booster(); booster.load_model(sys.argv[2])
p = booster.predict(xgb.DMatrix(table[:, 1:])); y = table[:, 0]; c = p > 0.5
found = {"f1": m.f1_score(y, c, average="macro"), "f1_binary": m.f1_score(y, c)}
for name in ("accuracy", "balanced_accuracy", "precision", "recall"):
    found[name] = getattr(m, name + "_score")(y, c)
found["mse"] = float(np.mean((p.astype("f8") - y) ** 2))
print(json.dumps(found))
"""
    model = str(job.base / "model" / "xgboost-model")
    expected = json.loads(run_python(current, code, str(tables["breast_cancer"] / "validation.csv"), model))
    last = metrics(done.stdout)[-1]
    assert {key: round(value, 5) for key, value in expected.items()} == {
        key: last[f"validation-{key}"] for key in expected
    }


@pytest.mark.parametrize("name", ["xgboost-0.90-2", CURRENT])
def test_a_job_resumes_from_its_newest_checkpoint(job: Job, tables: dict[str, Path], name: str) -> None:
    job.python = environment(name)
    checkpoints = job.base / "checkpoints"
    checkpoints.mkdir()
    prepare(job, tables["diabetes"], num_round="7")
    config = job.base / "input" / "config" / "checkpointconfig.json"
    config.write_text(json.dumps({"S3Uri": "s3://b/c", "LocalPath": str(checkpoints)}))
    first = metrics(job.run().stdout)
    assert sorted(path.name for path in checkpoints.iterdir()) == [f"xgboost-checkpoint.{n}" for n in range(2, 7)]
    for n in (5, 6):
        (checkpoints / f"xgboost-checkpoint.{n}").unlink()
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert "Resuming from iteration 5" in done.stdout
    assert metrics(done.stdout) == first[5:]
    assert [int(n) for n in re.findall(r"^\[(\d+)\]\t", done.stdout, re.M)] == [5, 6]


@pytest.mark.parametrize("name", ["xgboost-1.2-1", CURRENT])
def test_cross_validation_leaves_a_model_per_fold_and_held_out_predictions(
    job: Job, tables: dict[str, Path], name: str
) -> None:
    job.python = environment(name)
    folds = {"_kfold": "3", "_num_cv_round": "2"}
    prepare(job, tables["iris"], num_round="3", objective="multi:softprob", num_class="3", **folds)
    done = job.run()
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (job.base / "model").iterdir())
    assert names == [f"xgboost-model-{fold}" for fold in range(6)]
    rows = (job.base / "output" / "data" / "predictions.csv").read_text().splitlines()
    parsed = [[float(v) for v in row.split(",")] for row in rows]
    assert len(parsed) == 150 and all(len(row) == 3 and 1 / 3 < row[1] <= 1 for row in parsed)
    assert sum(row[0] == row[2] for row in parsed) > 135
    assert len(re.findall(r"^\[3\]\ttrain-", done.stdout, re.M)) == 3, "one line per round of folds and one over all"


@pytest.mark.parametrize("name", ["xgboost-0.90-2", CURRENT])
def test_a_stop_leaves_the_model_of_the_last_round(job: Job, tables: dict[str, Path], name: str) -> None:
    job.python = environment(name)
    prepare(job, tables["diabetes"], num_round="100000", save_model_on_termination="true", max_depth="2")
    process = job.start()
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("[20]\t"):
            break
    process.send_signal(signal.SIGTERM)
    process.stdout.read()
    assert process.wait(60) == 0
    assert [path.name for path in (job.base / "model").iterdir()] == ["xgboost-model"]
    code = "import sys; from sagewright_kit.servers.xgboost import Model; print(Model(sys.argv[1]).features)"
    assert run_python(job.python, code, str(job.base / "model" / "xgboost-model")).splitlines()[-1] == "10"


@pytest.mark.parametrize(
    ("hyperparameters", "channels", "words"),
    [
        ({"eta": "0.1"}, {"train": CSV}, "Missing required hyperparameter: num_round"),
        ({"num_round": "1", "typo": "1"}, {"train": CSV}, "Extraneous hyperparameter found: typo"),
        ({"num_round": "1"}, {}, "Missing required channel: train"),
        ({"num_round": "1"}, {"train": {"ContentType": "image/png"}}, "image/png is not an accepted ContentType"),
        ({"num_round": "1"}, {"train": CSV, "validation": CSV}, "No data in validation channel path"),
        ({"num_round": "1", "objective": "binary:logistic"}, {"train": CSV}, "base_score must be in (0,1) for"),
        (
            {"num_round": "1", "objective": "multi:softmax", "num_class": "2"},
            {"train": CSV},
            "label must be discrete values in the range of [0, num_class)",
        ),
    ],
)
def test_the_user_s_faults_fail_the_job_with_a_clear_reason(
    job: Job, tables: dict[str, Path], current: Path, hyperparameters: dict[str, str], channels: Any, words: str
) -> None:
    job.python = current
    job.channel("train", "data.csv", (tables["diabetes"] / "train.csv").read_bytes())
    job.configure(hyperparameters, channels)
    assert job.run().returncode == 1
    assert words in job.failure and "Stack trace" not in job.failure
