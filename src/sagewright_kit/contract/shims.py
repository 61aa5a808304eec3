"""Modules of AWS's own images that user scripts import, under AWS's names.

Scripts written for the real images say `from sagemaker_xgboost_container.data_utils import get_dmatrix` or
`from sagemaker_containers.beta.framework import worker, encoders`. `install` (called in every overlay and by the model
servers) puts a finder behind all others, so that a real package of that name, where one is installed, comes first.

Covered: sagemaker_xgboost_container encoder and data_utils; sagemaker_containers encoders, content_types, worker and
training_env; sagemaker_inference encoder, decoder, content_types, errors; sagemaker_training environment.
Not covered: the rest of these packages; a name that is missing raises ImportError or AttributeError as ever.
"""

from __future__ import annotations

import sys

# Every Python of a job runs this at its start, so what it imports is what it needs then (importlib.abc would cost
# more than the interpreter's own start).
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

_NAMES = "sagewright_kit.servers.aws_names"
_XGBOOST = "sagewright_kit.servers.aws_xgboost"
_CONTENT = ("JSON", "CSV", "NPY", "NPZ", "OCTET_STREAM", "ANY", "UTF8_TYPES")
_FRAMEWORK = "sagemaker_containers.beta.framework"

# Module -> where its names come from, and which. A package has no names of its own unless it states some.
MODULES: dict[str, tuple[str, Sequence[str]]] = {
    "sagemaker_xgboost_container": ("", ()),
    "sagemaker_xgboost_container.encoder": (
        _XGBOOST,
        ("csv_to_dmatrix", "libsvm_to_dmatrix", "recordio_protobuf_to_dmatrix", "decode", "json_to_jsonlines"),
    ),
    "sagemaker_xgboost_container.data_utils": (_XGBOOST, ("get_dmatrix", "get_content_type", "get_size")),
    "sagemaker_containers": ("", ()),
    "sagemaker_containers.beta": ("", ()),
    _FRAMEWORK: (_NAMES, ("training_env",)),
    _FRAMEWORK + ".content_types": (_NAMES, _CONTENT),
    _FRAMEWORK + ".encoders": (_NAMES, ("encode", "decode", "json_to_numpy", "csv_to_numpy", "npy_to_numpy")),
    _FRAMEWORK + ".worker": (_NAMES, ("Response",)),
    _FRAMEWORK + ".env": (_NAMES, ("TrainingEnv",)),
    # Imported by many sample scripts beside the ones above, and used by none.
    _FRAMEWORK + ".modules": ("", ()),
    _FRAMEWORK + ".transformer": ("", ()),
    "sagemaker_inference": ("", ()),
    "sagemaker_inference.content_types": (_NAMES, _CONTENT),
    "sagemaker_inference.encoder": (_NAMES, ("encode",)),
    "sagemaker_inference.decoder": (_NAMES, ("decode",)),
    "sagemaker_inference.errors": (
        _NAMES,
        ("UnsupportedFormatError", "BaseInferenceToolkitError", "GenericInferenceToolkitError"),
    ),
    "sagemaker_training": ("", ()),
    "sagemaker_training.environment": (_NAMES, ("Environment",)),
}


class Finder:
    """Finds and fills the modules above."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in MODULES:
            return None
        from importlib.machinery import ModuleSpec

        is_package = any(other.startswith(name + ".") for other in MODULES)
        return ModuleSpec(name, self, is_package=is_package)  # type: ignore[arg-type]

    def create_module(self, spec: Any) -> None:
        return None

    def exec_module(self, module: Any) -> None:
        origin, names = MODULES[module.__name__]
        if names:
            from importlib import import_module

            source = import_module(origin)
            module.__dict__.update({name: getattr(source, name) for name in names})


def install() -> None:
    """Put the finder last; doing it twice does it once."""
    if not any(isinstance(one, Finder) for one in sys.meta_path):
        sys.meta_path.append(Finder())  # type: ignore[arg-type]
