"""The IAM policy language as a pure function: statements and a request in, a decision out.

Called by STS (trust policies), S3 (bucket policies), IAM (SimulatePrincipalPolicy) and, later, the gateway's authorize
step; calls core/conditions.py and core/wildcards.py. It reads documents; `aws/iam/grammar.py` judges their wording.

An explicit Deny wins over every Allow; what nothing allows is denied implicitly. A condition that cannot be evaluated
fails closed: its Allow does not apply, its Deny does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sagewright.core import conditions, wildcards
from sagewright.core.call import Principal

Statement = Mapping[str, Any]
Names = Mapping[str, Iterable[str]]

ALLOW, DENY, IMPLICIT = "allow", "deny", "implicit"


@dataclass(frozen=True)
class Decision:
    """The effect ("allow", "deny" or "implicit"), the statements that made it, and the context keys that were wanted
    but not given."""

    effect: str
    matched: tuple[int, ...] = ()
    missing: frozenset[str] = field(default_factory=frozenset)


def statements(document: str | Mapping[str, Any]) -> list[Statement]:
    """The statements of a policy document; ValueError if it is not one."""
    try:
        policy = json.loads(document) if isinstance(document, str) else document
    except RecursionError:
        raise ValueError("nested too deeply") from None
    found = conditions.as_list(policy.get("Statement", [])) if isinstance(policy, Mapping) else None
    if found is None or not all(isinstance(statement, Mapping) for statement in found):
        raise ValueError("not a policy document")
    return found


def names(principal: Principal) -> dict[str, set[str]]:
    """Every name under which a policy's Principal element may mean this principal."""
    if principal.account == "anonymous":
        return {}
    partition = principal.arn.split(":")[1]
    root = f"arn:{partition}:iam::{principal.account}:root"
    return {"AWS": {principal.arn, principal.policy_arn or principal.arn, principal.account, root,
                    principal.user_id.split(":")[0]}}


def service(name: str) -> dict[str, set[str]]:
    """The names of a service principal such as sagemaker.amazonaws.com."""
    return {"Service": {name}}


def evaluate(policy: Iterable[Statement], action: str, resource: str, context: Mapping[str, Any],
             principal: Names | None = None) -> str:
    """"allow", "deny" or "implicit"; `principal` (see `names`) where the policy belongs to a resource or a role."""
    return decide(policy, action, resource, context, principal).effect


def decide(policy: Iterable[Statement], action: str, resource: str, context: Mapping[str, Any],
           principal: Names | None = None) -> Decision:
    """The decision and what it rests on."""
    lowered = {key.lower(): value for key, value in context.items()}
    missing: set[str] = set()
    matched: dict[str, list[int]] = {"Allow": [], "Deny": []}
    for index, statement in enumerate(policy):
        effect = statement.get("Effect", "")
        if effect in matched and _applies(statement, action, resource, lowered, principal, missing):
            matched[effect].append(index)
    if matched["Deny"]:
        return Decision(DENY, tuple(matched["Deny"]), frozenset(missing))
    if matched["Allow"]:
        return Decision(ALLOW, tuple(matched["Allow"]), frozenset(missing))
    return Decision(IMPLICIT, (), frozenset(missing))


def _applies(statement: Statement, action: str, resource: str, context: Mapping[str, Any],
             principal: Names | None, missing: set[str]) -> bool:
    if principal is not None and not _means(statement, principal):
        return False
    if not _covers_action(statement, action) or not _covers_resource(statement, resource, context):
        return False
    try:
        return conditions.hold(statement.get("Condition") or {}, context, missing)
    except (conditions.Unanswerable, AttributeError, TypeError):
        return statement.get("Effect") == "Deny"


def _covers_action(statement: Statement, action: str) -> bool:
    negated = "NotAction" in statement
    wanted = conditions.as_list(statement.get("NotAction" if negated else "Action", []))
    return _fits((str(each).lower() for each in wanted), action.lower()) != negated


def _covers_resource(statement: Statement, resource: str, context: Mapping[str, Any]) -> bool:
    negated = "NotResource" in statement
    wanted = statement.get("NotResource" if negated else "Resource")
    if wanted is None:
        return True  # trust policies have no resource: they belong to one
    filled = (conditions.fill(str(each), context) for each in conditions.as_list(wanted))
    return _fits((each for each in filled if each is not None), resource) != negated


def _fits(patterns: Iterable[str], text: str) -> bool:
    return any(wildcards.matches(pattern, text) for pattern in patterns)


def _means(statement: Statement, principal: Names) -> bool:
    if "NotPrincipal" in statement:
        return not _named(statement["NotPrincipal"], principal)
    return _named(statement.get("Principal", {}), principal)


def _named(element: Any, principal: Names) -> bool:
    """Whether a Principal element names this principal."""
    if element == "*":
        return True
    if not isinstance(element, Mapping):
        return False
    for kind, wanted in element.items():
        known = set(principal.get(kind, ()))
        for name in conditions.as_list(wanted):
            if name in known or (name == "*" and kind == "AWS"):
                return True
    return False
