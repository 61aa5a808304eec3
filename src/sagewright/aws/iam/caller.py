"""The caller of an IAM operation: which user a request without UserName means, and the identities to tell of changes.

Called by this room's operations.
"""

from __future__ import annotations

from sagewright.aws.iam import records
from sagewright.aws.iam.identities import Identities
from sagewright.core.call import Call


def identities(call: Call) -> Identities:
    """The identities that `accounts.boot` published."""
    return call.world.parts["identities"]


def named_user(call: Call) -> str:
    """The request's UserName, or the name of the user who signed it."""
    if name := call.params.get("UserName"):
        return name
    kind, _, name = call.principal.arn.split(":", 5)[-1].partition("/")
    if kind != "user":
        raise records.invalid("Must specify userName when calling with non-User credentials")
    return name.rsplit("/", 1)[-1]
