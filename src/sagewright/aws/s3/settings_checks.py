"""What S3 refuses in a bucket's sub-resources. Each check gets the call, the bucket and the document that is put, and
returns what is stored. Pure but for looking other buckets up. Called from the table in `settings`.
"""

from __future__ import annotations

import datetime
import secrets
from typing import Any

from sagewright.aws.s3 import acl, buckets
from sagewright.aws.s3.buckets import Bucket
from sagewright.aws.s3.conditions import epoch
from sagewright.core.call import Call
from sagewright.core.errors import AwsError

Document = dict[str, Any]
_METHODS = {"GET", "PUT", "POST", "DELETE", "HEAD"}


def malformed() -> AwsError:
    """The error for a document that the schema does not allow."""
    return AwsError("MalformedXML", "The XML you provided was not well-formed or did not validate against our "
                    "published schema")


def _argument(message: str, name: str, value: str) -> AwsError:
    return AwsError("InvalidArgument", message, 400, {"ArgumentName": name, "ArgumentValue": value})


def cors(_call: Call, _bucket: Bucket, wanted: Document) -> Document:
    """CORS rules: at least one, known methods, one star at most in an origin."""
    rules = wanted.get("CORSRules") or []
    if not rules:
        raise malformed()
    for rule in rules:
        if not rule.get("AllowedMethods") or not rule.get("AllowedOrigins"):
            raise malformed()
        for method in rule["AllowedMethods"]:
            if method not in _METHODS:
                raise AwsError("InvalidRequest", "Found unsupported HTTP method in CORS config. Unsupported method is "
                               f"{method}")
        for origin in rule["AllowedOrigins"]:
            if origin.count("*") > 1:
                raise AwsError("InvalidRequest", f"AllowedOrigin \"{origin}\" can not have more than one wildcard.")
    return wanted


def lifecycle(call: Call, _bucket: Bucket, wanted: Document) -> Document:
    """Lifecycle rules; ids are made up where none is given, as S3 does."""
    rules = wanted.get("Rules") or []
    if not rules or len(rules) > 1000:
        raise malformed()
    seen: set[str] = set()
    for rule in rules:
        rule.setdefault("ID", secrets.token_hex(24))
        if len(rule["ID"]) > 255:
            raise AwsError("InvalidArgument", "ID length should not exceed allowed limit of 255")
        if rule["ID"] in seen:
            raise AwsError("InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule", 400)
        seen.add(rule["ID"])
        _lifecycle_rule(rule)
    size = call.params.get("TransitionDefaultMinimumObjectSize") or "all_storage_classes_128K"
    if size not in ("all_storage_classes_128K", "varies_by_storage_class"):
        raise AwsError("InvalidRequest", f"Invalid TransitionDefaultMinimumObjectSize found: {size}")
    return {**wanted, "TransitionDefaultMinimumObjectSize": size}


def _lifecycle_rule(rule: Document) -> None:
    if rule.get("Status") not in ("Enabled", "Disabled") or ("Filter" not in rule and "Prefix" not in rule):
        raise malformed()
    expiration, noncurrent = rule.get("Expiration") or {}, rule.get("NoncurrentVersionExpiration")
    if noncurrent is not None and not (noncurrent.get("NoncurrentDays") or noncurrent.get("NewerNoncurrentVersions")):
        raise malformed()
    if len(rule.get("Filter") or {}) > 1 or len(set(expiration) & {"Days", "Date", "ExpiredObjectDeleteMarker"}) > 1:
        raise malformed()
    for days in (expiration.get("Days"), *(t.get("Days") for t in rule.get("Transitions") or [])):
        if days is not None and days <= 0 and days is expiration.get("Days"):
            raise AwsError("InvalidArgument", "'Days' for Expiration action must be a positive integer")
    at = epoch(expiration.get("Date"))
    if "Date" in expiration and (at is None or at % 86400):
        text = "" if at is None else datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat()
        raise _argument("'Date' must be at midnight GMT", "Date", text)
    if at is not None:
        expiration["Date"] = at
    tags = ((rule.get("Filter") or {}).get("And") or {}).get("Tags") or []
    if len({tag.get("Key") for tag in tags}) != len(tags):
        raise AwsError("InvalidRequest", "Duplicate Tag Keys are not allowed.")


def encryption(_call: Call, _bucket: Bucket, wanted: Document) -> Document:
    """Default encryption: one rule, a key only with KMS."""
    rules = wanted.get("Rules") or []
    if len(rules) != 1 or not rules[0].get("ApplyServerSideEncryptionByDefault"):
        raise malformed()
    rules[0].setdefault("BucketKeyEnabled", False)
    default = rules[0]["ApplyServerSideEncryptionByDefault"]
    if default.get("SSEAlgorithm") not in ("AES256", "aws:kms", "aws:kms:dsse"):
        raise malformed()
    if default.get("KMSMasterKeyID") and default["SSEAlgorithm"] == "AES256":
        raise AwsError("InvalidArgument", "a KMSMasterKeyID is not applicable if the default sse algorithm is not "
                       "aws:kms or aws:kms:dsse", 400, {"ArgumentName": "ApplyServerSideEncryptionByDefault"})
    return {**wanted, "Explicit": True}


def ownership(_call: Call, bucket: Bucket, wanted: Document) -> Document:
    """Ownership controls: one rule; owner-enforced only while the ACL grants nobody else anything."""
    rules = wanted.get("Rules") or []
    if len(rules) != 1 or rules[0].get("ObjectOwnership") not in (
            "BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"):
        raise malformed()
    grants = bucket.settings.get("Acl")
    if rules[0]["ObjectOwnership"] == "BucketOwnerEnforced" and grants and grants != acl.private(bucket.account):
        raise AwsError("InvalidBucketAclWithObjectOwnership",
                       "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting")
    return wanted


