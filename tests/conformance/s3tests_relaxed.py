"""pytest plugin for ceph/s3-tests: new buckets as they were before April 2023, when AWS turned ACLs and public access
off.

The suite creates buckets with public ACLs and puts public policies at once, which AWS (and we) refuse by default. With
`-p s3tests_relaxed` every CreateBucket asks for ObjectWriter ownership, and what the suite meant by its ACL is put
after the public access block is gone: what a user does who wants the old ways. The tests then reach the code behind.
"""

from __future__ import annotations

from typing import Any

import botocore.client

_call = botocore.client.BaseClient._make_api_call
_ACLS = ("ACL", "GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite", "GrantWriteACP")


def _relaxed(self: Any, operation: str, params: dict[str, Any]) -> Any:
    if operation != "CreateBucket":
        return _call(self, operation, params)
    acl = {name: params[name] for name in _ACLS if name in params}
    plain = {name: value for name, value in params.items() if name not in _ACLS}
    answer = _call(self, operation, {"ObjectOwnership": "ObjectWriter", **plain})
    _call(self, "DeletePublicAccessBlock", {"Bucket": params["Bucket"]})
    if acl:
        _call(self, "PutBucketAcl", {"Bucket": params["Bucket"], **acl})
    return answer


botocore.client.BaseClient._make_api_call = _relaxed
