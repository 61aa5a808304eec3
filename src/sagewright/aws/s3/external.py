"""A pass-through to another S3 (MinIO, Ceph, AWS), chosen with `Config.s3_url`: `https://KEY:SECRET@host:9000?region=...`.

Called by `service` in place of every local handler. Requests go out as the credentials in the URL; callers outside
the server's own account are refused, because the other side cannot tell them apart. Bodies stream in both directions.

Covered: every operation that the other S3 answers. Not covered: our own events, and errors in our wording.
"""

from __future__ import annotations

import email.utils
import functools
import http.client
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from sagewright.aws.s3 import access, conditions, intake, operations_copy
from sagewright.core import model
from sagewright.core.call import Call
from sagewright.core.errors import AwsError

_BLOCK = 1024 * 1024
_STREAMS_IN = {"PutObject", "UploadPart"}


@functools.lru_cache(maxsize=4)
def _client(url: str) -> Any:
    """A client of the other S3. Importing botocore's client costs a second, which only this mode pays."""
    import botocore.session
    from botocore.config import Config

    parts = urlsplit(url)
    if not parts.username or not parts.password:
        raise AwsError("InternalError", "The URL of the external S3 must hold its credentials: "
                       "https://KEY:SECRET@host:port?region=REGION", 500)
    host = parts.hostname or ""
    netloc = f"{host}:{parts.port}" if parts.port else host
    region = (parse_qs(parts.query).get("region") or ["us-east-1"])[0]
    config = Config(signature_version="s3v4", s3={"addressing_style": "path"}, max_pool_connections=64,
                    request_checksum_calculation="when_required", response_checksum_validation="when_required",
                    parameter_validation=False)
    return botocore.session.Session().create_client(
        "s3", region_name=region, endpoint_url=f"{parts.scheme}://{netloc}{parts.path}", config=config,
        aws_access_key_id=unquote(parts.username), aws_secret_access_key=unquote(parts.password))


def forward(call: Call) -> dict[str, Any]:
    """Ask the other S3 and give its answer."""
    if call.principal.account != call.world.config.account:
        raise access.denied()
    client = _client(call.world.config.s3_url)
    if call.operation in _STREAMS_IN:
        return _stream_in(call, client)
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = client._make_api_call(call.operation, _unquoted(call.params))
    except ClientError as refused:
        raise _error(refused.response) from refused
    except BotoCoreError as broken:
        raise _unreachable(broken) from broken
    return _told(call, answer)


def _unquoted(params: dict[str, Any]) -> dict[str, Any]:
    """The params with CopySource taken apart, because the client encodes it once more."""
    if "CopySource" not in params:
        return params
    bucket, key, version = operations_copy.parse_source(params["CopySource"])
    return {**params, "CopySource": {"Bucket": bucket, "Key": key, **({"VersionId": version} if version else {})}}


def _told(call: Call, answer: dict[str, Any]) -> dict[str, Any]:
    status = answer.pop("ResponseMetadata", {}).get("HTTPStatusCode", 200)
    if status == 206:
        call.reply_status = status
    if "Body" in answer:
        answer["Body"] = _blocks(answer["Body"])
    answer.pop("ExpiresString", None)
    return answer


def _blocks(body: Any) -> Iterator[bytes]:
    try:
        while block := body.read(_BLOCK):
            yield block
    finally:
        body.close()


def _error(response: dict[str, Any]) -> AwsError:
    error = dict(response.get("Error", {}))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    code, message = str(error.pop("Code", "InternalError")), str(error.pop("Message", ""))
    return AwsError(code, message, status, {k: v for k, v in error.items() if isinstance(v, str)})


def _unreachable(broken: Exception) -> AwsError:
    return AwsError("ServiceUnavailable", f"The external S3 could not be reached: {type(broken).__name__}", 503)


def _stream_in(call: Call, client: Any) -> dict[str, Any]:
    """Send a body on as it arrives, over a presigned URL: nothing needs to know its hash beforehand."""
    params = {name: value for name, value in call.params.items() if name not in ("Body", "ContentLength")}
    length = _length(call)
    url = urlsplit(client.generate_presigned_url(model.method_name(call.operation), Params=params, ExpiresIn=3600))
    connection = (http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection)(
        url.netloc, timeout=300)
    try:
        connection.putrequest("PUT", f"{url.path}?{url.query}", skip_accept_encoding=True)
        connection.putheader("Content-Length", str(length))
        for name, value in _signed_headers(call, url.query).items():
            connection.putheader(name, value)
        connection.endheaders()
        for block in intake.blocks(call.params.get("Body")):
            connection.send(block)
        return _headers_in(call, connection.getresponse())
    except OSError as broken:
        raise _unreachable(broken) from broken
    finally:
        connection.close()


def _length(call: Call) -> int:
    if call.http is not None:
        decoded = call.http.headers.get("x-amz-decoded-content-length")
        announced = decoded or call.http.headers.get("content-length")
        if not announced.isdigit():
            raise AwsError("MissingContentLength", "You must provide the Content-Length HTTP header.", 411)
        return int(announced)
    return len(call.params.get("Body") or b"")


def _signed_headers(call: Call, query: str) -> dict[str, str]:
    """The headers that the presigned URL says will be sent, with the values of the request's members."""
    names = (parse_qs(query).get("X-Amz-SignedHeaders") or [""])[0].split(";")
    shape = model.operation("s3", call.operation).input_shape
    found = {}
    for member, each in model.members(shape).items():
        header = str(each.serialization.get("name", "")).lower()
        if each.serialization.get("location") == "header" and header in names and member in call.params:
            found[header] = _header_value(call.params[member], each.type_name)
    for key, value in (call.params.get("Metadata") or {}).items():
        if f"x-amz-meta-{key.lower()}" in names:
            found[f"x-amz-meta-{key.lower()}"] = str(value)
    return found


def _header_value(value: Any, kind: str) -> str:
    """A member as botocore writes it into a header, which is what the URL's signature covers."""
    if kind == "timestamp":
        return email.utils.formatdate(conditions.epoch(value) or 0.0, usegmt=True)
    return str(value).lower() if kind == "boolean" else str(value)


def _headers_in(call: Call, response: http.client.HTTPResponse) -> dict[str, Any]:
    """The answer to a put: all of it is in headers. An error's XML gives code and message."""
    text = response.read().decode("utf-8", "replace")
    if response.status >= 300:
        code, message = (text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0] for tag in ("Code", "Message"))
        raise AwsError(code or str(response.status), message, response.status)
    answer: dict[str, Any] = {}
    for member, each in model.members(model.operation("s3", call.operation).output_shape).items():
        value = response.getheader(str(each.serialization.get("name", "")))
        if value is not None:
            answer[member] = value == "true" if each.type_name == "boolean" else value
    return answer
