"""Every environment that stands for an image of AWS's: which versions it holds, on which Pythons.

A table, no code that acts. The first pins of each row are what AWS's container repositories install
(aws/sagemaker-xgboost-container and aws/sagemaker-scikit-learn-container, one branch a tag) on the Python that AWS
uses. Where that Python is missing on a machine, the next one of the row is used with the same library version: the
tag's promise is the library, so only the packages around it are newer then. numpy differs from AWS's where AWS's does
not fit the library's own wheel. `lock.py` turns each row into `locks/NAME.pyXY.txt`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Distribution -> the module that proves that it works.
MODULES = {"xgboost": "xgboost", "xgboost-cpu": "xgboost", "scikit-learn": "sklearn", "torch": "torch"}
# What the kit and users' scripts find in every environment besides the library itself.
COMMON = ("pip", "setuptools<81", "wheel", "boto3", "requests", "PyYAML", "psutil", "uvicorn", "httptools", "uvloop")


@dataclass(frozen=True)
class Environment:
    """One environment.

    name: also the prefix of its locks. library, version: the distribution whose version the image's tag names.
    pythons: minor versions in order of preference, each with the requirements that go with it there.
    """

    name: str
    library: str
    version: str
    pythons: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """What environments can stand in for one another: those of the same kind."""
        return self.name.rsplit("-", 1)[0] if self.library == "torch" else self.name.split("-")[0]

    def lock_name(self, python: str) -> str:
        """File name of the lock for that Python."""
        return f"{self.name}.py{python.replace('.', '')}.txt"


def _xgboost(tag: str, version: str, aws: dict[str, str], later: dict[str, str]) -> Environment:
    """AWS's own pins by Python, then what fits the library on Pythons that AWS never shipped it on."""
    library = "xgboost-cpu" if int(version.split(".")[0]) >= 3 else "xgboost"
    return _table(f"xgboost-{tag}", library, version, {**aws, **later})


def _sklearn(tag: str, version: str, aws: dict[str, str], later: dict[str, str]) -> Environment:
    return _table(f"sklearn-{tag}", "scikit-learn", version, {**aws, **later})


def _table(name: str, library: str, version: str, pythons: dict[str, str]) -> Environment:
    pinned = f"{library}=={version}"
    return Environment(name, library, version,
                       {python: (pinned, *around.split(), *COMMON) for python, around in pythons.items()})


def _torch(version: str, vision: str, *pythons: str) -> Environment:
    """PyTorch with its torchvision, first on the Python of AWS's image (3.7 for its 3.6: the kit needs 3.7)."""
    numpy = "numpy" if "3.13" in pythons else "numpy<2"      # the older ones were compiled for numpy 1
    pillow = " pillow<7" if vision.startswith(("0.2.", "0.3.", "0.4.")) else ""     # they import PILLOW_VERSION
    return _table(f"pytorch-{version}", "torch", version,
                  dict.fromkeys(pythons, f"torchvision=={vision} {numpy} pandas scipy scikit-learn{pillow}"))


_WITH_XGBOOST = "scikit-learn scipy pandas pyarrow matplotlib"
_AWS_0_90 = "numpy==1.18.1 pandas==0.25.3 scikit-learn==0.22.1 scipy==1.2.2 matplotlib==3.1.2 pyarrow==0.14.1"
_AWS_3 = f"numpy==2.1.0 pandas==2.2.3 scipy==1.15.0 pyarrow==22.0.0 {_WITH_XGBOOST}"
# What XGBoost 0.72 to 1.6 call has gone from later versions of these.
_OLD = f"numpy<1.24 {_WITH_XGBOOST} pandas<2 scikit-learn<1.3 scipy<1.11 pyarrow<15"
_OLD_312 = f"numpy<2 {_WITH_XGBOOST} pandas<2.2 scikit-learn<1.4 pyarrow<15"

