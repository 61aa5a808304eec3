"""The training job noun, its defaults and the cross-checks that the model cannot express."""

from __future__ import annotations

from typing import Any

from sagewright.core.call import Call
from sagewright.core.errors import AwsError, validation
from sagewright.core.nouns import Noun
from sagewright.core.store import Row
from sagewright.sagemaker import instance_types, roles
from sagewright.sagemaker.training import xgboost_metrics

_DAY = 86_400
_DEFAULTS = {"EnableNetworkIsolation": False, "EnableInterContainerTrafficEncryption": False,
             "EnableManagedSpotTraining": False}
# Members that ask for behaviour that is not there yet: refused by name rather than recorded and ignored.
_LATER = {"CheckpointConfig": "checkpoints that are synchronised", "DebugRuleConfigurations": "debugger rules",
          "TensorBoardOutputConfig": "TensorBoard outputs", "RetryStrategy": "retry strategies",
          "ServerlessJobConfig": "serverless customization jobs", "ModelPackageConfig": "model package output",
          "MlflowConfig": "MLflow logging"}


def admit(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    """Fill AWS's defaults and refuse what cannot run."""
    body = {**_DEFAULTS, **body}
    body["StoppingCondition"] = {"MaxRuntimeInSeconds": _DAY, **body.get("StoppingCondition", {})}
    for member, words in _LATER.items():
        if member in body:
            raise validation(f"{member} is not supported: {words} are not available in this Sagewright.")
    _check_algorithm(call, body)
    _check_resources(body)
    roles.check_role(call, body["RoleArn"])
    for channel in body.get("InputDataConfig", ()):
        _check_channel(call, channel, body["RoleArn"])
    _check_unique_channels(body)
    roles.split_s3(body["OutputDataConfig"]["S3OutputPath"])
    body["ModelArtifacts"] = {"S3ModelArtifacts": artifacts(body["OutputDataConfig"], call.params["TrainingJobName"])}
    return body


def artifacts(output: dict[str, Any], name: str) -> str:
    """Where the model archive goes."""
    return f"{output['S3OutputPath'].rstrip('/')}/{name}/output/model.tar.gz"


def _check_algorithm(call: Call, body: dict[str, Any]) -> None:
    algorithm = dict(body.get("AlgorithmSpecification") or {})
    uri = algorithm.get("TrainingImage", "")
    if bool(uri) == bool(algorithm.get("AlgorithmName")):
        raise validation("Exactly one of TrainingImage and AlgorithmName must be given in AlgorithmSpecification.")
    if not uri:
        raise validation(f"Algorithm {algorithm['AlgorithmName']} does not exist in account {call.account}.")
    image = call.world.parts["images"].resolve(uri)
    if algorithm.get("TrainingInputMode", "File") != "File":
        raise validation("TrainingInputMode must be File: Pipe and FastFile are not available in this Sagewright.")
    if image.family in xgboost_metrics.FAMILIES and not _is_script_mode(body) and "MetricDefinitions" not in algorithm:
        algorithm["MetricDefinitions"] = xgboost_metrics.DEFINITIONS
    algorithm.setdefault("EnableSageMakerMetricsTimeSeries", bool(algorithm.get("MetricDefinitions")))
    body["AlgorithmSpecification"] = algorithm


def _is_script_mode(body: dict[str, Any]) -> bool:
    return "sagemaker_program" in body.get("HyperParameters", {}) \
        or "SAGEMAKER_PROGRAM" in body.get("Environment", {}) \
        or bool(body["AlgorithmSpecification"].get("ContainerEntrypoint"))


def _check_resources(body: dict[str, Any]) -> None:
    resources = body.get("ResourceConfig") or {}
    if resources.get("InstanceGroups"):
        raise validation("InstanceGroups are not supported: heterogeneous clusters are not available here.")
    for member in ("InstanceType", "InstanceCount"):
        if member not in resources:
            raise validation(f"{member} must be given in ResourceConfig.")
    instance_types.check(resources["InstanceType"])
    if resources["InstanceCount"] > 1:
        raise AwsError("ResourceLimitExceeded", "The account-level service limit 'Number of instances across all "
                       "training jobs' is 1 Instances, with current utilization of 0 Instances and a request delta of "
                       f"{resources['InstanceCount']} Instances. Distributed training is not available here.")
    stopping = body["StoppingCondition"]
    wait = stopping.get("MaxWaitTimeInSeconds")
    if body["EnableManagedSpotTraining"] and wait is None:
        raise validation("MaxWaitTimeInSeconds must be given with EnableManagedSpotTraining.")
    if wait is not None and not body["EnableManagedSpotTraining"]:
        raise validation("MaxWaitTimeInSeconds can only be given with EnableManagedSpotTraining.")
    if wait is not None and wait < stopping["MaxRuntimeInSeconds"]:
        raise validation("Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to "
                         "MaxRuntimeInSeconds.")


def _check_channel(call: Call, channel: dict[str, Any], role_arn: str) -> None:
    name = channel["ChannelName"]
    if channel.get("InputMode", "File") != "File":
        raise validation(f"InputMode of channel {name} must be File: Pipe and FastFile are not available in this "
                         "Sagewright.")
    source = channel["DataSource"].get("S3DataSource")
    if source is None:
        raise validation(f"Channel {name} must have an S3DataSource: file systems are not available here.")
    if source.get("S3DataType") == "AugmentedManifestFile" and not source.get("AttributeNames"):
        raise validation(f"AttributeNames must be given for the augmented manifest of channel {name}.")
    roles.check_bucket(call, source["S3Uri"], role_arn)


def _check_unique_channels(body: dict[str, Any]) -> None:
    names = [channel["ChannelName"] for channel in body.get("InputDataConfig", ())]
    if len(set(names)) != len(names):
        raise validation("Channel names must be unique within InputDataConfig.")


def _describe(call: Call, row: Row) -> dict[str, Any]:
    secondary = "Stopping" if row.status == "Stopping" else row.body.get("SecondaryStatus", "Starting")
    transitions = row.body.get("SecondaryStatusTransitions") or [
        {"Status": "Starting", "StartTime": row.created, "StatusMessage": "Starting the training job."}]
    # AWS answers an empty KmsKeyId where none was given; Estimator.attach of SDK 2 reads it.
    return {"SecondaryStatus": secondary, "SecondaryStatusTransitions": transitions,
            "OutputDataConfig": {"KmsKeyId": "", **row.body["OutputDataConfig"]}}


def _deletable(call: Call, row: Row) -> None:
    if not row.terminal:
        raise AwsError("ResourceInUse", f"The training job {row.name} is in status {row.status} and cannot be deleted.")


TRAINING_JOB = Noun(
    "TrainingJob", "training-job/{name}", status="TrainingJobStatus", first="InProgress",
    moving=frozenset({"InProgress", "Stopping"}), terminal=frozenset({"Completed", "Failed", "Stopped"}),
    admit=admit, describe=_describe, deletable=_deletable,
    missing=("ValidationException", "Requested resource not found."),
    exists=("ResourceInUse", "Training job names must be unique within an AWS account and region, and a training job "
            "with this name already exists ({arn})"),
    without=frozenset({"Update"}))
