"""Pure: a training job's request -> the engine plan that runs it."""

from __future__ import annotations

import json
from typing import Any

from sagewright.core.seams import Image, Plan
from sagewright.core.store import Row
from sagewright.sagemaker.training.resources import artifacts

_CONFIG = "/opt/ml/input/config"
_DATA = "/opt/ml/input/data"


def plan(row: Row, image: Image) -> Plan:
    """Everything an agent needs to run the job's first (and only) attempt."""
    body = row.body
    algorithm, resources = body["AlgorithmSpecification"], body["ResourceConfig"]
    entrypoint, command = argv(algorithm)
    return Plan(
        arn=row.arn, attempt=int(row.created * 1000), kind="training", name=row.name, account=row.account,
        region=row.region, role_arn=body["RoleArn"], image=image, instance_type=resources["InstanceType"],
        instance_count=resources["InstanceCount"], entrypoint=entrypoint, command=command,
        environment={**body.get("Environment", {}), "TRAINING_JOB_NAME": row.name, "TRAINING_JOB_ARN": row.arn},
        files=files(body), inputs=[channel_input(channel) for channel in body.get("InputDataConfig", ())],
        outputs=outputs(body, row.name), log_group="/aws/sagemaker/TrainingJobs",
        log_stream=f"{row.name}/{{host}}-{int(row.created)}", metrics=algorithm.get("MetricDefinitions", ()),
        metric_namespace="/aws/sagemaker/TrainingJobs", metric_dimensions={"TrainingJobName": row.name},
        max_runtime=body["StoppingCondition"]["MaxRuntimeInSeconds"], isolated=body["EnableNetworkIsolation"],
        volume_gb=resources.get("VolumeSizeInGB", 30))


def argv(algorithm: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(entrypoint, arguments) by Docker's rules: `train` only where neither is given."""
    entrypoint = tuple(algorithm.get("ContainerEntrypoint", ()))
    arguments = tuple(algorithm.get("ContainerArguments", ()))
    return entrypoint, arguments if entrypoint or arguments else ("train",)


def files(body: dict[str, Any]) -> dict[str, str]:
    """The configuration files that the container finds under /opt/ml/input/config."""
    found = {"hyperparameters.json": body.get("HyperParameters", {}),
             "inputdataconfig.json": {c["ChannelName"]: _channel_config(c) for c in body.get("InputDataConfig", ())},
             "resourceconfig.json": resource_config(body["ResourceConfig"])}
    for member, name in (("CheckpointConfig", "checkpointconfig.json"), ("DebugHookConfig", "debughookconfig.json"),
                         ("TensorBoardOutputConfig", "tensorboardoutputconfig.json"),
                         ("ProfilerConfig", "profilerconfig.json")):
        if member in body:
            found[name] = body[member]
    return {f"{_CONFIG}/{name}": json.dumps(value) for name, value in found.items()}


def _channel_config(channel: dict[str, Any]) -> dict[str, str]:
    source = channel["DataSource"]["S3DataSource"]
    config = {"TrainingInputMode": "File",
              "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
              "RecordWrapperType": channel.get("RecordWrapperType", "None")}
    return {"ContentType": channel["ContentType"], **config} if channel.get("ContentType") else config


def resource_config(resources: dict[str, Any], host: str = "algo-1") -> dict[str, Any]:
    """resourceconfig.json as one host sees it."""
    hosts = sorted(f"algo-{n + 1}" for n in range(resources["InstanceCount"]))
    kind, group = resources["InstanceType"], "homogeneousCluster"
    return {"current_host": host, "current_instance_type": kind, "current_group_name": group, "hosts": hosts,
            "instance_groups": [{"instance_group_name": group, "instance_type": kind, "hosts": hosts}],
            "network_interface_name": "eth0"}


def channel_input(channel: dict[str, Any]) -> dict[str, Any]:
    """One channel as the agent downloads it."""
    return {"name": channel["ChannelName"], "path": f"{_DATA}/{channel['ChannelName']}",
            "source": channel["DataSource"], "mode": "File", "compression": channel.get("CompressionType", "None"),
            "shuffle": channel.get("ShuffleConfig", {}).get("Seed")}


def outputs(body: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """What is uploaded at the end: the model (an archive, or a prefix without compression) and output/data."""
    model = artifacts(body["OutputDataConfig"], name)
    plain = body["OutputDataConfig"].get("CompressionType") == "NONE"
    base = model.removesuffix("/model.tar.gz")
    kms = {"kms_key": body["OutputDataConfig"]["KmsKeyId"]} if body["OutputDataConfig"].get("KmsKeyId") else {}
    return [
        {"path": "/opt/ml/model", "s3_uri": f"{base}/model" if plain else model, "archive": "" if plain else "tar.gz",
         "when_empty": True, **kms},
        {"path": "/opt/ml/output/data", "s3_uri": f"{base}/data" if plain else f"{base}/output.tar.gz",
         "archive": "" if plain else "tar.gz", "when_failed": True, **kms}]
