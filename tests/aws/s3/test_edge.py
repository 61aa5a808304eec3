"""What browsers ask: preflights, CORS headers, and uploads from forms."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from sagewright.core.call import Principal
from sagewright.core.errors import AwsError
from sagewright.core.http import Headers, Reply, Request

from .room import ACCOUNT, Room

RULES = {"CORSRules": [
    {"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["https://*.example.com"], "AllowedHeaders": ["x-amz-*"],
     "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 60},
    {"AllowedMethods": ["HEAD"], "AllowedOrigins": ["*"]}]}


@dataclass
class Dribble:
    """A body that comes in small pieces, so that boundaries are cut anywhere."""

    data: bytes
    step: int
    at: int = field(default=0)

    def read(self, n: int = -1) -> bytes:
        end = min(self.at + self.step, self.at + n if n >= 0 else len(self.data))
        found, self.at = self.data[self.at:end], end
        return found


class Identities:
    """One key, as the gateway looks keys up."""

    def lookup(self, access_key: str) -> Any:
        who = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, access_key)
        return ("secret", who, None) if access_key == "AKID" else None


@pytest.fixture
def site(room: Room) -> Room:
    """A room with a bucket that has CORS rules."""
    room.world.parts["identities"] = Identities()
    room.create_bucket(Bucket="site")
    room.put_bucket_cors(Bucket="site", CORSConfiguration=RULES)
    return room


def preflight(room: Room, bucket: str, origin: str, method: str, headers: str = "") -> Reply:
    sent = [("origin", origin), ("access-control-request-method", method), ("access-control-request-headers", headers)]
    request = Request("OPTIONS", f"/{bucket}/k", "", Headers([pair for pair in sent if pair[1]]))
    edge = room.world.parts["s3_edge"]
    assert edge.takes(request, bucket, "k")
    return edge.answer(request, bucket, "k")


def test_a_preflight_that_a_rule_allows(site: Room) -> None:
    found = dict(preflight(site, "site", "https://a.example.com", "PUT", "x-amz-date, X-Amz-Meta-A").headers)
    assert found["access-control-allow-origin"] == "https://a.example.com"
    assert found["access-control-allow-methods"] == "GET, PUT"
    assert found["access-control-allow-headers"] == "x-amz-date, x-amz-meta-a"
    assert (found["access-control-max-age"], found["access-control-expose-headers"]) == ("60", "ETag")
    assert dict(preflight(site, "site", "http://any", "HEAD").headers)["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(("origin", "method", "headers", "code"), [
    ("https://a.example.org", "GET", "", "AccessForbidden"), ("https://a.example.com", "DELETE", "", "AccessForbidden"),
    ("https://a.example.com", "GET", "content-type", "AccessForbidden"), ("", "GET", "", "BadRequest"),
    ("https://a.example.com", "PATCH", "", "BadRequest")])
def test_a_preflight_that_no_rule_allows(site: Room, origin: str, method: str, headers: str, code: str) -> None:
    with pytest.raises(AwsError) as refused:
        preflight(site, "site", origin, method, headers)
    assert refused.value.code == code


def test_an_answer_to_another_origin_says_whether_it_may_be_read(site: Room) -> None:
    edge = site.world.parts["s3_edge"]

    def allowed(origin: str) -> str | None:
        return edge.headers(Request("GET", "/site/k", "", Headers([("origin", origin)])), "site").get(
            "access-control-allow-origin")

    assert allowed("https://a.example.com") == "https://a.example.com"
    assert allowed("https://elsewhere") is None
    assert edge.headers(Request("GET", "/none/k", "", Headers([("origin", "x")])), "none") == {}


def form(fields: dict[str, str], file: bytes, step: int = 1 << 20) -> Request:
    """A form as browsers send it."""
    parts = [f'--XyZ\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
             for name, value in fields.items()]
    head = b'--XyZ\r\nContent-Disposition: form-data; name="file"; filename="C:\\a.txt"\r\nContent-Type: text/z\r\n\r\n'
    body = b"".join(parts) + head + file + b"\r\n--XyZ--\r\n"
    headers = Headers([("content-type", "multipart/form-data; boundary=XyZ"), ("host", "localhost")])
    return Request("POST", "/site", "", headers, body=Dribble(body, step))


def signed(conditions: list[Any], expires: float = 600.0, **fields: str) -> dict[str, str]:
    """Form fields with a policy, signed with version 4."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + expires))
    document = {"expiration": moment, "conditions": [{"bucket": "site"}, ["starts-with", "$key", ""], *conditions]}
    policy = base64.b64encode(json.dumps(document).encode()).decode()
    key = b"AWS4secret"
    for part in ("20261124", "us-east-1", "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return {"key": "up/${filename}", **fields, "policy": policy, "x-amz-algorithm": "AWS4-HMAC-SHA256",
            "x-amz-credential": "AKID/20261124/us-east-1/s3/aws4_request", "x-amz-date": "20261124T000000Z",
            "x-amz-signature": hmac.new(key, policy.encode(), hashlib.sha256).hexdigest()}


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
@pytest.mark.parametrize("file", [b"", b"hello", b"\r\n--Xy is not the end\r\n--Xy", b"\x00\xff" * 20_000])
def test_a_form_stores_its_file(site: Room, file: bytes, step: int) -> None:
    if step == 1 and len(file) > 1000:
        file = file[:1000]
    fields = signed([["starts-with", "$x-amz-meta-a", "b"], ["content-length-range", 0, 50_000]],
                    **{"x-amz-meta-a": "bc"})
    reply = site.world.parts["s3_edge"].answer(form(fields, file, step), "site", "")
    assert reply.status == 204
    assert site.body(Bucket="site", Key="up/a.txt") == file
    head = site.head_object(Bucket="site", Key="up/a.txt")
    assert head["Metadata"] == {"a": "bc"} and head["ContentType"] == "binary/octet-stream"


