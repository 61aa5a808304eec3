"""Terraform's AWS provider: apply, a second plan that must be empty, destroy; one check per resource and promise.

Only the resources of services that are served are aimed at. A copy of the suite names a real model archive where it has
a text that is none, since the endpoint really starts here. The provider comes from a folder on the machine; without
`terraform` or that folder the suite is skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conformance import places, target
from tests.conformance.checks import FAILED, PASSED, Check
from tests.conftest import Live

PLUGINS = Path(os.environ.get("SAGEWRIGHT_TERRAFORM_PLUGINS", "/usr/share/terraform/plugins"))
TARGETS = (
    "aws_iam_role.exec", "aws_iam_policy.s3", "aws_iam_role_policy_attachment.s3", "aws_iam_role_policy.inline",
    "aws_kms_key.k", "aws_kms_alias.k", "aws_s3_bucket.b", "aws_s3_bucket_versioning.b",
    "aws_s3_bucket_server_side_encryption_configuration.b", "aws_s3_bucket_policy.b", "aws_s3_object.model",
    "aws_ecr_repository.r", "aws_cloudwatch_log_group.lg", "aws_cloudwatch_metric_alarm.a",
    "aws_sagemaker_model.m", "aws_sagemaker_model.pipeline_model", "aws_sagemaker_endpoint_configuration.rt",
    "aws_sagemaker_endpoint_configuration.serverless", "aws_sagemaker_endpoint_configuration.shadow",
    "aws_sagemaker_endpoint.rt")


def resources(live: Live) -> list[Check]:
    """Each resource applies, is seen unchanged by the second plan, and is destroyed."""
    suite = places.shared("terraform")
    places.tool("terraform")
    if not PLUGINS.is_dir():
        raise places.Absent(f"{PLUGINS} with Terraform's AWS provider is not there (SAGEWRIGHT_TERRAFORM_PLUGINS)")
    work, report = live.data_dir.parent / "terraform", live.data_dir.parent / "terraform.json"
    script = _with_model(suite, live.data_dir.parent / "suite")
    command = [sys.executable, str(script), "--endpoint", live.url, "--work", str(work), "--plugins", str(PLUGINS),
               "--access-key", target.TEST[0], "--secret-key", target.TEST[1], "--json", str(report)]
    command += [part for name in TARGETS for part in ("--target", name)]
    done = subprocess.run(command, env={**os.environ, "TF_VAR_image_uri": target.IMAGE}, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=1200)
    if not report.exists():
        raise RuntimeError(f"Terraform did not finish: {done.stdout[-800:]}")
    found: dict[str, Any] = json.loads(report.read_text())
    return [check for name, result in sorted(found.items()) for check in _checks(name, result)]


def _with_model(suite: Path, copy: Path) -> Path:
    """The script of a copy of the suite whose model object is an archive that can be served."""
    shutil.copytree(suite, copy)
    (copy / "model.tar.gz").write_bytes(target.model_archive())
    resources = copy / "platform.tf"
    resources.write_text(resources.read_text().replace('content = "not really a tarball"',
                                                       f'source = "{copy / "model.tar.gz"}"'))
    return copy / "run.py"


def _checks(name: str, result: dict[str, Any]) -> list[Check]:
    applied = result["apply"] == "ok"
    drift, gone = result.get("drift", ""), result.get("destroy") == "ok"
    return [
        Check(f"{name} applies", PASSED if applied else FAILED, "" if applied else result["error"] or result["apply"]),
        Check(f"{name} is unchanged in the second plan", PASSED if applied and not drift else FAILED, drift),
        Check(f"{name} is destroyed", PASSED if gone else FAILED, result.get("destroy", "")),
    ]
