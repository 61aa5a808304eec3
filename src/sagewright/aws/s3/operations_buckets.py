"""Buckets: create, head, list, locate, delete, and their versioning. Hand-written: names are global and S3's own."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa

from sagewright.aws.s3 import access, acl, buckets, changes, tagging, versions
from sagewright.aws.s3.tables import BUCKETS, OBJECTS, PARTS, UPLOADS
from sagewright.core.call import Call
from sagewright.core.errors import AwsError

_REGION = re.compile(r"(af|ap|ca|cn|eu|il|me|mx|sa|us)(-gov)?-[a-z]+-\d\Z")
_OWNERSHIP = ("BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter")
_BLOCK = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
_LIST_LIMIT = 10_000


def create_bucket(call: Call) -> dict[str, Any]:
    """Make a bucket; names are shared by all accounts and regions."""
    if call.principal.account == "anonymous":
        raise access.denied()
    name = str(call.params["Bucket"])
    buckets.check_name(name)
    configuration = call.params.get("CreateBucketConfiguration") or {}
    region = _region(call, configuration)
    settings = _first_settings(call, configuration)
    row = {"name": name, "account": call.principal.account, "region": region, "created": float(int(call.now)),
           "versioning": "Enabled" if call.params.get("ObjectLockEnabledForBucket") else "",
           "settings": versions.pack(settings)}

    def change(tx: sa.Connection) -> str:
        taken = tx.execute(sa.select(BUCKETS.c.account).where(BUCKETS.c.name == name)).scalar()
        if taken is None:
            tx.execute(BUCKETS.insert().values(row))
        return str(taken or "")

    taken = call.store.write(change)
    if taken:
        _refuse_taken(call, name, taken)
    host = call.http.host if call.http is not None else f"s3.{region}.amazonaws.com"
    location = f"/{name}" if region == "us-east-1" else f"http://{name}.{host}/"
    return {"Location": location, "BucketArn": f"arn:aws:s3:::{name}"}


def _refuse_taken(call: Call, name: str, account: str) -> None:
    if account != call.principal.account:
        raise AwsError("BucketAlreadyExists", "The requested bucket name is not available. The bucket namespace is "
                       "shared by all users of the system. Please select a different name and try again.", 409,
                       {"BucketName": name})
    if call.region == "us-east-1":  # us-east-1 alone answers 200 when the owner makes the bucket again
        return
    raise AwsError("BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you "
                   "already own it.", 409, {"BucketName": name})


def _region(call: Call, configuration: dict[str, Any]) -> str:
    wanted = configuration.get("LocationConstraint")
    if wanted is None:
        if configuration and not configuration.get("Tags"):
            raise AwsError("MalformedXML", "The XML you provided was not well-formed or did not validate against our "
                           "published schema")
        if call.region not in ("us-east-1", "aws-global"):
            raise _illegal("unspecified")
        return "us-east-1"
    region = "eu-west-1" if wanted == "EU" else str(wanted)
    if call.region == "us-east-1":
        if not _REGION.match(region) or region == "us-east-1":
            raise AwsError("InvalidLocationConstraint", "The specified location-constraint is not valid", 400,
                           {"LocationConstraint": str(wanted)})
    elif region != call.region or wanted == "EU":
        raise _illegal(str(wanted))
    return region


def _illegal(region: str) -> AwsError:
    return AwsError("IllegalLocationConstraintException", f"The {region} location constraint is incompatible for the "
                    "region specific endpoint this request was sent to.")


def _first_settings(call: Call, configuration: dict[str, Any]) -> dict[str, Any]:
    params = call.params
    ownership = params.get("ObjectOwnership") or "BucketOwnerEnforced"
    if ownership not in _OWNERSHIP:
        raise AwsError("InvalidArgument", f"Invalid x-amz-object-ownership header: {params['ObjectOwnership']}", 400,
                       {"ArgumentName": "x-amz-object-ownership"})
    asked = acl.asked(params, call.principal.account, call.principal.account)
    settings: dict[str, Any] = {"OwnershipControls": {"Rules": [{"ObjectOwnership": ownership}]},
                                "PublicAccessBlockConfiguration": dict(_BLOCK)}
    if asked is not None and asked != acl.private(call.principal.account):
        if ownership == "BucketOwnerEnforced":
            raise AwsError("InvalidBucketAclWithObjectOwnership",
                           "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting")
        if acl.is_public(asked):
            raise access.denied()
        settings["Acl"] = asked
    if params.get("ObjectLockEnabledForBucket"):
        settings["ObjectLockConfiguration"] = {"ObjectLockEnabled": "Enabled"}
    if configuration.get("Tags"):
        settings["Tagging"] = tagging.from_document({"TagSet": configuration["Tags"]}, 50)
    return settings


def head_bucket(call: Call) -> dict[str, Any]:
    """Whether the bucket is there and may be used, and where it is."""
    bucket = buckets.find(call)
    if not access.allowed(call, bucket, "s3:ListBucket"):
        raise AwsError("AccessDenied", "Access Denied", 403, headers={"x-amz-bucket-region": bucket.region})
    call.reply_headers["Content-Type"] = "application/xml"
    return {"BucketRegion": bucket.region, "AccessPointAlias": False, "BucketArn": bucket.arn}


def get_bucket_location(call: Call) -> dict[str, Any]:
    """The region as a constraint: none for us-east-1."""
    bucket = access.enter(call, "s3:GetBucketLocation")
    return {} if bucket.region == "us-east-1" else {"LocationConstraint": bucket.region}


def list_buckets(call: Call) -> dict[str, Any]:
    """The caller's buckets by name, paged when MaxBuckets is given."""
    params = call.params
    if call.principal.account == "anonymous":
        raise access.denied()
    most, region = params.get("MaxBuckets"), params.get("BucketRegion")
    if region and not _REGION.match(str(region)):
        raise AwsError("InvalidArgument", f"Argument value {region} is not a valid AWS Region", 400,
                       {"ArgumentName": "bucket-region"})
    limit = min(int(most), _LIST_LIMIT) if most else _LIST_LIMIT
    c = BUCKETS.c
    query = sa.select(BUCKETS).where(c.account == call.principal.account).order_by(c.name).limit(limit + 1)
    prefix = str(params.get("Prefix") or "")
    if prefix:
        query = query.where(c.name.startswith(prefix, autoescape=True))
    if region:
        query = query.where(c.region == region)
    if params.get("ContinuationToken"):
        query = query.where(c.name > str(params["ContinuationToken"]))
    rows = call.store.read(lambda connection: connection.execute(query).all())
    named = bool(most or region or params.get("ContinuationToken"))
    found = [{"Name": row.name, "CreationDate": row.created, "BucketArn": f"arn:aws:s3:::{row.name}",
              **({"BucketRegion": row.region} if named else {})} for row in rows[:limit]]
    answer: dict[str, Any] = {"Buckets": found, "Owner": acl.owner(call.principal.account)}
    if prefix:
        answer["Prefix"] = prefix
    if len(rows) > limit:
        answer["ContinuationToken"] = found[-1]["Name"]
    return answer


