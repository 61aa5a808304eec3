"""Operations on repositories, their policies and tags, and on the registry. Called by dispatch; calls records."""

from __future__ import annotations

import base64
import json
from typing import Any

from sagewright.aws.ecr import records, tokens
from sagewright.aws.ecr.records import REPOSITORY
from sagewright.core import policy
from sagewright.core.call import Call
from sagewright.core.conditions import as_list
from sagewright.core.errors import AwsError, Conflict
from sagewright.core.store import Page, Row

_REGISTRY = "ecr:RegistryPolicy"
_REGISTRY_ACTIONS = {"ecr:*", "ecr:ReplicateImage", "ecr:BatchImportUpstreamImage", "ecr:CreateRepository"}
_MAX_TAGS = 50


def create_repository(call: Call) -> dict[str, Any]:
    """An empty repository."""
    name, ask = call.params["repositoryName"], call.params
    if records.registry(call) != call.account:
        raise records.invalid("Invalid parameter at 'registryId' failed to satisfy constraint: 'Cannot create a "
                              "repository in another registry'")
    arn = f"arn:{call.world.config.partition}:ecr:{call.region}:{call.account}:repository/{name}"
    body = {"repositoryArn": arn, "registryId": call.account, "repositoryName": name,
            "repositoryUri": f"{call.account}.dkr.ecr.{call.region}.amazonaws.com/{name}", "createdAt": call.now,
            "imageTagMutability": ask.get("imageTagMutability", "MUTABLE"),
            "imageScanningConfiguration": {"scanOnPush": False, **(ask.get("imageScanningConfiguration") or {})},
            "encryptionConfiguration": _encryption(call)}
    if filters := ask.get("imageTagMutabilityExclusionFilters"):
        body["imageTagMutabilityExclusionFilters"] = filters
    try:
        row = call.store.insert(Row(REPOSITORY, call.account, call.region, name, arn, body, work={"tags": {}}),
                                _checked_tags(ask.get("tags") or []))
    except Conflict:
        raise AwsError("RepositoryAlreadyExistsException", f"The repository with name '{name}' already exists in the "
                                                           f"registry with id '{call.account}'") from None
    return {"repository": row.body}


def describe_repositories(call: Call) -> dict[str, Any]:
    """Repositories of the account and region, or those that are named."""
    if names := call.params.get("repositoryNames"):
        return {"repositories": [records.find(call, name).body for name in names]}
    if records.registry(call) != call.account:
        return {"repositories": []}
    rows = call.store.page(Page(REPOSITORY, call.account, call.region, limit=100_000, sort="name"))
    return records.paged(call, [row.body for row in rows], "repositories")


def delete_repository(call: Call) -> dict[str, Any]:
    """Delete a repository that is empty, or with its images if forced."""
    row = records.find(call)
    images = records.images(call, row)
    if images and not call.params.get("force"):
        raise AwsError("RepositoryNotEmptyException", f"The repository with name '{row.name}' in registry with id "
                       f"'{call.account}' cannot be deleted because it still contains images")
    for image in images:
        records.remove(call, image)
    records.remove(call, row)
    return {"repository": row.body}


def put_image_tag_mutability(call: Call) -> dict[str, Any]:
    """Whether a tag may be moved to another image."""
    changed: dict[str, Any] = {"imageTagMutability": call.params["imageTagMutability"]}
    changed["imageTagMutabilityExclusionFilters"] = call.params.get("imageTagMutabilityExclusionFilters") or None
    row = records.change(call, records.find(call), lambda row: row.with_(body=changed))
    return _named(call, row) | {member: value for member, value in changed.items() if value}


def put_image_scanning_configuration(call: Call) -> dict[str, Any]:
    """Record whether images are to be scanned."""
    wanted = {"scanOnPush": False, **call.params["imageScanningConfiguration"]}
    row = records.change(call, records.find(call), lambda row: row.with_(body={"imageScanningConfiguration": wanted}))
    return _named(call, row) | {"imageScanningConfiguration": wanted}


# -- policies ------------------------------------------------------------------------------------------------------
def set_repository_policy(call: Call) -> dict[str, Any]:
    """Write the policy of a repository."""
    text = _judged(call.params["policyText"], "repository")
    row = records.change(call, records.find(call), lambda row: row.with_(work={"policy": text}))
    return _named(call, row) | {"policyText": text}


def get_repository_policy(call: Call) -> dict[str, Any]:
    """The policy of a repository."""
    row = records.find(call)
    if "policy" not in row.work:
        raise _no_policy("RepositoryPolicyNotFoundException", "Repository", row)
    return _named(call, row) | {"policyText": row.work["policy"]}


def delete_repository_policy(call: Call) -> dict[str, Any]:
    """Remove the policy of a repository."""
    answer = get_repository_policy(call)
    records.change(call, records.find(call), lambda row: row.with_(work={"policy": None}))
    return answer


def put_lifecycle_policy(call: Call) -> dict[str, Any]:
    """Record which images may go; nothing removes them yet."""
    text = _judged_lifecycle(call.params["lifecyclePolicyText"])
    row = records.change(call, records.find(call), lambda row: row.with_(work={"lifecycle": text}))
    return _named(call, row) | {"lifecyclePolicyText": text}


def get_lifecycle_policy(call: Call) -> dict[str, Any]:
    """The lifecycle policy of a repository."""
    row = records.find(call)
    if "lifecycle" not in row.work:
        raise _no_policy("LifecyclePolicyNotFoundException", "Lifecycle", row)
    return _named(call, row) | {"lifecyclePolicyText": row.work["lifecycle"]}


