"""What the operation modules share: the group that a request names, and the part behind it."""

from __future__ import annotations

from typing import Any

from sagewright.aws.logs.part import Logs, missing_group
from sagewright.core import arns
from sagewright.core.call import Call
from sagewright.core.errors import AwsError
from sagewright.core.store import Row


def part(call: Call) -> Logs:
    """The server's logs."""
    return call.world.parts["logs"]


def bad(message: str) -> AwsError:
    """An InvalidParameterException."""
    return AwsError("InvalidParameterException", message)


def name_of(identifier: str) -> str:
    """The group's name in an ARN (with or without `:*`), or the name itself."""
    if not identifier.startswith("arn:"):
        return identifier
    try:
        resource = arns.parse(identifier).resource
    except ValueError:
        raise bad("The specified log group identifier is invalid.") from None
    kind, _, name = resource.partition(":")
    if kind != "log-group" or not name:
        raise bad("The specified log group identifier is invalid.")
    return name.removesuffix(":*")


def group_of(call: Call) -> Row:
    """The group that `logGroupName` or `logGroupIdentifier` names."""
    name, identifier = call.params.get("logGroupName"), call.params.get("logGroupIdentifier")
    if name is not None and identifier is not None:
        raise AwsError("ValidationException", "LogGroup name and LogGroup ARN are mutually exclusive parameters.")
    if name is None and identifier is None:
        raise bad("Either logGroupName or logGroupIdentifier must be specified.")
    row = part(call).group(call.account, call.region, name if name is not None else name_of(identifier or ""))
    if row is None:
        raise missing_group()
    return row


def described(row: Row, stored: int) -> dict[str, Any]:
    """A group as DescribeLogGroups shows it."""
    return {"deletionProtectionEnabled": False, **row.body, "arn": f"{row.arn}:*", "logGroupArn": row.arn,
            "storedBytes": stored, "metricFilterCount": len(row.work.get("metric_filters", ()))}
