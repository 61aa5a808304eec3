"""Which entities use which managed policy, and what a policy says now.

Called by policies.py, attachments.py and simulate.py; calls records and managed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sagewright.aws.iam import managed, records
from sagewright.aws.iam.records import GROUP, ROLE, USER, Entity
from sagewright.core.call import Call
from sagewright.core.store import Row


def policy(call: Call, arn: str) -> Row | None:
    """The policy with that ARN, of the account or of AWS."""
    found = managed.find(arn)
    if found is None:
        found = call.store.by_arn(arn)
    return found if found is not None and found.kind == records.POLICY.kind \
        and found.account in ("aws", call.account) else None


def document(row: Row) -> str:
    """The default version's document."""
    return next(version["Document"] for version in row.work["versions"]
                if version["VersionId"] == row.body["DefaultVersionId"])


def boundary(row: Row) -> str:
    """The ARN of an entity's permissions boundary, or nothing."""
    return row.body.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")


def every(call: Call) -> Iterator[tuple[Entity, Row]]:
    """Every group, role and user of the account."""
    for entity in (GROUP, ROLE, USER):
        for row in records.entities(call, entity):
            yield entity, row


def counts(call: Call) -> tuple[Counter[str], Counter[str]]:
    """By policy ARN: how many entities it is attached to, and of how many it is the boundary."""
    attached: Counter[str] = Counter()
    boundaries: Counter[str] = Counter()
    for _, row in every(call):
        attached.update(row.work["attached"])
        if arn := boundary(row):
            boundaries[arn] += 1
    return attached, boundaries
