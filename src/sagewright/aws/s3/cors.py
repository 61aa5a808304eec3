"""Cross-origin rules of a bucket: which rule a browser's request meets, and the headers that say so. Pure functions.

Called by `edge` for preflights and for answers to requests with an Origin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sagewright.core import wildcards
from sagewright.core.errors import AwsError

Rule = Mapping[str, Any]


def matching(rules: Sequence[Rule], origin: str, method: str, asked: Sequence[str]) -> Rule | None:
    """The first rule that allows this origin, method and these request headers."""
    for rule in rules:
        if method not in rule.get("AllowedMethods", []):
            continue
        if not any(wildcards.matches(each, origin) for each in rule.get("AllowedOrigins", [])):
            continue
        allowed = [each.lower() for each in rule.get("AllowedHeaders") or []]
        if all(any(wildcards.matches(each, header) for each in allowed) for header in asked):
            return rule
    return None


def headers(rule: Rule, origin: str, asked: Sequence[str] = (), preflight: bool = False) -> dict[str, str]:
    """The Access-Control headers of an answer under that rule."""
    everybody = "*" in rule.get("AllowedOrigins", [])
    found = {"access-control-allow-origin": "*" if everybody else origin,
             "access-control-allow-methods": ", ".join(rule["AllowedMethods"]),
             "vary": "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"}
    if not everybody:
        found["access-control-allow-credentials"] = "true"
    if rule.get("ExposeHeaders"):
        found["access-control-expose-headers"] = ", ".join(rule["ExposeHeaders"])
    if preflight and asked:
        found["access-control-allow-headers"] = ", ".join(asked)
    if preflight and rule.get("MaxAgeSeconds") is not None:
        found["access-control-max-age"] = str(rule["MaxAgeSeconds"])
    return found


def forbidden(why: str, method: str, key: str) -> AwsError:
    """403 for a preflight, with S3's reason."""
    return AwsError("AccessForbidden", f"CORSResponse: {why}", 403,
                    {"Method": method, "ResourceType": "OBJECT" if key else "BUCKET"})


NOT_ALLOWED = ("This CORS request is not allowed. This is usually because the evalution of Origin, request method / "
               "Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's "
               "CORS spec.")
