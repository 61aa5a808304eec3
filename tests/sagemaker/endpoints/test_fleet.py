"""Fleets as plain data: building, resizing, retaining, giving up."""

from __future__ import annotations

from typing import Any

import pytest

from sagewright.core.errors import Failed
from sagewright.core.seams import Image
from sagewright.core.store import Row
from sagewright.sagemaker.endpoints import fleet as fleets

CONTAINER = {"Image": "uri", "Mode": "SingleModel", "ModelDataUrl": "s3://b/m.tar.gz", "Environment": {"A": "1"}}


def a_config(*variants: dict[str, Any], **more: Any) -> Row:
    return Row("EndpointConfig", "1", "r", "conf", "arn:conf", {"ProductionVariants": list(variants), **more})


def a_variant(name: str = "v", **more: Any) -> dict[str, Any]:
    return {"VariantName": name, "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 2,
            "InitialVariantWeight": 1.0, **more}


def models(**body: Any) -> dict[str, Row]:
    return {"m": Row("Model", "1", "r", "m", "arn:m", body or {"PrimaryContainer": CONTAINER, "ExecutionRoleArn": "R"})}


def test_a_fleet_names_every_replica_before_anything_starts() -> None:
    fleet = fleets.build(a_config(a_variant(), a_variant("w", InitialInstanceCount=1)), models(), 1, 5.0)
    ids = [replica["id"] for _, replica in fleets.replicas(fleet)]
    assert len(ids) == len(set(ids)) == 3 and all(i.startswith("i-") for i in ids)
    assert not fleets.all_ready(fleet) and fleets.first_failure(fleet) == ""


@pytest.mark.parametrize(("config", "found", "words"), [
    (a_config(a_variant(ModelName="gone")), models(), 'Could not find model "gone"'),
    (a_config(a_variant(ServerlessConfig={"MemorySizeInMB": 1024})), models(), "serverless"),
    (a_config(a_variant(), AsyncInferenceConfig={}, ShadowProductionVariants=[1]), models(), "shadow"),
    (a_config(a_variant()), models(Containers=[CONTAINER, CONTAINER]), "several containers"),
    (a_config(a_variant()), models(PrimaryContainer={**CONTAINER, "Mode": "MultiModel"}), "multi-model"),
])
def test_what_cannot_be_hosted_is_refused_in_words(config: Row, found: dict[str, Row], words: str) -> None:
    with pytest.raises(Failed, match=words):
        fleets.build(config, found, 1, 0.0)


def test_resizing_keeps_the_oldest_replicas() -> None:
    variant = fleets.build(a_config(a_variant()), models(), 1, 0.0)["variants"][0]
    kept, gone = fleets.resized({**variant, "count": 1})
    assert kept["replicas"] == variant["replicas"][:1] and gone == variant["replicas"][1:]
    grown, gone = fleets.resized({**variant, "count": 4})
    assert grown["replicas"][:2] == variant["replicas"] and len(grown["replicas"]) == 4 and gone == []


@pytest.mark.parametrize(("exclude", "expected"), [([], (3.0, 5)), (["DesiredWeight"], (1.0, 5)),
                                                   (["DesiredInstanceCount"], (3.0, 2))])
def test_an_update_may_retain_weights_and_counts(exclude: list[str], expected: tuple[float, int]) -> None:
    old = {"variants": [{"name": "v", "weight": 3.0, "count": 5, "replicas": []}]}
    new = fleets.build(a_config(a_variant()), models(), 2, 0.0)
    variant = fleets.retained(new, old, exclude)["variants"][0]
    assert (variant["weight"], variant["count"]) == expected and len(variant["replicas"]) == expected[1]


def test_a_crashed_replica_comes_back_later_each_time() -> None:
    replica: dict[str, Any] = {"id": "i-1", "attempt": 1}
    delays = []
    for _ in range(12):
        replica = fleets.again(replica, 100.0)
        delays.append(replica["not_before"] - 100.0)
    assert delays == sorted(delays) and delays[0] <= 1 and delays[-1] == 60.0 and replica["attempt"] == 13


def test_a_replica_plan_unpacks_the_model_and_has_its_own_log_stream() -> None:
    endpoint = Row("Endpoint", "1", "us-west-2", "E", "arn:aws:sagemaker:us-west-2:1:endpoint/e", {})
    fleet = fleets.build(a_config(a_variant()), models(), 1, 0.0)
    variant, replica = next(fleets.replicas(fleet))
    made = fleets.plan(endpoint, variant, replica, Image("uri", "environment", "xgboost", "1"))
    assert made.arn == f"{endpoint.arn}/v/{replica['id']}" and made.command == ("serve",)
    assert made.inputs == [{"name": "model", "path": "/opt/ml/model", "extract": True,
                            "source": {"S3DataSource": {"S3Uri": "s3://b/m.tar.gz", "S3DataType": "S3Prefix"}}}]
    assert (made.log_group, made.log_stream) == ("/aws/sagemaker/Endpoints/E", f"v/{replica['id']}")
    assert made.environment == {"A": "1"} and made.role_arn == "R"
