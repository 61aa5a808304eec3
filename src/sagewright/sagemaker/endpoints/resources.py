"""The nouns of hosting: Model, EndpointConfig, Endpoint."""

from __future__ import annotations

from typing import Any

from sagewright.core.call import Call
from sagewright.core.errors import AwsError, validation
from sagewright.core.nouns import Noun
from sagewright.core.store import Row
from sagewright.sagemaker import instance_types, roles

_MEMORY_SIZES = (1024, 2048, 3072, 4096, 5120, 6144)
CHANGING = frozenset({"Creating", "Updating", "RollingBack", "SystemUpdating", "Deleting"})


# -- Model ------------------------------------------------------------------------------------------------------------
def _admit_model(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    containers = body.get("Containers") or ([body["PrimaryContainer"]] if body.get("PrimaryContainer") else [])
    if body.get("Containers") and body.get("PrimaryContainer"):
        raise validation("Both PrimaryContainer and Containers are given: only one of them may be.")
    if body.get("ExecutionRoleArn"):
        roles.check_role(call, body["ExecutionRoleArn"])
    for container in containers:
        _check_container(call, container)
    if body.get("PrimaryContainer"):
        body["PrimaryContainer"] = {"Mode": "SingleModel", **body["PrimaryContainer"]}
    if body.get("Containers"):
        body["Containers"] = [{"Mode": "SingleModel", **container} for container in body["Containers"]]
    body.setdefault("EnableNetworkIsolation", False)
    return body


def _check_container(call: Call, container: dict[str, Any]) -> None:
    if not container.get("Image") and not container.get("ModelPackageName"):
        raise validation("Either Image or ModelPackageName must be given for a container.")
    if container.get("Image"):
        call.world.parts["images"].resolve(container["Image"])
    if container.get("ModelDataUrl") and container.get("ModelDataSource"):
        raise validation("ModelDataUrl and ModelDataSource cannot both be given for a container.")
    if container.get("ModelDataUrl"):
        roles.split_s3(container["ModelDataUrl"])


MODEL = Noun("Model", "model/{name}", admit=_admit_model,
             missing=("ValidationException", 'Could not find model "{arn}".'),
             exists=("ValidationException", 'Cannot create already existing model "{arn}".'))


# -- EndpointConfig ---------------------------------------------------------------------------------------------------
def _admit_config(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    variants = [*body.get("ProductionVariants", ()), *body.get("ShadowProductionVariants", ())]
    names = [variant["VariantName"] for variant in variants]
    if len(set(names)) != len(names):
        raise validation("Variant names must be unique within an endpoint configuration.")
    if body.get("ShadowProductionVariants") and len(body["ProductionVariants"]) != 1:
        raise validation("Exactly one production variant must be given with shadow production variants.")
    for variant in variants:
        _check_variant(call, variant)
    for member in ("ProductionVariants", "ShadowProductionVariants"):
        if member in body:
            body[member] = [{"InitialVariantWeight": 1.0, **variant} for variant in body[member]]
    return body


def _check_variant(call: Call, variant: dict[str, Any]) -> None:
    if variant.get("ModelName"):
        row = call.store.get("Model", call.account, call.region, variant["ModelName"])
        if row is None:
            raise MODEL.not_found(call, variant["ModelName"])
        if not row.body.get("Containers") and not row.body.get("PrimaryContainer"):
            raise validation(f'Model "{row.arn}" has neither PrimaryContainer nor Containers: it cannot be hosted.')
    if variant.get("ServerlessConfig"):
        if variant.get("InstanceType") or variant.get("InitialInstanceCount"):
            raise validation("InstanceType and InitialInstanceCount cannot be given with ServerlessConfig.")
        _check_serverless(variant["ServerlessConfig"])
    elif variant.get("InstanceType"):
        instance_types.check(variant["InstanceType"])
    elif not variant.get("InstancePools"):
        raise validation(f"InstanceType must be given for variant {variant['VariantName']}.")


ENDPOINT_CONFIG = Noun("EndpointConfig", "endpoint-config/{name}", admit=_admit_config,
                       missing=("ValidationException", 'Could not find endpoint configuration "{arn}".'),
                       exists=("ValidationException", 'Cannot create already existing endpoint configuration "{arn}".'))


def _check_serverless(asked: dict[str, Any]) -> None:
    """Memory comes in steps, which the model gives as a range only."""
    if asked["MemorySizeInMB"] not in _MEMORY_SIZES:
        sizes = ", ".join(map(str, _MEMORY_SIZES))
        raise validation(f"1 validation error detected: Value '{asked['MemorySizeInMB']}' at 'MemorySizeInMB' failed "
                         f"to satisfy constraint: Member must satisfy enum value set: [{sizes}]")


# -- Endpoint ---------------------------------------------------------------------------------------------------------
def _admit_endpoint(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    config(call, body["EndpointConfigName"])
    return body


def config(call: Call, name: str) -> Row:
    """The endpoint configuration of that name, or its not-found error."""
    row = call.store.get("EndpointConfig", call.account, call.region, name)
    if row is None:
        raise ENDPOINT_CONFIG.not_found(call, name)
    return row


def busy(call: Call, row: Row) -> None:
    """Refuse a change of an endpoint that is changing."""
    if row.status in CHANGING:
        raise AwsError("ValidationException", f'Cannot update in-progress endpoint "{row.arn}".')


def _describe_endpoint(call: Call, row: Row) -> dict[str, Any]:
    """The variants as they serve now; the request's DeploymentConfig is answered as LastDeploymentConfig."""
    shown: dict[str, Any] = {"DeploymentConfig": None, "LastDeploymentConfig": row.body.get("DeploymentConfig")}
    if row.work.get("serving"):
        shown["ProductionVariants"] = [_summary(variant) for variant in row.work["serving"]["variants"]]
    return shown


def _summary(variant: dict[str, Any]) -> dict[str, Any]:
    ready = sum(1 for replica in variant["replicas"] if replica.get("ready"))
    image, at = variant["container"]["Image"], variant["since"]
    shown = {"VariantName": variant["name"], "CurrentWeight": variant["weight"], "DesiredWeight": variant["weight"],
             "CurrentInstanceCount": ready, "DesiredInstanceCount": variant["count"],
             "DeployedImages": [{"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": at}]}
    if variant.get("routing"):
        shown["RoutingConfig"] = {"RoutingStrategy": variant["routing"]}
    return shown


ENDPOINT = Noun("Endpoint", "endpoint/{name}", status="EndpointStatus", first="Creating", moving=CHANGING,
                holds_create=True,
                admit=_admit_endpoint, describe=_describe_endpoint, deletable=busy, deleting="Deleting",
                missing=("ValidationException", 'Could not find endpoint "{arn}".'),
                exists=("ValidationException", 'Cannot create already existing endpoint "{arn}".'),
                without=frozenset({"Update"}))