def public_access(_call: Call, _bucket: Bucket, wanted: Document) -> Document:
    """All four members, false where not given."""
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    if not any(name in wanted for name in names):
        raise malformed()
    return {name: bool(wanted.get(name)) for name in names}


def website(_call: Call, _bucket: Bucket, wanted: Document) -> Document:
    """A redirect of everything, or an index document and rules; not both."""
    everything, index = wanted.get("RedirectAllRequestsTo"), wanted.get("IndexDocument")
    if everything is not None:
        if not everything.get("HostName"):
            raise malformed()
        if len(wanted) > 1:
            raise _argument("RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.",
                            "RedirectAllRequestsTo", "not null")
        _protocol(everything)
        return wanted
    if index is None:
        raise _argument("A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
                        "IndexDocument", "null")
    suffix = index.get("Suffix")
    if not suffix or "/" in suffix:
        raise _argument("The IndexDocument Suffix is not well formed", "IndexDocument", suffix or "")
    if "ErrorDocument" in wanted and not (wanted["ErrorDocument"] or {}).get("Key"):
        raise malformed()
    for rule in wanted.get("RoutingRules") or []:
        _routing(rule)
    return wanted


def _protocol(redirect: Document) -> None:
    if redirect.get("Protocol") not in (None, "http", "https"):
        raise AwsError("InvalidRequest", "Invalid protocol, protocol can be http or https. If not defined the protocol "
                       "will be selected automatically.")


def _routing(rule: Document) -> None:
    redirect = rule.get("Redirect")
    if not redirect:
        raise malformed()
    if "Condition" in rule and not rule["Condition"]:
        raise AwsError("InvalidRequest", "Condition cannot be empty. To redirect all requests without a condition, the "
                       "condition element shouldn't be present.")
    if "ReplaceKeyWith" in redirect and "ReplaceKeyPrefixWith" in redirect:
        raise AwsError("InvalidRequest", "You can only define ReplaceKeyPrefix or ReplaceKey but not both.")
    _protocol(redirect)


def replication(call: Call, bucket: Bucket, wanted: Document) -> Document:
    """Replication rules: recorded; both buckets must have versioning."""
    if not wanted.get("Role") or not wanted.get("Rules"):
        raise malformed()
    if bucket.versioning != "Enabled":
        raise AwsError("InvalidRequest",
                       "Versioning must be 'Enabled' on the bucket to apply a replication configuration")
    for rule in wanted["Rules"]:
        rule.setdefault("ID", secrets.token_hex(10))
        target = buckets.lookup(call, str((rule.get("Destination") or {}).get("Bucket", "")).rsplit(":", 1)[-1])
        if target is None or target.versioning != "Enabled":
            raise AwsError("InvalidRequest", "Destination bucket must have versioning enabled.")
    return wanted


def logging(call: Call, bucket: Bucket, wanted: Document) -> Document | None:
    """Access logging: recorded; the target must be a bucket of the same region and owner."""
    enabled = wanted.get("LoggingEnabled")
    if enabled is None:
        return None
    target = buckets.lookup(call, str(enabled.get("TargetBucket")))
    if target is None or target.account != bucket.account:
        raise AwsError("InvalidTargetBucketForLogging", "The target bucket for logging does not exist", 400,
                       {"TargetBucket": str(enabled.get("TargetBucket"))})
    if target.region != bucket.region:
        raise AwsError("CrossLocationLoggingProhibitted", "Cross S3 location logging not allowed. ", 403,
                       {"TargetBucketLocation": target.region})
    return wanted


def notification(_call: Call, _bucket: Bucket, wanted: Document) -> Document | None:
    """Notifications: recorded, with an id for each."""
    for kind in ("TopicConfigurations", "QueueConfigurations", "LambdaFunctionConfigurations"):
        for each in wanted.get(kind) or []:
            each.setdefault("Id", secrets.token_hex(16))
            rules = ((each.get("Filter") or {}).get("Key") or {}).get("FilterRules") or []
            for rule in rules:
                if str(rule.get("Name", "")).lower() not in ("prefix", "suffix"):
                    raise _argument("filter rule name must be either prefix or suffix", "FilterRule.Name",
                                    str(rule.get("Name")))
                rule["Name"] = str(rule["Name"]).capitalize()
    return wanted or None


def accelerate(_call: Call, bucket: Bucket, wanted: Document) -> Document:
    """Transfer acceleration: recorded."""
    if "." in bucket.name:
        raise AwsError("InvalidRequest", "S3 Transfer Acceleration is not supported for buckets with periods (.) in "
                       "their names")
    if wanted.get("Status") not in ("Enabled", "Suspended"):
        raise malformed()
    return wanted


def payment(_call: Call, _bucket: Bucket, wanted: Document) -> Document:
    """Who pays: recorded."""
    if wanted.get("Payer") not in ("Requester", "BucketOwner"):
        raise malformed()
    return wanted


def object_lock(_call: Call, bucket: Bucket, wanted: Document) -> Document:
    """Object Lock of the bucket, with a default retention in days or years."""
    if wanted.get("ObjectLockEnabled") != "Enabled":
        raise malformed()
    if bucket.versioning != "Enabled":
        raise AwsError("InvalidBucketState",
                       "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration", 409)
    if "Rule" in wanted:
        retention = (wanted["Rule"] or {}).get("DefaultRetention") or {}
        if retention.get("Mode") not in ("GOVERNANCE", "COMPLIANCE") or ("Days" in retention) == ("Years" in retention):
            raise malformed()
        if int(retention.get("Days", retention.get("Years", 0))) <= 0:
            raise AwsError("InvalidArgument", "Default retention period must be a positive integer value.")
    return wanted
