"""What the configuration files say, and the SM_* variables and script arguments made of it.

Called by `train`. Equal, variable by variable, to sagemaker-training 5.1.4 (tests/kit/goldens).
"""

from __future__ import annotations

import json
import os
from typing import Any

from sagewright_kit.contract import machine
from sagewright_kit.contract.errors import ClientError
from sagewright_kit.contract.paths import Paths

# Hyperparameters that steer the toolkit and are never handed to the script.
CONSUMED = (
    "sagemaker_program",
    "sagemaker_submit_directory",
    "sagemaker_enable_cloudwatch_metrics",
    "sagemaker_region",
    "sagemaker_container_log_level",
    "sagemaker_job_name",
    "default_user_module_name",
    "_tuning_objective_metric",
    "sagemaker_s3_output",
)
DISTRIBUTIONS = (
    "sagemaker_mpi_enabled",
    "sagemaker_parameter_server_enabled",
    "sagemaker_distributed_dataparallel_enabled",
    "sagemaker_pytorch_ddp_enabled",
    "sagemaker_pytorch_xla_multi_worker_enabled",
    "sagemaker_multi_worker_mirrored_strategy_enabled",
    "sagemaker_torch_distributed_enabled",
)


class Training:
    """One training container's configuration, read once."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.resources = _read_object(paths.config("resourceconfig"))
        self.channels = _read_object(paths.config("inputdataconfig"))
        self.raw_hyperparameters = _read_object(paths.config("hyperparameters"))
        decoded = {key: _decode(value) for key, value in self.raw_hyperparameters.items()}
        self.steering = {k: v for k, v in decoded.items() if k in CONSUMED or k.startswith("sagemaker_")}
        self.hyperparameters = {k: v for k, v in decoded.items() if k not in self.steering}
        self.framework_parameters = {k: v for k, v in self.steering.items() if k not in CONSUMED}
        self.hosts = list(self.resources.get("hosts") or ["algo-1"])
        self.current_host = str(self.resources.get("current_host") or self.hosts[0])
        self.group = self.resources.get("current_group_name", "homogeneousCluster")
        self.program = os.environ.get("SAGEMAKER_PROGRAM") or self.steering.get("sagemaker_program")
        self.module_dir = str(self.steering.get("sagemaker_submit_directory", paths.code))
        self.region = str(
            self.steering.get("sagemaker_region")
            or os.environ.get("AWS_DEFAULT_REGION")
            or os.environ.get("AWS_REGION")
            or ""
        )

    @property
    def source(self) -> str:
        """Where the user's code comes from. The variable counts only where no hyperparameter says otherwise."""
        stated = self.steering.get("sagemaker_submit_directory") or os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY")
        return str(stated or self.paths.code)

    def distribution(self) -> str:
        """The distribution that the job asks for (a name of DISTRIBUTIONS), or "" for a plain script."""
        return next((name for name in DISTRIBUTIONS if self.framework_parameters.get(name)), "")

    def process_variables(self) -> dict[str, str]:
        """Variables that the toolkit sets for itself and, by inheritance, for the script."""
        return {
            "SAGEMAKER_JOB_NAME": str(self.steering.get("sagemaker_job_name", "")),
            "SAGEMAKER_REGION": self.region,
            "CURRENT_HOST": self.current_host,
        }

    def arguments(self) -> list[str]:
        """The script's arguments: sorted `--key value`, `-k value` for one-letter keys."""
        result: list[str] = []
        for key in sorted(self.hyperparameters):
            value = self.hyperparameters[key]
            if isinstance(value, dict):
                value = ",".join("%s=%s" % item for item in sorted(value.items()))
            result.append(("--%s" if len(key) > 1 else "-%s") % key if key else "")
            result.append("" if value is None else str(value))
        return result

    def variables(self) -> dict[str, str]:
        """The SM_* variables."""
        values = self.values()
        names = self._shared() + (
            "current_instance_group", "current_instance_group_hosts", "distribution_instance_groups",
            "instance_groups", "instance_groups_dict", "is_hetero", "input_config_dir", "input_data_config",
            "input_dir", "module_dir", "module_name", "num_cpus", "num_gpus", "num_neurons", "output_data_dir",
            "output_dir", "output_intermediate_dir", "resource_config", "user_entry_point",
        )  # fmt: skip
        result = {"SM_" + name.upper(): encode(values[name]) for name in names}
        result["SM_HPS"] = encode(self.hyperparameters)
        result["SM_FRAMEWORK_PARAMS"] = encode(self.framework_parameters)
        result["SM_CHANNELS"] = encode(sorted(self.channels))
        result["SM_TRAINING_ENV"] = encode(values)
        result["SM_USER_ARGS"] = encode(self.arguments())
        if values["topology"]:
            result["SM_TOPOLOGY"] = encode(values["topology"])
        for name in self.channels:
            result["SM_CHANNEL_" + name.upper()] = self.paths.channel(name)
        for name, value in self.hyperparameters.items():
            result["SM_HP_" + name.upper()] = encode(value)
        return result

    @staticmethod
    def _shared() -> tuple[str, ...]:
        return (
            "current_host", "current_instance_type", "framework_module", "hosts", "log_level", "model_dir",
            "network_interface_name",
        )  # fmt: skip

    def values(self) -> dict[str, Any]:
        """What SM_TRAINING_ENV holds: the toolkit's whole view of the job."""
        paths, resources = self.paths, self.resources
        entry = self.program
        module = entry if entry is not None else "None"
        values: dict[str, Any] = {
            "additional_framework_parameters": self.framework_parameters,
            "channel_input_dirs": {name: paths.channel(name) for name in self.channels},
            "current_host": self.current_host,
            "current_instance_type": resources.get("current_instance_type", "local"),
            "framework_module": os.environ.get("SAGEMAKER_TRAINING_MODULE"),
            "hosts": self.hosts,
            "hyperparameters": self.hyperparameters,
            "input_config_dir": paths.input_config,
            "input_data_config": self.channels,
            "input_dir": paths.input,
            "is_modelparallel_enabled": None,
            "is_smddpmprun_installed": False,
            "is_smddprun_installed": False,
            "job_name": os.environ.get("TRAINING_JOB_NAME"),
            "log_level": self.steering.get("sagemaker_container_log_level", 20),
            "model_dir": paths.model,
            "module_dir": self.module_dir,
            "module_name": module[:-3] if str(module).endswith(".py") else module,
            "network_interface_name": resources.get("network_interface_name", "eth0"),
            "num_cpus": machine.cpus(),
            "num_gpus": machine.gpus(),
            "num_neurons": machine.neurons(),
            "output_data_dir": paths.output_data,
            "output_dir": paths.output,
            "output_intermediate_dir": paths.output_intermediate,
            "resource_config": resources,
            "topology": resources.get("topology", []),
            "user_entry_point": entry,
        }
        values.update(self._groups())
        return values

    def _groups(self) -> dict[str, Any]:
        """Instance groups, and which of the hosts a distribution covers."""
        groups = self.resources.get("instance_groups") or []
        chosen = self.framework_parameters.get("sagemaker_distribution_instance_groups")
        if chosen is None:
            chosen = [self.group] if self.distribution() else []
        covered = [host for group in groups if group["instance_group_name"] in chosen for host in group["hosts"]]
        if not groups:
            covered = list(self.hosts)
        master = covered[0] if covered else self.hosts[0]
        mine = [group["hosts"] for group in groups if group["instance_group_name"] == self.group]
        return {
            "current_instance_group": self.group,
            "current_instance_group_hosts": mine[0] if mine else [],
            "distribution_hosts": covered,
            "distribution_instance_groups": chosen,
            "instance_groups": [group["instance_group_name"] for group in groups],
            "instance_groups_dict": {group["instance_group_name"]: group for group in groups},
            "is_hetero": len(groups) > 1,
            "is_master": self.current_host == master,
            "master_hostname": master,
        }


def encode(value: Any) -> str:
    """A variable's text: strings as they are, None empty, everything else compact JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _decode(value: Any) -> Any:
    """A hyperparameter's value: JSON where it parses, the raw text otherwise."""
    try:
        return json.loads(value)
    except (ValueError, TypeError):
        return value


def _read_object(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ClientError("%s is not valid JSON: %s" % (path, error)) from error
    if not isinstance(content, dict):
        raise ClientError("%s does not hold a JSON object" % path)
    return content
