"""Reads objects from S3 with the standard library. Called where user code or a model is named by an s3:// URI.

boto3 takes a third of a second to import and need not be in a job's environment, so the one request that the
contract needs (a signed GET) is written here. Endpoint: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, S3_ENDPOINT_URL, else
AWS. Credentials: variables, then the container endpoint; anything else (profiles, instance roles) is left to boto3.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import json
import os
import shutil
import time
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

from sagewright_kit.contract.errors import ClientError

TRIES = 4
TIMEOUT = 60


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of an s3:// URI."""
    parts = urlsplit(uri)
    if parts.scheme != "s3" or not parts.netloc:
        raise ClientError("Expecting 's3' scheme, got: %s in %s" % (parts.scheme, uri))
    # A key may hold '?' and '#', which urlsplit takes for query and fragment.
    return parts.netloc, uri[len("s3://") + len(parts.netloc) + 1 :]


def download(uri: str, target: str) -> None:
    """Write the object at `uri` to the file `target`."""
    bucket, key = split(uri)
    credentials = _credentials()
    if credentials is None:
        _download_with_boto3(bucket, key, target)
        return
    for attempt in range(TRIES):
        try:
            with urlopen(_request(bucket, key, credentials), timeout=TIMEOUT) as response, open(target, "wb") as file:
                shutil.copyfileobj(response, file, 1 << 20)
            return
        except HTTPError as error:
            if error.code < 500 or attempt == TRIES - 1:
                raise ClientError(_explain(uri, error)) from error
        except (URLError, OSError) as error:
            if attempt == TRIES - 1:
                raise ClientError("Could not download %s: %s" % (uri, error)) from error
        time.sleep(0.2 * 2**attempt)


def _explain(uri: str, error: HTTPError) -> str:
    body = error.read(2000).decode("utf-8", "replace")
    code = body.split("<Code>", 1)[1].split("</Code>", 1)[0] if "<Code>" in body else error.reason
    return "An error occurred (%s) when calling the GetObject operation: could not download %s" % (code, uri)


def _download_with_boto3(bucket: str, key: str, target: str) -> None:
    try:
        import boto3
    except ImportError:
        raise ClientError("No AWS credentials in this container, cannot download s3://%s/%s" % (bucket, key)) from None
    try:
        boto3.client("s3", endpoint_url=_endpoint()).download_file(bucket, key, target)
    except Exception as error:
        raise ClientError("Could not download s3://%s/%s: %s" % (bucket, key, error)) from error


def _endpoint() -> str | None:
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "S3_ENDPOINT_URL")
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


def _region() -> str:
    names = ("AWS_REGION", "AWS_DEFAULT_REGION", "SAGEMAKER_REGION")
    return next((os.environ[name] for name in names if os.environ.get(name)), "us-east-1")


def _credentials() -> dict[str, str] | None:
    """Access key, secret and token; None if neither the variables nor the container endpoint have them."""
    env = os.environ
    if env.get("AWS_ACCESS_KEY_ID") and env.get("AWS_SECRET_ACCESS_KEY"):
        return {
            "key": env["AWS_ACCESS_KEY_ID"],
            "secret": env["AWS_SECRET_ACCESS_KEY"],
            "token": env.get("AWS_SESSION_TOKEN", ""),
        }
    url = env.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    if not url and env.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        url = "http://169.254.170.2" + env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
    if not url:
        return None
    token = env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    if not token and env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        with open(env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]) as file:
            token = file.read().strip()
    try:
        with urlopen(Request(url, headers={"Authorization": token} if token else {}), timeout=5) as response:
            answer = json.load(response)
        return {"key": answer["AccessKeyId"], "secret": answer["SecretAccessKey"], "token": answer.get("Token", "")}
    except (OSError, ValueError, KeyError) as error:
        raise ClientError("Could not get credentials from %s: %s" % (url, error)) from error


def _request(bucket: str, key: str, credentials: dict[str, str]) -> Request:
    """A GET request signed with signature version 4."""
    region, endpoint = _region(), _endpoint()
    path = "/" + quote(bucket + "/" + key, safe="/-_.~")
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    url = endpoint.rstrip("/") if endpoint else "https://s3.%s.%s" % (region, suffix)
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    parts = urlsplit(url)
    path = parts.path + path
    headers = {"host": parts.netloc, "x-amz-content-sha256": hashlib.sha256(b"").hexdigest(), "x-amz-date": now}
    if credentials["token"]:
        headers["x-amz-security-token"] = credentials["token"]
    headers["authorization"] = _authorization(path, headers, credentials, region)
    return Request("%s://%s%s" % (parts.scheme, parts.netloc, path), headers=headers)


def _authorization(path: str, headers: dict[str, str], credentials: dict[str, str], region: str) -> str:
    names = ";".join(sorted(headers))
    lines = "".join("%s:%s\n" % (name, headers[name]) for name in sorted(headers))
    canonical = "\n".join(("GET", path, "", lines, names, headers["x-amz-content-sha256"]))
    now = headers["x-amz-date"]
    scope = "%s/%s/s3/aws4_request" % (now[:8], region)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = ("AWS4" + credentials["secret"]).encode()
    for part in (now[:8], region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = "\n".join(("AWS4-HMAC-SHA256", now, scope, digest))
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s" % (
        credentials["key"], scope, names, signature,
    )  # fmt: skip
