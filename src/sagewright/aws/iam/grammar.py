"""The wording of policy documents: what IAM refuses to store, and in which words.

`check` judges policies of users, groups and roles, `check_trust` those of who may assume a role. Called by this room's
operations; calls core/conditions.py for the operators. What a stored document means is core/policy.py's business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sagewright.core import conditions
from sagewright.core.conditions import as_list
from sagewright.core.errors import AwsError

_SYNTAX = "Syntax errors in policy."
_LEGACY = "The policy failed legacy parsing"
_VERSION = "Policy document must be version 2012-10-17 or greater."
_COMMON = {"Sid", "Effect", "Action", "NotAction", "Condition"}
_PARTITION = re.compile(r"\*|aws(-[a-z-]+)?")
_VENDOR = re.compile(r"[A-Za-z0-9.*?-]+")
_IAM_PATHS = ("user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "server-certificate/",
              "policy/", "sms-mfa/", "saml-provider/", "oidc-provider/", "report/", "access-report/")
_TRUST_ACTIONS = {"sts:assumerole", "sts:assumerolewithsaml", "sts:assumerolewithwebidentity", "sts:tagsession",
                  "sts:setsourceidentity", "sts:setcontext", "sts:*", "*"}
_PRINCIPAL = re.compile(r"\*|\d{12}|arn:aws[a-z-]*:(iam|sts)::\d{12}:.+|A[A-Z]{3}[A-Z0-9]{12,}")


def malformed(message: str) -> AwsError:
    """MalformedPolicyDocument with this message."""
    return AwsError("MalformedPolicyDocument", message)


def check(document: str) -> None:
    """Refuse a policy that IAM would not attach to an identity."""
    policy = _syntax(document, {*_COMMON, "Resource", "NotResource"}, _SYNTAX)
    if policy.get("Version") != "2012-10-17":
        raise malformed(_VERSION)
    statements = as_list(policy["Statement"])
    if not all(_parses(statement) for statement in statements):
        raise malformed(_LEGACY)
    sids = [statement["Sid"] for statement in statements if statement.get("Sid")]
    if len(set(sids)) != len(sids):
        raise malformed("Statement IDs (SID) in a single policy must be unique.")
    if not all(_actions(statement) for statement in statements):
        raise malformed("Policy statement must contain actions.")
    for statement in statements:
        for resource in _resources(statement):
            _check_resource(resource)
    for statement in statements:
        for action in _actions(statement):
            _check_action(action)
    if not all(_resources(statement) for statement in statements):
        raise malformed("Policy statement must contain resources.")


def check_trust(document: str) -> None:
    """Refuse a trust policy that IAM would not give to a role."""
    invalid_json = "This policy contains invalid Json"
    policy = _syntax(document, {*_COMMON, "Principal", "NotPrincipal", "Resource", "NotResource"}, invalid_json)
    for statement in as_list(policy["Statement"]):
        for member in ("Resource", "NotResource"):
            if member in statement:
                raise malformed(f"Has prohibited field {member}.")
        if "Principal" not in statement:
            raise malformed("Missing required field Principal" if "NotPrincipal" not in statement
                            else "AssumeRolepolicy contains an invalid principal: \"NOTPRINCIPAL\".")
        if not _actions(statement):
            raise malformed("Missing required field Action")
        if not all(action.lower() in _TRUST_ACTIONS for action in _actions(statement)):
            raise malformed("Trust Policy statement actions can only be sts:AssumeRole, sts:AssumeRoleWithSAML,  and "
                            "sts:AssumeRoleWithWebIdentity")
        _check_principal(statement["Principal"])


# -- syntax --------------------------------------------------------------------------------------------------------
def _syntax(document: str, members: set[str], not_json: str) -> dict[str, Any]:
    """The document as a dict of the right types."""
    try:
        policy = json.loads(document)
    except (ValueError, RecursionError):
        raise malformed(not_json) from None
    if not isinstance(policy, dict) or not set(policy) <= {"Version", "Id", "Statement"}:
        raise malformed(_SYNTAX)
    if policy.get("Version", "2008-10-17") not in ("2008-10-17", "2012-10-17"):
        raise malformed(_SYNTAX)
    if not isinstance(policy.get("Id", ""), str):
        raise malformed(_SYNTAX)
    statements = policy.get("Statement")
    if not statements or not isinstance(statements, (dict, list)):
        raise malformed(_SYNTAX)
    if any(not isinstance(each, dict) for each in as_list(statements)):
        raise malformed(_SYNTAX)
    for statement in as_list(statements):
        if "Principal" in statement and "Principal" not in members:
            raise malformed("Policy document should not specify a principal.")
        if not _well_formed(statement, members):
            raise malformed(_SYNTAX)
    return policy


def _well_formed(statement: dict[str, Any], members: set[str]) -> bool:
    if not set(statement) <= members or not isinstance(statement.get("Sid", ""), str):
        return False
    effect = statement.get("Effect")
    if not isinstance(effect, str) or effect.lower() not in ("allow", "deny"):
        return False
    for pair in (("Action", "NotAction"), ("Resource", "NotResource"), ("Principal", "NotPrincipal")):
        if all(member in statement for member in pair):
            return False
    lists = (statement.get(member, "") for member in ("Action", "NotAction", "Resource", "NotResource"))
    return all(_strings(value) for value in lists) and _conditions(statement.get("Condition", {}))


def _strings(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(each, str) for each in value))


def _conditions(block: Any) -> bool:
    return isinstance(block, dict) and all(
        isinstance(keys, dict) and (not keys or conditions.is_operator(name))
        and all(_scalars(value) for value in keys.values())
        for name, keys in block.items())


def _scalars(value: Any) -> bool:
    return all(isinstance(each, (str, int, float)) for each in (value if isinstance(value, list) else [value]))


# -- what the older parser refuses ---------------------------------------------------------------------------------
def _parses(statement: dict[str, Any]) -> bool:
    if statement["Effect"] not in ("Allow", "Deny"):
        return False
    if not all(_is_date(value) for value in _dates(statement.get("Condition", {}))):
        return False
    return all(_has_arn_parts(resource) for resource in _resources(statement))


def _dates(block: dict[str, Any]) -> Iterator[str]:
    for name, keys in block.items():
        if name.lower().split(":")[-1].startswith("date"):
            for value in keys.values():
                yield from (str(each) for each in as_list(value))


def _is_date(text: str) -> bool:
    if re.fullmatch(r"-?\d+", text):
        return len(text) < 20 and -2**63 <= int(text) < 2**63
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _has_arn_parts(resource: str) -> bool:
    parts = resource.split(":")
    return not resource.startswith("arn:aws:") or len(parts) == 3 or (len(parts) >= 6 and parts[2] != "")


# -- actions, resources, principals --------------------------------------------------------------------------------
def _actions(statement: dict[str, Any]) -> list[str]:
    return as_list(statement.get("Action", statement.get("NotAction", [])))


def _resources(statement: dict[str, Any]) -> list[str]:
    return as_list(statement.get("Resource", statement.get("NotResource", [])))


def _check_action(action: str) -> None:
    if action == "*":
        return
    vendor, colon, name = action.partition(":")
    if not colon:
        raise malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
    if ":" in name:
        raise malformed("Actions/Condition can contain only one colon.")
    if not _VENDOR.fullmatch(vendor):
        raise malformed(f"Vendor {vendor} is not valid")


def _check_resource(resource: str) -> None:
    if resource == "*":
        return
    parts = resource.split(":", 5)
    if len(parts) < 2:
        raise malformed(f'Resource {resource} must be in ARN format or "*".')
    if not _PARTITION.fullmatch(parts[1]):
        padded = ":".join(["arn", *parts[1:], *["*"] * (6 - len(parts))])
        raise malformed(f'Partition "{parts[1]}" is not valid for resource "{padded}".')
    if len(parts) < 3 or "*" in parts[2] or "?" in parts[2]:
        raise malformed("Resource vendor must be fully qualified and cannot contain regexes.")
    region, account, name = (parts + ["", "", ""])[3:6]
    if parts[2] == "iam":
        if region:
            raise malformed(f"IAM resource {resource} cannot contain region information.")
        if not name.startswith(("*", *_IAM_PATHS)):
            raise malformed(f'IAM resource path must either be "*" or start with {", ".join(_IAM_PATHS)}.')
    if parts[2] == "s3" and region and not account:
        raise malformed(f"Resource {resource} can not contain region information.")


def _check_principal(element: Any) -> None:
    if element == "*":
        return
    if not isinstance(element, dict) or not element or not all(_strings(value) for value in element.values()):
        raise malformed(_SYNTAX)
    for kind, wanted in element.items():
        if kind not in ("AWS", "Service", "Federated", "CanonicalUser"):
            raise malformed(_SYNTAX)
        for name in as_list(wanted):
            if (kind == "AWS" and not _PRINCIPAL.fullmatch(name)) or not name:
                raise malformed(f'Invalid principal in policy: "{kind.upper()}":"{name}"')
