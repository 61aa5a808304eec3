"""Operations of endpoints that derivation cannot express."""

from __future__ import annotations

from typing import Any

from sagewright.core import verbs
from sagewright.core.call import Call
from sagewright.core.errors import AwsError, validation
from sagewright.core.store import Row
from sagewright.sagemaker.endpoints.resources import ENDPOINT, busy, config


def update_endpoint(call: Call) -> dict[str, Any]:
    """Deploy another configuration; written because it starts a deployment and may keep the old fleet's properties."""
    asked = call.params
    config(call, asked["EndpointConfigName"])

    def step(row: Row) -> Row:
        busy(call, row)
        if row.status == "Failed":
            raise validation(f'Cannot update failed endpoint "{row.arn}".')
        wanted = {"config": asked["EndpointConfigName"], "retain": bool(asked.get("RetainAllVariantProperties")),
                  "exclude": [p["VariantPropertyType"] for p in asked.get("ExcludeRetainedVariantProperties", ())]}
        return row.with_(status="Updating", work={"wanted": wanted},
                         body={"FailureReason": None, "DeploymentConfig": asked.get("DeploymentConfig")})

    row = verbs.change(call, ENDPOINT, asked["EndpointName"], step)
    verbs.hold(call, ENDPOINT, row)
    return {"EndpointArn": row.arn}


def update_endpoint_weights_and_capacities(call: Call) -> dict[str, Any]:
    """Change weights and instance counts in place; written because no member of the endpoint itself changes."""
    asked = {w["VariantName"]: w for w in call.params["DesiredWeightsAndCapacities"]}

    def step(row: Row) -> Row:
        busy(call, row)
        serving = row.work.get("serving")
        if serving is None:
            raise AwsError("ValidationException", f'Cannot update endpoint "{row.arn}" in status {row.status}.')
        unknown = asked.keys() - {v["name"] for v in serving["variants"]}
        if unknown:
            raise validation(f'The variant name(s) "{", ".join(sorted(unknown))}" is/are not present within endpoint '
                             f'configuration "{serving["config"]}".')
        variants = [_rescaled(v, asked.get(v["name"], {})) for v in serving["variants"]]
        return row.with_(status="Updating", work={"serving": {**serving, "variants": variants}})

    row = verbs.change(call, ENDPOINT, call.params["EndpointName"], step)
    verbs.hold(call, ENDPOINT, row)
    return {"EndpointArn": row.arn}


def _rescaled(variant: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    return {**variant, "weight": asked.get("DesiredWeight", variant["weight"]),
            "count": asked.get("DesiredInstanceCount", variant["count"])}
