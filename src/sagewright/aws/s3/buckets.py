"""Buckets: their rows, names and settings.

`settings` holds every sub-resource of a bucket under the name of its AWS structure (`Policy`, `Tagging`,
`CORSConfiguration`, ...). Called by every operation; calls the store.
"""

from __future__ import annotations

import functools
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from sagewright.aws.s3.tables import BUCKETS
from sagewright.core.call import ANONYMOUS, Call
from sagewright.core.errors import AwsError
from sagewright.core.world import World

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+\Z")
BY_NAME = sa.select(BUCKETS).where(BUCKETS.c.name == sa.bindparam("name"))


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket. `settings` is shared between readers: do not change it."""

    id: int
    name: str
    account: str
    region: str
    created: float
    versioning: str
    settings: dict[str, Any]

    @property
    def arn(self) -> str:
        return f"arn:aws:s3:::{self.name}"

    @property
    def ownership(self) -> str:
        """Who owns objects; AWS's default since April 2023 is that the bucket owner does and ACLs are off."""
        rules = self.settings.get("OwnershipControls", {}).get("Rules") or [{"ObjectOwnership": ""}]
        return str(rules[0]["ObjectOwnership"])

    def blocks(self, name: str) -> bool:
        """Whether that member of the public access block is on (`BlockPublicAcls`, ...)."""
        return bool(self.settings.get("PublicAccessBlockConfiguration", {}).get(name))


@functools.lru_cache(maxsize=4096)
def _settings(text: str) -> dict[str, Any]:
    return dict(json.loads(text))


def of(record: Any) -> Bucket:
    """The bucket that a database row stands for."""
    identifier, name, account, region, created, versioning, settings = record
    return Bucket(identifier, name, account, region, created, versioning, _settings(settings))


def no_such(name: str) -> AwsError:
    """The error for a bucket that is not there."""
    return AwsError("NoSuchBucket", "The specified bucket does not exist", 404, {"BucketName": name})


class Known:
    """The buckets that were looked up before: every request needs one, and they hardly ever change.

    Whoever changes a bucket row calls `forget` after the commit; a row read before that is then not remembered.
    """

    _MOST = 10_000

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}
        self._generation = 0
        self._lock = threading.Lock()

    def get(self, name: str) -> Bucket | None:
        """The bucket as it was last read."""
        return self._buckets.get(name)

    def generation(self) -> int:
        """Taken before a row is read, and given to `remember` with it."""
        return self._generation

    def remember(self, bucket: Bucket, generation: int) -> None:
        """Keep a bucket that was read, unless something changed since."""
        with self._lock:
            if generation == self._generation:
                if len(self._buckets) >= self._MOST:
                    self._buckets.clear()
                self._buckets[bucket.name] = bucket

    def forget(self) -> None:
        """A bucket row changed."""
        with self._lock:
            self._generation += 1
            self._buckets.clear()


def known(world: World) -> Known:
    """The remembered buckets of this server."""
    return world.parts.get("s3_buckets") or world.parts.setdefault("s3_buckets", Known())


def lookup(call: Call, name: str) -> Bucket | None:
    """The bucket of that name, whoever owns it."""
    remembered = known(call.world)
    bucket = remembered.get(name)
    if bucket is not None:
        return bucket
    generation = remembered.generation()
    record = call.store.read(lambda c: c.execute(BY_NAME, {"name": name}).first())
    if record is None:
        return None
    bucket = of(record)
    remembered.remember(bucket, generation)
    return bucket


def find(call: Call, name: str | None = None, owner: str = "ExpectedBucketOwner") -> Bucket:
    """The bucket that the request is about; NoSuchBucket, or AccessDenied if another account was expected to own it."""
    name = str(call.params["Bucket"]) if name is None else name
    bucket = lookup(call, name)
    if bucket is None:
        if not _NAME.match(name) and not re.fullmatch(r"[A-Za-z0-9._-]{3,255}", name):
            raise AwsError("InvalidBucketName", "The specified bucket is not valid.", 400, {"BucketName": name})
        raise no_such(name)
    if owner == "ExpectedBucketOwner":  # the source of a copy may be in any region
        _check_region(call, bucket)
    expected = call.params.get(owner)
    if expected and expected != bucket.account:
        if not re.fullmatch(r"\d{12}", str(expected)):
            raise AwsError("InvalidBucketOwnerAWSAccountID", "The value of the expected bucket owner parameter must be "
                           f"an AWS Account ID... [{expected}]")
        raise AwsError("AccessDenied", "Access Denied", 403)
    return bucket


def _check_region(call: Call, bucket: Bucket) -> None:
    """Refuse a request signed for another region than the bucket's: SDKs follow `Region` and sign again."""
    if call.http is None or call.principal is ANONYMOUS or call.region == bucket.region \
            or call.operation == "GetBucketLocation":
        return
    in_query = "X-Amz-Credential=" in call.http.query
    if not in_query and not call.http.headers.get("authorization").startswith("AWS4-"):
        return  # Signature Version 2 names no region
    words = f"the region '{call.region}' is wrong; expecting '{bucket.region}'"
    headers = {"x-amz-bucket-region": bucket.region}
    code, place = ("AuthorizationQueryParametersError", "Error parsing the X-Amz-Credential parameter") if in_query \
        else ("AuthorizationHeaderMalformed", "The authorization header is malformed")
    raise AwsError(code, f"{place}; {words}", 400, {"Region": bucket.region}, headers)


def check_name(name: str) -> None:
    """Refuse a name that S3 would not let a new bucket have."""
    bad = (not _NAME.match(name) or ".." in name or ".-" in name or "-." in name or _ADDRESS.match(name)
           or name.startswith(("xn--", "sthree-", "amzn-s3-demo-")) or name.endswith(("-s3alias", "--ol-s3", "--x-s3")))
    if bad:
        raise AwsError("InvalidBucketName", "The specified bucket is not valid.", 400, {"BucketName": name})


def change(call: Call, bucket: Bucket, edit: Callable[[dict[str, Any]], None]) -> None:
    """Change a bucket's settings in one transaction: `edit` gets a private copy of what they are then."""

    def apply(tx: sa.Connection) -> None:
        text = tx.execute(sa.select(BUCKETS.c.settings).where(BUCKETS.c.id == bucket.id).with_for_update()).scalar()
        if text is None:
            raise no_such(bucket.name)
        settings = json.loads(text)
        edit(settings)
        packed = json.dumps(settings, separators=(",", ":"), default=_plain)
        tx.execute(BUCKETS.update().where(BUCKETS.c.id == bucket.id).values(settings=packed))

    call.store.write(apply)
    known(call.world).forget()


def put(call: Call, bucket: Bucket, name: str, value: Any) -> None:
    """Set one setting, or remove it with None."""

    def edit(settings: dict[str, Any]) -> None:
        if value is None:
            settings.pop(name, None)
        else:
            settings[name] = value

    change(call, bucket, edit)


def _plain(value: Any) -> Any:
    if hasattr(value, "timestamp"):
        return value.timestamp()
    raise TypeError(f"{type(value).__name__} cannot be stored")
