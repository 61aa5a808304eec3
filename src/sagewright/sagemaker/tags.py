"""AddTags, ListTags, DeleteTags: written because they take any resource's ARN, whatever its noun."""

from __future__ import annotations

from typing import Any

from sagewright.core import paging
from sagewright.core.call import Call
from sagewright.core.errors import validation
from sagewright.core.service import Service

_MOST = 50


def add_tags(call: Call) -> dict[str, Any]:
    """Add or overwrite tags of a resource."""
    arn = _existing(call)
    keys = {tag["Key"] for tag in [*call.store.tags(arn), *call.params["Tags"]]}
    if len(keys) > _MOST:
        raise validation(f"The number of tags cannot exceed {_MOST}.")
    return {"Tags": call.store.tag(arn, call.params["Tags"])}


def list_tags(call: Call) -> dict[str, Any]:
    """A page of a resource's tags."""
    tags = call.store.tags(_existing(call))
    start = paging.decode(call.params["NextToken"], int)[0] if call.params.get("NextToken") else 0
    end = start + int(call.params.get("MaxResults") or _MOST)
    return {"Tags": tags[start:end], "NextToken": paging.encode(end, 0) if end < len(tags) else None}


def delete_tags(call: Call) -> dict[str, Any]:
    """Remove tags by key; keys that are not there are no error."""
    call.store.untag(_existing(call), call.params["TagKeys"])
    return {}


def _existing(call: Call) -> str:
    """The resource's own ARN; SDKs also make ARNs up from names, in the name's case where ours are lower-cased."""
    asked: str = call.params["ResourceArn"]
    row = call.store.by_arn(asked) or call.store.by_arn(asked.lower())
    if row is None or row.account != call.account:
        raise validation(f"Could not find resource {asked}.")
    return row.arn


SERVICE = Service("sagemaker", operations={"add_tags": add_tags, "list_tags": list_tags, "delete_tags": delete_tags})
