"""The botocore models: the only place besides `gateway/wire.py` that knows how botocore stores them.

Everything else asks these functions. A wrong model is patched in `patches.json`, never worked around in code.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape, StructureShape

__all__ = ["OperationModel", "ServiceModel", "Shape", "StructureShape", "members", "method_name", "model",
           "operation_names", "operations", "paginator", "regions", "signing_name"]

_PATCHES = Path(__file__).with_name("patches.json")


@functools.lru_cache(maxsize=1)
def _loader() -> Loader:
    return Loader()


@functools.lru_cache(maxsize=1)
def _patches() -> dict[str, Any]:
    return json.loads(_PATCHES.read_text()) if _PATCHES.exists() else {}


def _merge(into: dict[str, Any], patch: dict[str, Any]) -> None:
    for key, value in patch.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


@functools.cache
def model(service: str) -> ServiceModel:
    """The (patched) model of a botocore service name such as "sagemaker"."""
    description = _loader().load_service_model(service, "service-2")
    if patch := _patches().get(service):
        _merge(description, patch)
    return ServiceModel(description, service)


def operation_names(service: str) -> list[str]:
    """Every operation of the service, as the model spells them."""
    return list(model(service).operation_names)


@functools.cache
def operation(service: str, name: str) -> OperationModel:
    """One operation's model; KeyError where the service has none of that name."""
    service_model = model(service)
    if name not in service_model._service_description["operations"]:
        raise KeyError(name)
    return service_model.operation_model(name)


def operations(service: str) -> Iterator[OperationModel]:
    """All operation models of the service."""
    for name in operation_names(service):
        yield operation(service, name)


def members(shape: StructureShape | None) -> dict[str, Shape]:
    """Member name -> shape of a structure, empty for none."""
    return dict(shape.members) if shape is not None else {}


@functools.cache
def method_name(name: str) -> str:
    """boto3's method name of an operation: CreateTrainingJob -> create_training_job."""
    from botocore import xform_name

    return xform_name(name)


@functools.cache
def regions() -> frozenset[str]:
    """Every region of every partition, the partitions' global pseudo-regions among them."""
    partitions = _loader().load_data("partitions")["partitions"]
    return frozenset(region for partition in partitions for region in partition["regions"])


def signing_name(service: str) -> str:
    """The name in the credential scope of that service's signatures."""
    return str(model(service).signing_name)


@functools.cache
def paginator(service: str, name: str) -> dict[str, Any]:
    """The paginator entry of an operation (input_token, output_token, limit_key, result_key), or {}."""
    try:
        pages = _loader().load_service_model(service, "paginators-1")["pagination"]
    except Exception:  # noqa: BLE001 - botocore raises its own DataNotFoundError or UnknownServiceError
        return {}
    return dict(pages.get(name, {}))
