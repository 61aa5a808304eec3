"""PostObject: an upload from a browser's form, allowed by a signed policy document that comes with it.

Called by `edge`; the model knows no such operation. Stores through the same code as PutObject.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from sagewright.aws.s3 import form, operations_objects
from sagewright.core.call import ANONYMOUS, Call, Principal
from sagewright.core.errors import AwsError
from sagewright.core.http import Reply, Request
from sagewright.core.world import World

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_FREE = {"x-amz-signature", "policy", "file", "signature", "awsaccesskeyid", "x-amz-algorithm", "x-amz-credential",
         "x-amz-date", "x-amz-security-token"}
_MEMBERS = {"acl": "ACL", "cache-control": "CacheControl", "content-type": "ContentType", "expires": "Expires",
            "content-disposition": "ContentDisposition", "content-encoding": "ContentEncoding",
            "x-amz-storage-class": "StorageClass", "x-amz-website-redirect-location": "WebsiteRedirectLocation",
            "x-amz-server-side-encryption": "ServerSideEncryption",
            "x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
            "x-amz-checksum-crc32": "ChecksumCRC32", "x-amz-checksum-crc32c": "ChecksumCRC32C",
            "x-amz-checksum-crc64nvme": "ChecksumCRC64NVME", "x-amz-checksum-sha1": "ChecksumSHA1",
            "x-amz-checksum-sha256": "ChecksumSHA256"}


def post_object(world: World, request: Request, bucket: str) -> Reply:
    """Store the form's file and answer as the form asks."""
    sent = form.read(request.body, request.headers.get("content-type"))
    fields = sent.fields
    if "key" not in fields:
        raise _argument("Bucket POST must contain a field named 'key'.  If it is specified, please check the order of "
                        "the fields.", "key")
    principal = _signer(world, fields)
    fields["key"] = fields["key"].replace("${filename}", sent.filename)
    limits = _check_policy(world, fields, bucket) if principal is not ANONYMOUS else None
    params: dict[str, Any] = {"Bucket": bucket, "Key": fields["key"], "Body": _Limited(sent.file, limits)}
    params |= {member: fields[name] for name, member in _MEMBERS.items() if fields.get(name)}
    params["Metadata"] = {n.removeprefix("x-amz-meta-"): v for n, v in fields.items() if n.startswith("x-amz-meta-")}
    if fields.get("tagging"):
        params["Tagging"] = _tag_header(fields["tagging"])
    call = Call(world, "s3", "PutObject", world.config.region, principal.account, principal, params)
    stored = operations_objects.put_object(call)
    return _answer(request, fields, bucket, stored)


class _Limited:
    """The file, refused where it is larger or smaller than the policy's content-length-range."""

    def __init__(self, file: form.FilePart, limits: tuple[int, int] | None) -> None:
        self._file, self._limits, self._size = file, limits, 0

    def read(self, n: int = -1) -> bytes:
        block = self._file.read(n)
        self._size += len(block)
        if self._limits is None:
            return block
        least, most = self._limits
        if self._size > most:
            raise AwsError("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size", 400,
                           {"ProposedSize": str(self._size), "MaxSizeAllowed": str(most)})
        if not block and self._size < least:
            raise AwsError("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size", 400,
                           {"ProposedSize": str(self._size), "MinSizeAllowed": str(least)})
        return block


def _argument(message: str, name: str, value: str = "") -> AwsError:
    return AwsError("InvalidArgument", message, 400, {"ArgumentName": name, "ArgumentValue": value})


def _signer(world: World, fields: Mapping[str, str]) -> Principal:
    """Who signed the form's policy: Signature Version 4, Version 2, or nobody."""
    if "policy" not in fields and "signature" not in fields and "x-amz-signature" not in fields:
        return ANONYMOUS
    v4 = "x-amz-signature" in fields or "x-amz-credential" in fields
    wanted = ("x-amz-credential", "x-amz-algorithm", "x-amz-date", "x-amz-signature") if v4 else (
        "awsaccesskeyid", "signature")
    proper = {"awsaccesskeyid": "AWSAccessKeyId", "signature": "Signature", "policy": "policy",
              **{name: "-".join(part.capitalize() for part in name.split("-")) for name in wanted if "-" in name}}
    for name in (*wanted, "policy"):
        if not fields.get(name):
            raise _argument(f"Bucket POST must contain a field named '{proper[name]}'.  If it is specified, please "
                            "check the order of the fields.", proper[name])
    key = fields["x-amz-credential"].split("/")[0] if v4 else fields["awsaccesskeyid"]
    known = world.parts["identities"].lookup(key)
    if known is None:
        raise AwsError("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403,
                       {"AWSAccessKeyId": key})
    secret, principal, temporary = known
    if temporary is not None and (fields.get("x-amz-security-token") != temporary.token
                                  or temporary.expires < world.clock.now()):
        raise AwsError("InvalidToken", "The provided token is malformed or otherwise invalid.")
    expected = _v4(secret, fields) if v4 else _v2(secret, fields)
    given = fields["x-amz-signature"] if v4 else fields["signature"]
    if not hmac.compare_digest(expected.encode(), given.encode()):
        raise AwsError("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you "
                       "provided. Check your key and signing method.", 403, {"AWSAccessKeyId": key})
    return principal


def _v2(secret: str, fields: Mapping[str, str]) -> str:
    return base64.b64encode(hmac.new(secret.encode(), fields["policy"].encode(), hashlib.sha1).digest()).decode()


