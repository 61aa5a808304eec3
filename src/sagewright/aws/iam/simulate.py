"""SimulatePrincipalPolicy, SimulateCustomPolicy and the context keys that policies ask for. Called by dispatch.

Answers come from core/policy.py, the same code that decides real requests: nothing is assumed. SageMaker's SDK asks
here whether an execution role may do what a job needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sagewright.aws.iam import records, usage
from sagewright.aws.iam.records import GROUP, ROLE, USER
from sagewright.core import policy
from sagewright.core.call import Call, Principal
from sagewright.core.errors import AwsError
from sagewright.core.policy import ALLOW, DENY, Statement
from sagewright.core.store import Row

_WORDS = {ALLOW: "allowed", DENY: "explicitDeny", policy.IMPLICIT: "implicitDeny"}
_VARIABLE = re.compile(r"\$\{([^},]+)")


@dataclass(frozen=True)
class Source:
    """One policy that counts: its id and type as answered, and its statements."""

    id: str
    type: str
    statements: Sequence[Statement]


def simulate_principal_policy(call: Call) -> dict[str, Any]:
    """What the policies of a user, group or role allow."""
    row = _principal(call, call.params["PolicySourceArn"])
    sources = [*_of(call, row), *_given(call, "PolicyInputList")]
    boundary = _given(call, "PermissionsBoundaryPolicyInputList")
    if not boundary and (arn := usage.boundary(row)):
        boundary = _managed(call, [arn])
    return _simulate(call, sources, boundary, _context(call, row), call.params.get("CallerArn", row.arn))


def simulate_custom_policy(call: Call) -> dict[str, Any]:
    """What the given policies allow."""
    sources, boundary = _given(call, "PolicyInputList"), _given(call, "PermissionsBoundaryPolicyInputList")
    return _simulate(call, sources, boundary, _context(call, None), call.params.get("CallerArn", ""))


def get_context_keys_for_principal_policy(call: Call) -> dict[str, Any]:
    """The context keys in the policies of a user, group or role."""
    row = _principal(call, call.params["PolicySourceArn"])
    return _keys([*_of(call, row), *_given(call, "PolicyInputList")])


def get_context_keys_for_custom_policy(call: Call) -> dict[str, Any]:
    """The context keys in the given policies."""
    return _keys(_given(call, "PolicyInputList"))


# -- the simulation ------------------------------------------------------------------------------------------------
def _simulate(call: Call, sources: Sequence[Source], boundary: Sequence[Source], context: dict[str, Any],
              caller: str) -> dict[str, Any]:
    resource_policy = []
    if document := call.params.get("ResourcePolicy"):
        resource_policy = [Source("ResourcePolicy", "resource", _statements(document))]
    if any(":" not in action for action in call.params["ActionNames"]):
        raise AwsError("InvalidInput", "Invalid Entity: action names have the form service:action.")
    names = _names(caller)
    results = [_result(action, resource, sources, boundary, resource_policy, context, names)
               for action in call.params["ActionNames"] for resource in call.params.get("ResourceArns") or ["*"]]
    return records.paged(call, results, "EvaluationResults")


def _result(action: str, resource: str, sources: Sequence[Source], boundary: Sequence[Source],
            resource_policy: Sequence[Source], context: dict[str, Any], names: policy.Names) -> dict[str, Any]:
    identity, matched, missing = _decide(sources, action, resource, context)
    theirs, also, wanted = _decide(resource_policy, action, resource, context, names)
    limit = _decide(boundary, action, resource, context)[0] if boundary else ALLOW
    effect = policy.IMPLICIT
    if DENY in (identity, theirs, limit):
        effect = DENY
    elif theirs == ALLOW or (identity == ALLOW and limit == ALLOW):
        effect = ALLOW
    found: dict[str, Any] = {
        "EvalActionName": action, "EvalResourceName": resource, "EvalDecision": _WORDS[effect],
        "MatchedStatements": [{"SourcePolicyId": source.id, "SourcePolicyType": source.type}
                              for source in [*matched, *also]],
        "MissingContextValues": sorted(missing | wanted)}
    if boundary:
        found["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": limit == ALLOW}
    return found


def _decide(sources: Iterable[Source], action: str, resource: str, context: dict[str, Any],
            names: policy.Names | None = None) -> tuple[str, list[Source], set[str]]:
    """The effect of several policies together, which of them made it, and the context keys they wanted."""
    by_effect: dict[str, list[Source]] = {ALLOW: [], DENY: [], policy.IMPLICIT: []}
    missing: set[str] = set()
    for source in sources:
        decision = policy.decide(source.statements, action, resource, context, names)
        by_effect[decision.effect] += [source] * max(1, len(decision.matched))
        missing |= decision.missing
    effect = DENY if by_effect[DENY] else ALLOW if by_effect[ALLOW] else policy.IMPLICIT
    return effect, by_effect[effect] if effect != policy.IMPLICIT else [], missing


# -- which policies count ------------------------------------------------------------------------------------------
def _principal(call: Call, arn: str) -> Row:
    """The user, group or role with that ARN."""
    row = call.store.by_arn(arn)
    if row is not None and row.account == call.account and row.kind in (USER.kind, GROUP.kind, ROLE.kind):
        return row
    kind, _, name = arn.split(":", 5)[-1].partition("/")
    entity = {each.resource: each for each in (USER, GROUP, ROLE)}.get(kind)
    if entity is None:
        raise AwsError("InvalidInput", f"Invalid Entity Arn: {arn} does not clearly define entity type and name.")
    raise records.missing(entity.missing.format(name.rsplit("/", 1)[-1]))


def _of(call: Call, row: Row) -> list[Source]:
    """Inline and attached policies of an entity; a user also has those of its groups."""
    kind = row.kind.partition(":")[2].lower()
    found = [Source(f"{kind}_{row.name}_{name}", kind, _statements(document))
             for name, document in sorted(row.work["inline"].items())]
    found += _managed(call, row.work["attached"])
    for name in row.work.get("groups", ()):
        group = call.store.get(GROUP.kind, call.account, "", name)
        found += _of(call, group) if group is not None else []
    return found


def _managed(call: Call, arns: Iterable[str]) -> list[Source]:
    rows = (usage.policy(call, arn) for arn in arns)
    return [Source(row.name, "aws-managed" if row.account == "aws" else "user-managed",
                   _statements(usage.document(row))) for row in rows if row is not None]


def _given(call: Call, member: str) -> list[Source]:
    documents = call.params.get(member) or []
    return [Source(f"{member}.{n}", "none", _statements(document)) for n, document in enumerate(documents, 1)]


def _statements(document: str) -> list[Statement]:
    try:
        return policy.statements(document)
    except ValueError:
        raise AwsError("InvalidInput", "Invalid policy: syntax errors in policy.") from None


# -- context -------------------------------------------------------------------------------------------------------
def _context(call: Call, row: Row | None) -> dict[str, Any]:
    """What is known of the principal, and the request's ContextEntries over it."""
    context: dict[str, Any] = {}
    if row is not None:
        context = {"aws:PrincipalArn": row.arn, "aws:PrincipalAccount": row.account}
        if row.kind == USER.kind:
            context |= {"aws:username": row.name, "aws:userid": row.body["UserId"], "aws:PrincipalType": "User"}
        context |= {f"aws:PrincipalTag/{tag['Key']}": tag["Value"] for tag in call.store.tags(row.arn)}
    for entry in call.params.get("ContextEntries") or []:
        if "ContextKeyName" in entry:
            context[entry["ContextKeyName"]] = entry.get("ContextKeyValues") or []
    return context


def _names(caller: str) -> policy.Names:
    """The names of the simulated caller for the Principal element of a resource policy."""
    parts = caller.split(":", 5)
    return policy.names(Principal(parts[4], caller, "")) if len(parts) == 6 else {}


def _keys(sources: Iterable[Source]) -> dict[str, Any]:
    found: set[str] = set()
    for source in sources:
        for statement in source.statements:
            blocks = statement.get("Condition") or {}
            if isinstance(blocks, dict):
                found |= {key for keys in blocks.values() if isinstance(keys, dict) for key in keys}
            found |= {name.strip() for name in _VARIABLE.findall(str(statement.get("Resource", "")))}
    return {"ContextKeyNames": sorted(found - {"*", "?", "$"})}
