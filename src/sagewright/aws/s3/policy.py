"""Bucket policies: checked when put, evaluated (by `core.policy`), judged public or not. Pure functions.

Called by `access` and the policy operations.
"""

from __future__ import annotations

import fnmatch
import functools
import json
from collections.abc import Mapping
from typing import Any

from sagewright.aws.s3 import acl
from sagewright.core import policy, wildcards
from sagewright.core.call import Principal
from sagewright.core.errors import AwsError


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> dict[str, Any]:
    """The stored policy as a document (shared: do not change it)."""
    return dict(json.loads(text))


def check(text: str, bucket: str) -> dict[str, Any]:
    """Parse a policy that someone wants to put; AwsError MalformedPolicy where AWS would refuse it."""
    try:
        document = json.loads(text)
    except ValueError:
        raise _malformed("This policy contains invalid Json") from None
    if not isinstance(document, dict):
        raise _malformed("Policies must be valid JSON and the first byte must be '{'")
    if document.get("Version", "2008-10-17") not in ("2008-10-17", "2012-10-17"):
        raise _malformed("The policy must contain a valid version string")
    statements = _list(document.get("Statement"))
    if not statements or not all(isinstance(s, dict) for s in statements):
        raise _malformed("Missing required field Statement")
    for statement in statements:
        _check_statement(statement, bucket)
    return document


def _check_statement(statement: dict[str, Any], bucket: str) -> None:
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise _malformed("Invalid effect: " + str(statement["Effect"]) if "Effect" in statement else
                         "Missing required field Effect")
    if statement["Effect"] == "Allow" and "NotPrincipal" in statement:
        raise _malformed("Allow with NotPrincipal is not allowed.")
    if "Principal" not in statement and "NotPrincipal" not in statement:
        raise _malformed("Missing required field Principal")
    actions = _list(statement.get("Action", statement.get("NotAction")))
    if not actions:
        raise _malformed("Missing required field Action")
    if not all(isinstance(a, str) and (a == "*" or a.lower().startswith("s3:")) for a in actions):
        raise _malformed("Policy has invalid action")
    resources = _list(statement.get("Resource", statement.get("NotResource")))
    if not resources:
        raise _malformed("Missing required field Resource")
    for resource in resources:
        name = str(resource).split(":", 5)[-1].split("/", 1)[0] if str(resource).startswith("arn:") else ""
        if resource != "*" and not wildcards.matches(name, bucket):
            raise _malformed("Policy has invalid resource")


def _malformed(message: str) -> AwsError:
    return AwsError("MalformedPolicy", message)


def verdict(document: Mapping[str, Any], who: Principal, action: str, resource: str,
            context: Mapping[str, str]) -> str:
    """"deny", "allow" or "implicit" for that principal, action (`s3:GetObject`) and resource ARN."""
    names: dict[str, set[str]] = policy.names(who)
    if names:
        names = {**names, "CanonicalUser": {acl.canonical_id(who.account)}}
    return policy.evaluate(_list(document.get("Statement")), action, resource, context, names)


def is_public(document: Mapping[str, Any]) -> bool:
    """Whether some statement allows everyone, without a condition that AWS counts as narrowing."""
    return any(statement.get("Effect") == "Allow" and _everyone(statement) and not _narrows(statement)
               for statement in _list(document.get("Statement")))


def _everyone(statement: Mapping[str, Any]) -> bool:
    people = statement.get("Principal")
    return people == "*" or (isinstance(people, Mapping) and "*" in _list(people.get("AWS"))) \
        or "NotPrincipal" in statement


_NARROWING = {"aws:sourcearn", "aws:sourcevpc", "aws:sourcevpce", "aws:sourceowner", "aws:sourceaccount",
              "aws:principalorgid", "aws:principalarn", "aws:principalaccount", "aws:userid", "s3:dataaccesspointarn",
              "s3:dataaccesspointaccount", "s3:x-amz-server-side-encryption-aws-kms-key-id", "aws:sourceip"}


def _narrows(statement: Mapping[str, Any]) -> bool:
    for operator, keys in (statement.get("Condition") or {}).items():
        if operator.split(":", 1)[-1].startswith(("StringNot", "ArnNot", "NotIp", "Null")):
            continue
        for key, wanted in keys.items():
            values = [str(w) for w in _list(wanted)]
            if key.lower() in _NARROWING and not any(fnmatch.fnmatchcase("", v) or v.endswith("/0") for v in values):
                return True
    return False
