"""What a browser asks of S3 that the model does not know: preflights, form uploads, and CORS headers on answers.

Published as `World.parts["s3_edge"]`; the gateway asks `takes` before it looks for an operation, then `answer`, and
adds `headers` to the answers of S3 requests that carry an Origin. With an external S3 it takes nothing.
"""

from __future__ import annotations

from typing import Any

from sagewright.aws.s3 import buckets, cors, post
from sagewright.core.call import ANONYMOUS, Call
from sagewright.core.errors import AwsError
from sagewright.core.http import Reply, Request
from sagewright.core.world import World


class Edge:
    """The part `s3_edge`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def takes(self, request: Request, bucket: str, key: str) -> bool:
        """Whether this request is one of those that the model does not know."""
        if self._world.config.s3_url:  # another S3 has its own rules and forms
            return False
        if request.method == "OPTIONS":
            return bool(bucket)
        return request.method == "POST" and bool(bucket) and not key and not request.query and \
            request.headers.get("content-type").lower().startswith("multipart/form-data")

    def answer(self, request: Request, bucket: str, key: str) -> Reply:
        """Answer it; AwsError as for any operation."""
        if request.method == "OPTIONS":
            return self._preflight(request, bucket, key)
        return post.post_object(self._world, request, bucket)

    def headers(self, request: Request, bucket: str) -> dict[str, str]:
        """The CORS headers of an answer to a request with an Origin; none where no rule fits."""
        origin = request.headers.get("origin")
        if not origin or not bucket or self._world.config.s3_url:
            return {}
        try:
            rules = self._rules(bucket) or []
        except AwsError:
            return {}
        method = request.headers.get("access-control-request-method") or request.method
        rule = cors.matching(rules, origin, method, ())
        return cors.headers(rule, origin) if rule is not None else {}

    def _rules(self, name: str) -> list[dict[str, Any]] | None:
        call = Call(self._world, "s3", "GetBucketCors", self._world.config.region, "", ANONYMOUS, {})
        bucket = buckets.lookup(call, name)
        if bucket is None:
            raise cors.forbidden("Bucket not found", "OPTIONS", "")
        rules = bucket.settings.get("CORSConfiguration", {}).get("CORSRules")
        return list(rules) if rules else None

    def _preflight(self, request: Request, bucket: str, key: str) -> Reply:
        origin = request.headers.get("origin")
        method = request.headers.get("access-control-request-method")
        if not origin:
            raise AwsError("BadRequest", "Insufficient information. Origin request header needed.")
        if method not in ("GET", "PUT", "POST", "DELETE", "HEAD"):
            raise AwsError("BadRequest", f"Invalid Access-Control-Request-Method: {method or 'null'}")
        rules = self._rules(bucket)
        if rules is None:
            raise cors.forbidden("CORS is not enabled for this bucket.", method, "")
        wanted = request.headers.get("access-control-request-headers").split(",")
        asked = [header.strip().lower() for header in wanted if header.strip()]
        rule = cors.matching(rules, origin, method, asked)
        if rule is None:
            raise cors.forbidden(cors.NOT_ALLOWED, method, key)
        return Reply(200, list(cors.headers(rule, origin, asked, preflight=True).items()))