def delete_bucket(call: Call) -> dict[str, Any]:
    """Remove an empty bucket; uploads under way go with it."""
    bucket = access.enter(call, "s3:DeleteBucket")

    def change(tx: sa.Connection) -> tuple[None, list[str]]:
        if tx.execute(sa.select(OBJECTS.c.id).where(OBJECTS.c.bucket == bucket.id).limit(1)).first() is not None:
            more = " You must delete all versions in the bucket." if bucket.versioning else ""
            raise AwsError("BucketNotEmpty", f"The bucket you tried to delete is not empty{'.' if more else ''}{more}",
                           409, {"BucketName": bucket.name})
        here = sa.select(UPLOADS.c.id).where(UPLOADS.c.bucket == bucket.id)
        blobs = tx.execute(sa.select(PARTS.c.blob).where(PARTS.c.upload.in_(here), PARTS.c.blob != "")).scalars().all()
        tx.execute(PARTS.delete().where(PARTS.c.upload.in_(here)))
        tx.execute(UPLOADS.delete().where(UPLOADS.c.bucket == bucket.id))
        tx.execute(BUCKETS.delete().where(BUCKETS.c.id == bucket.id))
        return None, list(blobs)

    changes.commit(call, change)
    buckets.known(call.world).forget()
    return {}


def get_bucket_versioning(call: Call) -> dict[str, Any]:
    """Enabled, Suspended, or nothing for a bucket that never had it."""
    bucket = access.enter(call, "s3:GetBucketVersioning")
    return {"Status": bucket.versioning} if bucket.versioning else {}


def put_bucket_versioning(call: Call) -> dict[str, Any]:
    """Turn versioning on or suspend it."""
    bucket = access.enter(call, "s3:PutBucketVersioning")
    wanted = (call.params.get("VersioningConfiguration") or {}).get("Status")
    if wanted is None:
        raise AwsError("IllegalVersioningConfigurationException", "The Versioning element must be specified")
    if wanted not in ("Enabled", "Suspended"):
        raise AwsError("MalformedXML", "The XML you provided was not well-formed or did not validate against our "
                       "published schema")
    if wanted == "Suspended" and "ObjectLockConfiguration" in bucket.settings:
        raise AwsError("InvalidBucketState", "An Object Lock configuration is present on this bucket, so the "
                       "versioning state cannot be changed.", 409)
    change = BUCKETS.update().where(BUCKETS.c.id == bucket.id).values(versioning=wanted)
    call.store.write(lambda tx: tx.execute(change))
    buckets.known(call.world).forget()
    return {}