def delete_lifecycle_policy(call: Call) -> dict[str, Any]:
    """Remove the lifecycle policy of a repository."""
    answer = get_lifecycle_policy(call)
    records.change(call, records.find(call), lambda row: row.with_(work={"lifecycle": None}))
    return answer


# -- registry ------------------------------------------------------------------------------------------------------
def get_authorization_token(call: Call) -> dict[str, Any]:
    """A password for `docker login`, good for twelve hours."""
    password, expires = tokens.issue(call.world, call.principal)
    token = base64.b64encode(f"AWS:{password}".encode()).decode()
    return {"authorizationData": [
        {"authorizationToken": token, "expiresAt": expires,
         "proxyEndpoint": f"https://{account}.dkr.ecr.{call.region}.amazonaws.com"}
        for account in call.params.get("registryIds") or [call.account]]}


def describe_registry(call: Call) -> dict[str, Any]:
    """The registry; it replicates nowhere."""
    return {"registryId": call.account, "replicationConfiguration": {"rules": []}}


def put_registry_policy(call: Call) -> dict[str, Any]:
    """Write the registry's policy."""
    text = _judged(call.params["policyText"], "registry")
    actions = (action for each in policy.statements(text) for action in as_list(each.get("Action", "*")))
    if not all(isinstance(action, str) and action in _REGISTRY_ACTIONS for action in actions):
        raise records.invalid("Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid registry "
                              "policy provided'")
    row = call.store.get(_REGISTRY, call.account, call.region, "policy")
    arn = f"arn:{call.world.config.partition}:ecr:{call.region}:{call.account}:registry-policy"
    try:
        if row is None:
            call.store.insert(Row(_REGISTRY, call.account, call.region, "policy", arn, {"policyText": text}))
        else:
            call.store.update(row.with_(body={"policyText": text}))
    except Conflict:
        raise AwsError("ServerException", "The registry policy is being changed by others.", 500) from None
    return {"registryId": call.account, "policyText": text}


def get_registry_policy(call: Call) -> dict[str, Any]:
    """The registry's policy."""
    return {"registryId": call.account, **_registry_policy(call).body}


def delete_registry_policy(call: Call) -> dict[str, Any]:
    """Remove the registry's policy."""
    row = _registry_policy(call)
    records.remove(call, row)
    return {"registryId": call.account, **row.body}


# -- tags ----------------------------------------------------------------------------------------------------------
def tag_resource(call: Call) -> dict[str, Any]:
    """Add or overwrite tags of a repository."""
    row, wanted = records.by_arn(call), _checked_tags(call.params["tags"])
    if len({tag["Key"] for tag in [*call.store.tags(row.arn), *wanted]}) > _MAX_TAGS:
        raise AwsError("TooManyTagsException", f"Too many tags: a repository has {_MAX_TAGS} at most")
    call.store.tag(row.arn, wanted)
    return {}


def untag_resource(call: Call) -> dict[str, Any]:
    """Remove tags of a repository."""
    call.store.untag(records.by_arn(call).arn, call.params["tagKeys"])
    return {}


def list_tags_for_resource(call: Call) -> dict[str, Any]:
    """Tags of a repository."""
    return {"tags": call.store.tags(records.by_arn(call).arn)}


# -- shared --------------------------------------------------------------------------------------------------------
def _named(call: Call, row: Row) -> dict[str, Any]:
    return {"registryId": call.account, "repositoryName": row.name}


def _encryption(call: Call) -> dict[str, Any]:
    """The encryption settings; KMS without a key means the registry's own."""
    wanted = dict(call.params.get("encryptionConfiguration") or {"encryptionType": "AES256"})
    if wanted["encryptionType"] != "AES256" and "kmsKey" not in wanted and call.world.aws is not None:
        kms = call.world.aws.as_root(call.account, call.region)
        wanted["kmsKey"] = kms.call("kms", "DescribeKey", KeyId="alias/aws/ecr")["KeyMetadata"]["Arn"]
    return wanted


def _judged(text: str, what: str) -> str:
    try:
        found = policy.statements(text)
    except ValueError:
        found = []
    if not found or not all("Effect" in each and ("Action" in each or "NotAction" in each) for each in found):
        raise records.invalid(f"Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid {what} policy "
                              "provided'")
    return text


def _judged_lifecycle(text: str) -> str:
    """The lifecycle policy, whose rules have priority, selection and action."""
    try:
        rules = json.loads(text)["rules"]
        good = isinstance(rules, list) and rules and all(
            isinstance(rule["rulePriority"], int) and rule["action"]["type"] in ("expire", "transition")
            and rule["selection"]["tagStatus"] in ("tagged", "untagged", "any")
            and isinstance(rule["selection"]["countNumber"], int) and rule["selection"]["countType"]
            for rule in rules)
    except (ValueError, KeyError, TypeError, RecursionError):
        good = False
    if not good:
        raise records.invalid("Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle "
                              "policy validation failure: every rule needs rulePriority, selection and action'")
    return text


def _no_policy(code: str, what: str, row: Row) -> AwsError:
    return AwsError(code, f"{what} policy does not exist for the repository with name '{row.name}' in the registry "
                          f"with id '{row.account}'")


def _registry_policy(call: Call) -> Row:
    row = call.store.get(_REGISTRY, call.account, call.region, "policy")
    if row is None:
        raise AwsError("RegistryPolicyNotFoundException", f"Registry policy does not exist in the registry with id "
                                                          f"'{call.account}'")
    return row


def _checked_tags(tags: list[dict[str, str]]) -> list[dict[str, str]]:
    if any(tag["Key"].lower().startswith("aws:") for tag in tags):
        raise AwsError("InvalidTagParameterException", "Tag keys that start with aws: are reserved for AWS use.")
    return list(tags)