ENVIRONMENTS: tuple[Environment, ...] = (
    _xgboost("0.72", "0.72.1",
             {"3.7": _AWS_0_90},
             {"3.8": _OLD, "3.9": _OLD}),     # it asks collections for what Python 3.10 took out
    _xgboost("0.90-1", "0.90",
             {"3.7": _AWS_0_90},
             {"3.8": _OLD, "3.9": _OLD, "3.10": _OLD, "3.11": _OLD}),
    _xgboost("0.90-2", "0.90",
             {"3.7": "numpy==1.18.4 pandas==1.0.4 scikit-learn==0.23.1 scipy==1.2.2 matplotlib==3.2.1 pyarrow==0.14.1"},
             {"3.8": _OLD, "3.9": _OLD, "3.10": _OLD, "3.11": _OLD}),
    _xgboost("1.0-1", "1.0.0",
             {"3.7": "numpy<1.20 pandas==1.1.3 scikit-learn==0.24.1 scipy==1.2.2 matplotlib==3.3.2 pyarrow==0.14.1"},
             {"3.8": _OLD, "3.9": _OLD, "3.10": _OLD, "3.11": _OLD}),
    _xgboost("1.2-1", "1.2.0",
             {"3.7": "numpy==1.21.6 pandas==1.1.3 scikit-learn==0.23.2 scipy==1.5.3 matplotlib==3.3.2 pyarrow"},
             {"3.8": _OLD, "3.9": _OLD, "3.10": _OLD, "3.11": _OLD}),
    _xgboost("1.3-1", "1.3.3",
             {"3.7": "numpy==1.21.6 pandas==1.2.4 scikit-learn==0.24.1 scipy==1.6.2 matplotlib==3.4.1 pyarrow"},
             {"3.8": _OLD, "3.9": _OLD, "3.10": _OLD, "3.11": _OLD}),
    _xgboost("1.5-1", "1.5.2",
             {"3.8": "numpy==1.24.4 pandas==1.5.3 scikit-learn==0.24.1 scipy==1.8.0 matplotlib==3.4.1 pyarrow==14.0.1"},
             {"3.9": _OLD, "3.10": _OLD, "3.11": _OLD}),
    _xgboost("1.7-1", "1.7.4",
             {"3.10": "numpy==1.24.1 pandas==1.4.4 scikit-learn==1.0.2 scipy==1.9.3 matplotlib==3.6.3 pyarrow==14.0.1",
              "3.9": "numpy==1.24.1 pandas==1.2.4 scikit-learn==0.24.1 scipy==1.8.0 matplotlib==3.4.1 pyarrow==14.0.1"},
             {"3.11": f"numpy==1.24.1 {_WITH_XGBOOST} pandas<2 scikit-learn<1.3 scipy==1.9.3 pyarrow<15",
              "3.12": _OLD_312, "3.13": f"numpy>=2 {_WITH_XGBOOST} scikit-learn<1.6"}),
    _xgboost("3.0-5", "3.0.5",
             {"3.10": _AWS_3},
             dict.fromkeys(("3.11", "3.12", "3.13"), _AWS_3)),
    _xgboost("3.2-0", "3.2.0",
             {"3.12": f"numpy<3 pandas<3 {_WITH_XGBOOST}"},
             dict.fromkeys(("3.11", "3.10", "3.13"), f"numpy<3 pandas<3 {_WITH_XGBOOST}")),
    _sklearn("0.20.0", "0.20.0",
             {"3.7": "numpy==1.19.5 pandas==0.25.3 scipy<1.6 pyarrow==0.14.1 joblib"}, {}),
    _sklearn("0.23-1", "0.23.2",
             {"3.7": "numpy==1.19.2 pandas==1.1.3 scipy==1.5.3 pyarrow==1.0.0"},
             {"3.8": "numpy==1.19.2 pandas==1.1.3 scipy==1.5.3 pyarrow==1.0.0"}),
    _sklearn("1.0-1", "1.0.2",
             {"3.8": "numpy==1.24.1 pandas==1.1.3 scipy==1.8.0 pyarrow==14.0.1"},
             {"3.9": "numpy==1.24.1 pandas==1.1.3 scipy==1.8.0 pyarrow==14.0.1",
              "3.10": "numpy==1.24.1 pandas==1.5.3 scipy==1.8.0 pyarrow==14.0.1"}),
    _sklearn("1.2-1", "1.2.1",
             {"3.10": "numpy==1.24.1 pandas==1.5.3 scipy==1.9.3 pyarrow==14.0.1",
              "3.9": "numpy==1.24.1 pandas==1.1.3 scipy==1.8.0 pyarrow==14.0.1"},
             {"3.11": "numpy==1.24.1 pandas==1.5.3 scipy==1.9.3 pyarrow==14.0.1",
              "3.8": "numpy==1.24.1 pandas==1.5.3 scipy==1.9.3 pyarrow==14.0.1"}),
    _sklearn("1.4-2", "1.4.2",
             {"3.10": "numpy==2.1.0 pandas==2.3.2 scipy pyarrow==17.0.0"},
             {"3.11": "numpy==2.1.0 pandas==2.3.2 scipy pyarrow==17.0.0",
              "3.12": "numpy==2.1.0 pandas==2.3.2 scipy pyarrow==17.0.0"}),
    _sklearn("1.4-2-py312", "1.4.2",
             {"3.12": "numpy==2.1.0 pandas==2.3.2 scipy pyarrow==17.0.0"},
             {"3.11": "numpy==2.1.0 pandas==2.3.2 scipy pyarrow==17.0.0",
              "3.10": "numpy==2.1.0 pandas==2.3.2 scipy pyarrow==17.0.0"}),
    _sklearn("1.9-0", "1.9.0",
             {"3.12": "numpy==2.5.1 pandas==2.2.3 scipy==1.18.0 pyarrow==25.0.0"},
             {"3.11": "numpy pandas==2.2.3 scipy pyarrow", "3.13": "numpy pandas==2.2.3 scipy pyarrow"}),
    _torch("1.0.0", "0.2.1", "3.7"),
    _torch("1.1.0", "0.3.0", "3.7"),
    _torch("1.2.0", "0.4.0", "3.7"),
    _torch("1.3.1", "0.4.2", "3.7"),
    _torch("1.4.0", "0.5.0", "3.7", "3.8"),
    _torch("1.5.0", "0.6.0", "3.7", "3.8"),
    _torch("1.6.0", "0.7.0", "3.7", "3.8"),
    _torch("1.7.1", "0.8.2", "3.7", "3.8"),
    _torch("1.8.0", "0.9.0", "3.7", "3.8", "3.9"),
    _torch("1.8.1", "0.9.1", "3.7", "3.8", "3.9"),
    _torch("1.9.0", "0.10.0", "3.8", "3.9"),
    _torch("1.9.1", "0.10.1", "3.8", "3.9"),
    _torch("1.10.0", "0.11.1", "3.8", "3.9"),
    _torch("1.10.2", "0.11.3", "3.8", "3.9"),
    _torch("1.11.0", "0.12.0", "3.8", "3.9", "3.10"),
    _torch("1.12.0", "0.13.0", "3.8", "3.9", "3.10"),
    _torch("1.12.1", "0.13.1", "3.8", "3.9", "3.10"),
    _torch("1.13.1", "0.14.1", "3.9", "3.10"),
    _torch("2.0.0", "0.15.1", "3.10", "3.11"),
    _torch("2.0.1", "0.15.2", "3.10", "3.11"),
    _torch("2.1.0", "0.16.0", "3.10", "3.11"),
    _torch("2.2.0", "0.17.0", "3.10", "3.11", "3.12"),
    _torch("2.2.1", "0.17.1", "3.10", "3.11", "3.12"),
    _torch("2.3.0", "0.18.0", "3.11", "3.12"),
    _torch("2.4.0", "0.19.0", "3.11", "3.12"),
    _torch("2.5.1", "0.20.1", "3.11", "3.12"),
    _torch("2.6.0", "0.21.0", "3.12", "3.11"),
    _torch("2.7.1", "0.22.1", "3.12", "3.11"),
    _torch("2.8.0", "0.23.0", "3.12", "3.11"),
    _torch("2.9.0", "0.24.0", "3.12", "3.11"),
    _torch("2.10.0", "0.25.0", "3.13", "3.12", "3.11"),
    _torch("2.13.0", "0.28.0", "3.11"),     # stands in where its CPU wheel is at hand (see choose.py)
)
BY_NAME: Mapping[str, Environment] = {environment.name: environment for environment in ENVIRONMENTS}

