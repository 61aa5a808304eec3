"""DeleteObject and DeleteObjects: hand-written because deleting in a versioned bucket adds a marker instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from sagewright.aws.s3 import access, buckets, changes, conditions, lock, versions
from sagewright.aws.s3.buckets import Bucket
from sagewright.aws.s3.versions import Version
from sagewright.core.call import Call
from sagewright.core.errors import AwsError

_LIMIT = 1000


def delete_object(call: Call) -> dict[str, Any]:
    """Delete a key (adding a marker under versioning) or one version for good."""
    params = call.params
    bucket = buckets.find(call)
    _refuse(call, bucket)
    removal = _removal(call, bucket, params["Key"], str(params.get("VersionId") or ""), params)
    return removal.told(changes.commit(call, removal.run))


def _refuse(call: Call, bucket: Bucket) -> None:
    for member, header in (("IfMatchLastModifiedTime", "x-amz-if-match-last-modified-time"),
                           ("IfMatchSize", "x-amz-if-match-size")):
        if call.params.get(member) is not None:
            raise AwsError("NotImplemented", "A header you provided implies functionality that is not implemented",
                           501, {"Header": header})
    if call.params.get("BypassGovernanceRetention") and not lock.enabled(bucket):
        raise AwsError("InvalidArgument", "x-amz-bypass-governance-retention is only applicable to Object Lock enabled "
                       "buckets.", 400, {"ArgumentName": "x-amz-bypass-governance-retention"})


@dataclass(frozen=True)
class _Removal:
    """One key or version to delete, already authorised; `run` does it inside a transaction."""

    call: Call
    bucket: Bucket
    key: bytes
    version: str
    terms: Mapping[str, Any]

    def run(self, tx: sa.Connection) -> tuple[Version | None, list[str]]:
        """What was removed or the marker that was added (None: nothing was there), and the blobs now unused."""
        versions.lock(tx, self.bucket, self.key)
        newest = versions.find(tx, self.bucket, self.key, self.version, data=False)
        _check(self.terms, self.key, newest)
        if self.version or not self.bucket.versioning:
            if newest is None:
                return None, []
            lock.check_removal(self.call, self.bucket, newest)
            return newest, versions.remove(tx, self.bucket, newest)
        account = self.call.principal.account
        owner = {} if account in (self.bucket.account, "anonymous") else {"Owner": account}
        marker = Version(self.bucket.id, self.key, 0, "", float(int(self.call.now)), owner, marker=True)
        return versions.put(tx, self.bucket, marker)

    def told(self, result: Version | None) -> dict[str, Any]:
        """The answer of DeleteObject, once committed; also tells the event hook."""
        if result is not None:
            added = not self.version and bool(self.bucket.versioning)
            event = "ObjectRemoved:DeleteMarkerCreated" if added else "ObjectRemoved:Delete"
            changes.notify(self.call, self.bucket, event, result)
        if self.version:
            return {"VersionId": self.version, **({"DeleteMarker": True} if result and result.marker else {})}
        if result is not None and self.bucket.versioning:
            return {"VersionId": result.version, "DeleteMarker": True}
        return {}


def _removal(call: Call, bucket: Bucket, key: str, version: str, terms: Mapping[str, Any]) -> _Removal:
    raw = versions.key_bytes(key)
    access.require(call, bucket, "s3:DeleteObjectVersion" if version else "s3:DeleteObject", key)
    if version:
        versions.check_version_id(version)
    return _Removal(call, bucket, raw, version, terms)


def _check(terms: Mapping[str, Any], key: bytes, current: Version | None) -> None:
    wanted = terms.get("IfMatch", terms.get("ETag"))
    if wanted is None:
        return
    if current is None or current.marker:
        raise versions.no_such_key(key)
    if not conditions.matches(str(wanted), current.etag):
        raise conditions.failed("If-Match")


def delete_objects(call: Call) -> dict[str, Any]:
    """Delete up to 1,000 keys or versions; each has its own result."""
    bucket = buckets.find(call)
    request = call.params.get("Delete") or {}
    items = request.get("Objects") or []
    if not items or len(items) > _LIMIT:
        raise AwsError("MalformedXML", "The XML you provided was not well-formed or did not validate against our "
                       "published schema")
    removals = [_admitted(call, bucket, item) for item in items]
    results = _run_all(call, removals)
    deleted: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for item, removal, result in zip(items, removals, results):
        version = str(item.get("VersionId") or "")
        named = {"Key": item["Key"], **({"VersionId": version} if version else {})}
        if isinstance(result, AwsError) or isinstance(removal, AwsError):
            refused = removal if isinstance(removal, AwsError) else result
            assert isinstance(refused, AwsError)
            errors.append({**named, "Code": refused.code, "Message": refused.message})
            continue
        done = removal.told(result)
        if done.get("DeleteMarker"):
            named |= {"DeleteMarker": True, "DeleteMarkerVersionId": done["VersionId"]}
        deleted.append(named)
    answer: dict[str, Any] = {}
    if deleted and not request.get("Quiet"):
        answer["Deleted"] = deleted
    if errors:
        answer["Errors"] = errors
    return answer


def _admitted(call: Call, bucket: Bucket, item: Mapping[str, Any]) -> _Removal | AwsError:
    try:
        return _removal(call, bucket, item["Key"], str(item.get("VersionId") or ""), item)
    except AwsError as refused:
        return refused


def _run_all(call: Call, removals: list[_Removal | AwsError]) -> list[Version | AwsError | None]:
    """Carry out all removals in one transaction; a refusal changes nothing and stands for its own key only."""

    def change(tx: sa.Connection) -> tuple[list[Version | AwsError | None], list[str]]:
        results: list[Version | AwsError | None] = []
        unused: list[str] = []
        for removal in removals:
            if isinstance(removal, AwsError):
                results.append(removal)
                continue
            try:
                result, blobs = removal.run(tx)
            except AwsError as refused:
                results.append(refused)
            else:
                results.append(result)
                unused.extend(blobs)
        return results, unused

    return changes.commit(call, change)