def _v4(secret: str, fields: Mapping[str, str]) -> str:
    scope = fields["x-amz-credential"].split("/")[1:]
    if len(scope) != 4 or fields["x-amz-algorithm"] != "AWS4-HMAC-SHA256":
        raise _argument("The Credential field is malformed", "X-Amz-Credential", fields["x-amz-credential"])
    key = ("AWS4" + secret).encode()
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, fields["policy"].encode(), hashlib.sha256).hexdigest()


def _invalid(why: str) -> AwsError:
    return AwsError("InvalidPolicyDocument", f"Invalid Policy: {why}")


def _refused(why: str) -> AwsError:
    return AwsError("AccessDenied", f"Invalid according to Policy: {why}", 403)


def _check_policy(world: World, fields: Mapping[str, str], bucket: str) -> tuple[int, int] | None:
    """Hold the form against its policy; gives the file's least and most size where the policy says."""
    try:
        policy = json.loads(base64.b64decode(fields["policy"], validate=True))
        expires = datetime.datetime.fromisoformat(_MOMENT.fullmatch(policy["expiration"])[0])  # type: ignore[index]
        conditions = policy["conditions"]
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise _invalid("Invalid JSON.") from None
    if not isinstance(conditions, list) or not conditions:
        raise _invalid("Invalid JSON.")
    if expires.timestamp() < world.clock.now():
        raise _refused("Policy expired.")
    values = {**fields, "bucket": bucket}
    named: set[str] = set()
    limits = None
    for condition in conditions:
        if isinstance(condition, list) and condition and str(condition[0]).lower() == "content-length-range":
            limits = _limits(condition)
        else:
            named.add(_hold(condition, values))
    extra = [name for name in values if name not in named and name not in _FREE and name != "bucket"
             and not name.startswith(("x-ignore-", "x-amz-checksum-"))]
    if extra or "bucket" not in named:
        raise _refused(f"Extra input fields: {(extra or ['bucket'])[0]}")
    return limits


def _limits(condition: list[Any]) -> tuple[int, int]:
    if len(condition) != 3 or not all(str(each).isdigit() for each in condition[1:]):
        raise _invalid("Invalid content-length-range.")
    return int(condition[1]), int(condition[2])


def _hold(condition: Any, values: Mapping[str, str]) -> str:
    """Check one condition; gives the name of the field that it is about."""
    if isinstance(condition, dict):
        if len(condition) != 1:
            raise _invalid("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
        name, wanted = next(iter(condition.items()))
        operator, shown = "eq", ["eq", f"${name}", wanted]
    elif isinstance(condition, list) and len(condition) == 3:
        operator, name, wanted = str(condition[0]).lower(), str(condition[1]).removeprefix("$"), condition[2]
        shown = condition
    else:
        raise _invalid("Invalid Condition.")
    found = values.get(str(name).lower())
    if operator not in ("eq", "starts-with"):
        raise _invalid(f"Invalid Condition: {operator}")
    if operator == "eq":
        holds = found == str(wanted)
    else:  # anything starts with nothing, also a field that is not there
        holds = (found or "").startswith(str(wanted))
    if not holds:
        raise _refused(f"Policy Condition failed: {json.dumps(shown)}")
    return str(name).lower()


def _tag_header(document: str) -> str:
    """The tagging field holds XML; the header form is what PutObject takes."""
    from xml.etree import ElementTree

    malformed = AwsError("MalformedXML", "The XML you provided was not well-formed or did not validate against our "
                         "published schema")
    if "<!" in document:
        raise malformed
    try:
        tags = [tag for tag in ElementTree.fromstring(document).iter() if tag.tag.rsplit("}", 1)[-1] == "Tag"]
        texts = [[part.text or "" for part in tag] for tag in tags]
    except ElementTree.ParseError:
        raise malformed from None
    if any(len(pair) != 2 for pair in texts):
        raise malformed
    return urlencode([(key, value) for key, value in texts])


def _answer(request: Request, fields: Mapping[str, str], bucket: str, stored: Mapping[str, Any]) -> Reply:
    location = f"{request.scheme}://{request.host}/{bucket}/{fields['key']}"
    headers = [("etag", stored["ETag"]), ("location", location.encode("ascii", "replace").decode()),
               ("x-amz-server-side-encryption", stored["ServerSideEncryption"])]
    if "VersionId" in stored:
        headers.append(("x-amz-version-id", stored["VersionId"]))
    redirect = fields.get("success_action_redirect") or fields.get("redirect")
    if redirect and redirect.startswith(("http://", "https://")):
        query = urlencode({"bucket": bucket, "key": fields["key"], "etag": stored["ETag"]})
        target = f"{redirect}{'&' if '?' in redirect else '?'}{query}"
        return Reply(303, [("location", target), *(h for h in headers if h[0] != "location")])
    status = fields.get("success_action_status")
    if status != "201":
        return Reply(200 if status == "200" else 204, headers)
    from xml.sax.saxutils import escape

    body = ('<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse>'
            f"<Location>{escape(location)}</Location><Bucket>{bucket}</Bucket><Key>{escape(fields['key'])}</Key>"
            f"<ETag>{escape(stored['ETag'])}</ETag></PostResponse>")
    return Reply(201, [("content-type", "application/xml"), *headers], body.encode())
