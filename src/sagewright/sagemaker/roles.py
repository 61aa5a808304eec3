"""Cross-checks that chapters share: the role can be assumed, the bucket is there. Reaches services by API."""

from __future__ import annotations

from urllib.parse import urlsplit

from sagewright.core.call import Call
from sagewright.core.errors import AwsError, validation


def check_role(call: Call, role_arn: str) -> None:
    """Raise as AWS does when SageMaker cannot assume the role."""
    call.world.parts["identities"].assume(role_arn, "SageMaker", service="sagemaker.amazonaws.com")


def split_s3(uri: str) -> tuple[str, str]:
    """(bucket, key) of an S3 URI (or an https URL of a bucket); ValidationException for anything else."""
    parts = urlsplit(uri)
    if parts.scheme == "s3" and parts.netloc:
        return parts.netloc, parts.path.lstrip("/")
    if parts.scheme == "https" and parts.netloc:
        host, path = parts.netloc.split(".", 1)[0], parts.path.lstrip("/")
        if host.startswith("s3"):
            bucket, _, key = path.partition("/")
            return bucket, key
        return host, path
    raise validation(f"The S3 URI {uri!r} is not valid.")


def check_bucket(call: Call, uri: str, role_arn: str) -> None:
    """Raise as AWS does when an input's bucket cannot be listed; an empty prefix fails the job when it is read."""
    bucket, prefix = split_s3(uri)
    if call.world.aws is None:
        return
    try:
        call.world.aws.as_root(call.account, call.region).call(
            "s3", "ListObjectsV2", Bucket=bucket, Prefix=prefix, MaxKeys=1)
    except AwsError:
        raise validation(
            f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket '
            f'exists in the selected region ({call.region}), that objects exist under that S3 prefix, and that the '
            f'role "{role_arn}" has "s3:ListBucket" permissions on bucket "{bucket}".') from None