@pytest.mark.parametrize(("fields", "code"), [
    (signed([], expires=-1), "AccessDenied"), (signed([["eq", "$key", "other"]]), "AccessDenied"),
    (signed([], acl="private"), "AccessDenied"), (signed([["content-length-range", 0, 3]]), "EntityTooLarge"),
    (signed([["content-length-range", 10, 20]]), "EntityTooSmall"), (signed([{"a": "b", "c": "d"}]),
                                                                     "InvalidPolicyDocument"),
    ({**signed([]), "x-amz-signature": "0" * 64}, "SignatureDoesNotMatch"), ({**signed([]), "policy": "bm8="},
                                                                            "SignatureDoesNotMatch"),
    ({**signed([]), "x-amz-credential": "NOBODY/20261124/us-east-1/s3/aws4_request"}, "InvalidAccessKeyId"),
    ({"key": "k"}, "AccessDenied"), ({"acl": "private"}, "InvalidArgument")])
def test_a_form_that_its_policy_does_not_allow(site: Room, blobs, fields: dict[str, str], code: str) -> None:
    with pytest.raises(AwsError) as refused:
        site.world.parts["s3_edge"].answer(form(fields, b"hello"), "site", "")
    assert refused.value.code == code
    assert site.list_objects_v2(Bucket="site")["KeyCount"] == 0 and blobs() == set()


@pytest.mark.parametrize("body", [b"", b"--XyZ", b"--XyZ\r\nContent-Disposition: form-data\r\n\r\nx\r\n--XyZ--",
                                  b"x" * 50_000])
def test_a_body_that_is_no_form_is_refused(site: Room, body: bytes) -> None:
    request = form({}, b"")
    request.body = io.BytesIO(body)
    with pytest.raises(AwsError) as refused:
        site.world.parts["s3_edge"].answer(request, "site", "")
    assert refused.value.code == "MalformedPOSTRequest"
