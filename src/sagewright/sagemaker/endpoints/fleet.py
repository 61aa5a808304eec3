"""Pure: a fleet is one deployed endpoint configuration, as plain data in the endpoint row's notes.

fleet   = {"config", "generation", "variants": [variant]}
variant = {"name", "weight", "count", "instance_type", "routing", "model", "container", "role", "isolated", "since",
           "download_timeout", "startup_timeout", "replicas": [replica]}
replica = {"id", "attempt", "handle"?, "ready"?, "failed"?, "not_before"?}
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

from sagewright.core.errors import Failed
from sagewright.core.seams import Image, Plan
from sagewright.core.store import Row

Fleet = dict[str, Any]
_STARTUP = 480
_LONGEST_BACKOFF = 60.0


def build(config: Row, models: dict[str, Row], generation: int, now: float) -> Fleet:
    """The fleet that an endpoint configuration asks for, with replicas named but not started."""
    for member, words in (("AsyncInferenceConfig", "asynchronous"), ("ShadowProductionVariants", "shadow variant")):
        if config.body.get(member):
            raise Failed(f"{member}: {words} hosting is not available in this Sagewright.")
    variants = [_variant(v, models, now) for v in config.body["ProductionVariants"]]
    return {"config": config.name, "generation": generation, "variants": variants}


def _variant(asked: dict[str, Any], models: dict[str, Row], now: float) -> dict[str, Any]:
    name = asked["VariantName"]
    if asked.get("ServerlessConfig") or asked.get("InstancePools") or not asked.get("ModelName"):
        raise Failed(f"Variant {name}: serverless, instance pool and inference component hosting are not available in "
                     "this Sagewright.")
    model = models.get(asked["ModelName"])
    if model is None:
        raise Failed(f'Could not find model "{asked["ModelName"]}".')
    containers = model.body.get("Containers") or [model.body["PrimaryContainer"]]
    if len(containers) > 1:
        raise Failed(f"Model {model.name}: several containers are not available in this Sagewright.")
    if containers[0].get("Mode", "SingleModel") != "SingleModel":
        raise Failed(f"Model {model.name}: multi-model hosting is not available in this Sagewright.")
    if not containers[0].get("Image"):
        raise Failed(f"Model {model.name}: model packages are not available in this Sagewright.")
    count = asked.get("InitialInstanceCount", 1)
    return {"name": name, "weight": asked.get("InitialVariantWeight", 1.0), "count": count,
            "instance_type": asked["InstanceType"], "model": model.name, "container": containers[0],
            "routing": asked.get("RoutingConfig", {}).get("RoutingStrategy"), "since": now,
            "role": model.body.get("ExecutionRoleArn", ""),
            "isolated": model.body.get("EnableNetworkIsolation", False),
            "startup_timeout": asked.get("ContainerStartupHealthCheckTimeoutInSeconds", _STARTUP),
            "replicas": [new_replica() for _ in range(count)]}


def new_replica() -> dict[str, Any]:
    """A replica with an id as instances have, not started."""
    return {"id": f"i-{secrets.token_hex(9)[:17]}", "attempt": 1}


def resized(variant: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """(variant with as many replicas as its count asks for, replicas to take out)."""
    replicas, count = variant["replicas"], variant["count"]
    more = [new_replica() for _ in range(count - len(replicas))]
    return {**variant, "replicas": [*replicas[:count], *more]}, replicas[count:]


def retained(fleet: Fleet, old: Fleet | None, exclude: list[str]) -> Fleet:
    """RetainAllVariantProperties: weights and counts of variants of the same name stay as they were."""
    before = {v["name"]: v for v in old["variants"]} if old else {}
    variants = []
    for variant in fleet["variants"]:
        kept = before.get(variant["name"])
        if kept is not None:
            variant = dict(variant)
            if "DesiredWeight" not in exclude:
                variant["weight"] = kept["weight"]
            if "DesiredInstanceCount" not in exclude:
                variant["count"] = kept["count"]
            variant, _ = resized(variant)
        variants.append(variant)
    return {**fleet, "variants": variants}


def replicas(fleet: Fleet | None) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """(variant, replica) for all of a fleet."""
    for variant in fleet["variants"] if fleet else ():
        for replica in variant["replicas"]:
            yield variant, replica


def all_ready(fleet: Fleet) -> bool:
    """Whether every replica answers its health check."""
    return all(replica.get("ready") for _, replica in replicas(fleet))


def first_failure(fleet: Fleet) -> str:
    """The reason why a replica of this fleet could not start, or "" while none failed."""
    return next((r["failed"] for _, r in replicas(fleet) if r.get("failed")), "")


def again(replica: dict[str, Any], now: float) -> dict[str, Any]:
    """A crashed replica, to be started anew after a delay that grows with each crash."""
    delay = min(_LONGEST_BACKOFF, 0.5 * 2 ** min(replica["attempt"] - 1, 8))
    return {"id": replica["id"], "attempt": replica["attempt"] + 1, "not_before": now + delay}


def plan(endpoint: Row, variant: dict[str, Any], replica: dict[str, Any], image: Image) -> Plan:
    """The engine plan of one replica."""
    container = variant["container"]
    environment = dict(container.get("Environment", {}))
    if container.get("ContainerHostname"):
        environment.setdefault("HOSTNAME", container["ContainerHostname"])
    return Plan(
        arn=f"{endpoint.arn}/{variant['name']}/{replica['id']}", attempt=replica["attempt"], kind="hosting",
        name=f"{endpoint.name}/{variant['name']}/{replica['id']}", account=endpoint.account, region=endpoint.region,
        role_arn=variant["role"], image=image, instance_type=variant["instance_type"], command=("serve",),
        environment=environment, inputs=model_inputs(container),
        log_group=f"/aws/sagemaker/Endpoints/{endpoint.name}", log_stream=f"{variant['name']}/{replica['id']}",
        max_runtime=0, stop_grace=30.0, isolated=variant["isolated"],
        health={"startup_timeout": variant["startup_timeout"]})


def model_inputs(container: dict[str, Any]) -> list[dict[str, Any]]:
    """Model data as the agent fetches it: an archive is unpacked into /opt/ml/model, a prefix copied there."""
    if container.get("ModelDataUrl"):
        source = {"S3DataSource": {"S3Uri": container["ModelDataUrl"], "S3DataType": "S3Prefix"}}
        return [{"name": "model", "path": "/opt/ml/model", "source": source, "extract": True}]
    if container.get("ModelDataSource"):
        source = container["ModelDataSource"]
        extract = source["S3DataSource"].get("CompressionType") == "Gzip"
        return [{"name": "model", "path": "/opt/ml/model", "source": source, "extract": extract}]
    return []
