"""Object Lock: retention and legal holds, checked before a version is removed. Pure but for the clock.

Called by `meta` (defaults and headers of new objects), the delete operations and the lock operations.
"""

from __future__ import annotations

import time
from typing import Any

from sagewright.aws.s3.buckets import Bucket
from sagewright.aws.s3.conditions import epoch
from sagewright.aws.s3.versions import Version
from sagewright.core.call import Call
from sagewright.core.errors import AwsError

_DAY = 86400.0
_MODES = ("GOVERNANCE", "COMPLIANCE")


def _argument(message: str, name: str, value: str | None = None) -> AwsError:
    return AwsError("InvalidArgument", message, 400,
                    {"ArgumentName": name, **({} if value is None else {"ArgumentValue": value})})


def enabled(bucket: Bucket) -> bool:
    """Whether the bucket was made with Object Lock or has it since."""
    return bucket.settings.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled"


def require(bucket: Bucket) -> None:
    """InvalidRequest unless the bucket has Object Lock."""
    if not enabled(bucket):
        raise AwsError("InvalidRequest", "Bucket is missing Object Lock Configuration")


def of_request(call: Call, bucket: Bucket) -> dict[str, Any]:
    """The lock members of a new object: from the request, else from the bucket's default retention."""
    params = call.params
    mode, until = params.get("ObjectLockMode"), params.get("ObjectLockRetainUntilDate")
    hold = params.get("ObjectLockLegalHoldStatus")
    if mode or until or hold:
        require(bucket)
    if mode and mode not in _MODES:
        raise _argument("Unknown wormMode directive.", "x-amz-object-lock-mode", str(mode))
    if bool(mode) != bool(until):
        missing = "x-amz-object-lock-mode" if until else "x-amz-object-lock-retain-until-date"
        raise _argument("x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied", missing)
    found: dict[str, Any] = {}
    if mode:
        found = {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": future(call, until)}
    else:
        found = _default(call, bucket)
    if hold:
        found["ObjectLockLegalHoldStatus"] = hold
    return found


def _default(call: Call, bucket: Bucket) -> dict[str, Any]:
    retention = bucket.settings.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention")
    if not retention:
        return {}
    days = retention.get("Days") or 365 * retention.get("Years", 0)
    return {"ObjectLockMode": retention["Mode"], "ObjectLockRetainUntilDate": call.now + days * _DAY}


def future(call: Call, until: Any) -> float:
    """The retain-until date in seconds; InvalidArgument if it has passed."""
    at = epoch(until) or 0.0
    if at <= call.now:
        raise _argument("The retain until date must be in the future!", "RetainUntilDate",
                        time.strftime("%a %b %d %H:%M:%S UTC %Y", time.gmtime(at)))
    return at


def check_removal(call: Call, bucket: Bucket, found: Version) -> None:
    """AccessDenied for a version that is held, or retained and not bypassed."""
    meta = found.meta
    retained = meta.get("ObjectLockRetainUntilDate", 0.0) > call.now
    bypass = bool(call.params.get("BypassGovernanceRetention")) and meta.get("ObjectLockMode") == "GOVERNANCE"
    if meta.get("ObjectLockLegalHoldStatus") == "ON" or (retained and not bypass):
        raise AwsError("AccessDenied", "Access Denied because object protected by object lock.", 403)


def check_retention_change(call: Call, found: Version, mode: str | None, until: float) -> None:
    """AccessDenied for weakening a retention that still holds."""
    meta = found.meta
    before = meta.get("ObjectLockRetainUntilDate", 0.0)
    if before <= call.now:
        return
    weaker = until < before or (meta.get("ObjectLockMode") == "COMPLIANCE" and mode != "COMPLIANCE") or not mode
    changes_mode = mode != meta.get("ObjectLockMode")
    if not (weaker or changes_mode):
        return
    if meta.get("ObjectLockMode") == "COMPLIANCE" or not call.params.get("BypassGovernanceRetention"):
        raise AwsError("AccessDenied", "Access Denied because object protected by object lock.", 403)