# Repository of AWS's -> how its versions name environments. Versions not listed take PREFIX + the version itself.
PREFIXES: Mapping[str, str] = {
    "xgboost": "xgboost-", "sagemaker-xgboost": "xgboost-", "sagemaker-scikit-learn": "sklearn-",
    "pytorch-training": "pytorch-", "pytorch-inference": "pytorch-", "pytorch-inference-graviton": "pytorch-",
    "pytorch-inference-arm64": "pytorch-", "sagemaker-pytorch": "pytorch-",
}
SAME: Mapping[tuple[str, str], str] = {
    ("xgboost", "1"): "xgboost-0.72",             # the first algorithm image is XGBoost 0.72
    ("sagemaker-xgboost", "1.2-2"): "xgboost-1.2-1",  # a rebuild of the same versions
}
# Labels of the real images that CreateModel reads (docker/*/final/Dockerfile.cpu of AWS's repositories).
CAPABILITIES: Mapping[str, tuple[str, ...]] = {
    "sagemaker-xgboost": ("multi-models", "accept-bind-to-port"),
    "sagemaker-scikit-learn": ("multi-models", "accept-bind-to-port"),
    "pytorch-inference": ("multi-models", "accept-bind-to-port"),
    "pytorch-inference-graviton": ("multi-models", "accept-bind-to-port"),
    "pytorch-inference-arm64": ("multi-models", "accept-bind-to-port"),
}


def named(repository: str, version: str) -> str:
    """The environment that an image of AWS's asks for; it may be missing from `BY_NAME` (pytorch-0.4.0)."""
    return SAME.get((repository, version), PREFIXES[repository] + version)
