"""Operations on service-linked roles: roles that a service owns and only it may change. Called by dispatch."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

from sagewright.aws.iam import records
from sagewright.aws.iam.caller import identities
from sagewright.aws.iam.records import ROLE
from sagewright.core.call import Call
from sagewright.core.errors import AwsError

# Service principal (without .amazonaws.com) -> (role name after AWSServiceRoleFor, whether it takes a suffix)
_ROLES = {
    "sagemaker": ("AmazonSageMakerNotebooks", False),
    "sagemaker.application-autoscaling": ("ApplicationAutoScaling_SageMakerEndpoint", False),
    "custom-resource.application-autoscaling": ("ApplicationAutoScaling_CustomResource", False),
    "lambda.application-autoscaling": ("ApplicationAutoScaling_LambdaConcurrency", False),
    "ecs.application-autoscaling": ("ApplicationAutoScaling_ECSService", False),
    "autoscaling": ("AutoScaling", True),
    "batch": ("Batch", False),
    "ecs": ("ECS", False),
    "eks": ("AmazonEKS", False),
    "elasticbeanstalk": ("ElasticBeanstalk", False),
    "elasticfilesystem": ("AmazonElasticFileSystem", False),
    "elasticloadbalancing": ("ElasticLoadBalancing", False),
    "email.cognito-idp": ("AmazonCognitoIdpEmailService", False),
    "events": ("CloudWatchEvents", False),
    "fsx": ("AmazonFSx", False),
    "replication.ecr": ("ECRReplication", False),
    "spot": ("EC2Spot", False),
}
_TASK = re.compile(r"task/aws-service-role/[^/]+/([^/]+)/[0-9a-f-]{36}")


def create_service_linked_role(call: Call) -> dict[str, Any]:
    """The role of a service that is known to have one."""
    service, suffix = call.params["AWSServiceName"], call.params.get("CustomSuffix", "")
    known = _ROLES.get(service.removesuffix(".amazonaws.com"))
    if known is None or not service.endswith(".amazonaws.com"):
        raise AwsError("InvalidInput", f"{service} is not a service that has a service-linked role here.")
    if suffix and not known[1]:
        raise AwsError("InvalidInput", "Custom suffix is not allowed for " + service)
    name = f"AWSServiceRoleFor{known[0]}" + (f"_{suffix}" if suffix else "")
    if call.store.get(ROLE.kind, call.account, "", name) is not None:
        raise AwsError("InvalidInput", f"Service role name {name} has been taken in this account, please try a "
                                       "different suffix.")
    trust = {"Version": "2012-10-17", "Statement": [
        {"Action": ["sts:AssumeRole"], "Effect": "Allow", "Principal": {"Service": [service]}}]}
    members = {"AssumeRolePolicyDocument": json.dumps(trust), "MaxSessionDuration": 3600}
    if description := call.params.get("Description"):
        members["Description"] = description
    row = records.create(call, ROLE, name, members, path=f"/aws-service-role/{service}/")
    return {"Role": records.listed(row)}


def delete_service_linked_role(call: Call) -> dict[str, Any]:
    """Delete the role of a service; nothing here can still be using it, so it is gone at once."""
    row = records.find(call, ROLE, call.params["RoleName"])
    if not row.body["Path"].startswith("/aws-service-role/"):
        raise AwsError("InvalidInput", f"{row.name} is not a service-linked role.")
    records.remove(call, row)
    identities(call).withdraw(row.arn)
    return {"DeletionTaskId": f"task{row.body['Path']}{row.name}/{uuid.uuid4()}"}


def get_service_linked_role_deletion_status(call: Call) -> dict[str, Any]:
    """Whether the role that a task is about is gone."""
    task = _TASK.fullmatch(call.params["DeletionTaskId"])
    if task is None:
        raise records.missing(f"Deletion task {call.params['DeletionTaskId']} cannot be found.")
    there = call.store.get(ROLE.kind, call.account, "", task.group(1))
    return {"Status": "SUCCEEDED" if there is None else "NOT_STARTED"}
