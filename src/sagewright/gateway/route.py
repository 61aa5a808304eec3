"""Which service and operation a request is for. Called by `chain.resolve`; reads models through `core.model`.

The credential scope names the service, X-Amz-Target or the path names the operation: no guessing. Unsigned requests are
placed by their target, host name or form action; what is left is S3, whose anonymous reads have nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from sagewright.core.errors import AwsError
from sagewright.core.http import Request
from sagewright.gateway import rest, s3_route

# X-Amz-Target prefix -> botocore service name
TARGETS = {
    "SageMaker": "sagemaker", "Logs_20140328": "logs", "GraniteServiceVersion20100801": "cloudwatch",
    "TrentService": "kms", "AmazonEC2ContainerRegistry_V20150921": "ecr", "AmazonSQS": "sqs", "AWSEvents": "events",
    "AWSGlue": "glue", "AmazonAthena": "athena", "AnyScaleFrontendService": "application-autoscaling",
    "CloudTrail_20131101": "cloudtrail", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101": "cloudtrail",
}
# signing name -> botocore services that sign with it, REST ones after the one with targets
SIGNED = {
    "sagemaker": ("sagemaker", "sagemaker-runtime", "sagemaker-metrics", "sagemaker-featurestore-runtime"),
    "s3": ("s3",), "iam": ("iam",), "sts": ("sts",), "logs": ("logs",), "monitoring": ("cloudwatch",),
    "kms": ("kms",), "ecr": ("ecr",), "sns": ("sns",), "sqs": ("sqs",), "events": ("events",), "lambda": ("lambda",),
    "scheduler": ("scheduler",), "glue": ("glue",), "athena": ("athena",), "cloudtrail": ("cloudtrail",),
    "application-autoscaling": ("application-autoscaling",),
}
SIGNING_NAME = {service: name for name, services in SIGNED.items() for service in services}
QUERY = frozenset({"iam", "sts", "sns", "cloudwatch", "sqs"})
REST = frozenset({"sagemaker-runtime", "sagemaker-metrics", "sagemaker-featurestore-runtime", "lambda", "scheduler"})
_HOST = re.compile(r"^(?:runtime\.|api\.|metrics\.|featurestore-runtime\.|stream-)?([a-z0-9-]+)\.")
_HOSTS = {"monitoring": "cloudwatch", "sts": "sts", "iam": "iam", "logs": "logs", "kms": "kms", "ecr": "ecr",
          "sagemaker": "sagemaker", "email": "ses"}
_FORM_VERSIONS = {"2010-05-08": "iam", "2011-06-15": "sts", "2010-08-01": "cloudwatch", "2010-03-31": "sns",
                  "2012-11-05": "sqs"}


@dataclass(frozen=True)
class Route:
    """A resolved request. `labels` are the decoded parts of a REST path; `signing` the name the scope must carry."""

    service: str
    operation: str
    protocol: str
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def signing(self) -> str:
        return SIGNING_NAME.get(self.service, self.service)


def scope_of(request: Request) -> tuple[str, str]:
    """(region, signing name) of the credential scope, empty where the request carries none."""
    credential = ""
    authorization = request.headers.get("authorization")
    if "Credential=" in authorization:
        credential = authorization.split("Credential=", 1)[1].split(",", 1)[0].strip()
    elif "X-Amz-Credential=" in request.query:
        credential = dict(parse_qsl(request.query)).get("X-Amz-Credential", "")
    parts = credential.rsplit("/", 4)
    return (parts[2], parts[3]) if len(parts) == 5 else ("", "")


def resolve(request: Request, body: bytes | None) -> Route:
    """The route of a request; `body` is the buffered body (None while it is still a stream)."""
    if request.headers.get("smithy-protocol") == "rpc-v2-cbor":
        return _cbor(request)
    target = request.headers.get("x-amz-target").strip()
    if target:
        return _target(target)
    signing = scope_of(request)[1]
    services = SIGNED.get(signing, ())
    if signing and not services:
        raise AwsError("UnrecognizedClientException", f"There is no service {signing!r} here.")
    if not services:
        services = _unsigned(request, body)
    for service in services:
        if service in REST and (found := rest.match(service, request)) is not None:
            return Route(service, found.operation, "rest-json", found.labels)
    if services[0] in QUERY:
        return _form(services[0], request, body)
    if services[0] == "s3":
        found = s3_route.match(request)
        return Route("s3", found.operation, "rest-xml", found.labels)
    raise AwsError("UnknownOperationException", "The requested operation is not known to this service.", 404)


def _cbor(request: Request) -> Route:
    parts = request.raw_path.split("/")
    if len(parts) == 5 and parts[1] == "service" and parts[3] == "operation" and parts[2] in TARGETS:
        return Route(TARGETS[parts[2]], rest.known(TARGETS[parts[2]], parts[4]), "smithy-rpc-v2-cbor")
    raise AwsError("UnknownOperationException", f"No operation at {request.raw_path}.", 404)


def _target(target: str) -> Route:
    prefix, _, operation = target.rpartition(".")
    service = TARGETS.get(prefix)
    if service is None:
        raise AwsError("UnknownOperationException", f"No service answers to the target {target!r}.")
    return Route(service, rest.known(service, operation), "json")


def _unsigned(request: Request, body: bytes | None) -> tuple[str, ...]:
    found = _HOST.match(request.host)
    if found and found.group(1) in _HOSTS:
        return SIGNED.get(SIGNING_NAME.get(_HOSTS[found.group(1)], ""), (_HOSTS[found.group(1)],))
    form = _fields(request, body)
    if "Action" in form:
        service = _FORM_VERSIONS.get(form.get("Version", ""))
        if service is not None:
            return (service,)
    for service in ("sagemaker-runtime",):
        if rest.match(service, request) is not None:
            return (service,)
    return ("s3",)


def _form(service: str, request: Request, body: bytes | None) -> Route:
    action = _fields(request, body).get("Action", "")
    if not action:
        raise AwsError("MissingAction", "Could not find Action in request.")
    return Route(service, rest.known(service, action, "InvalidAction"), "query")


def _fields(request: Request, body: bytes | None) -> dict[str, str]:
    fields = dict(parse_qsl(request.query, keep_blank_values=True))
    if body and request.method == "POST" and "x-www-form-urlencoded" in request.headers.get("content-type"):
        try:
            fields.update(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=20000))
        except ValueError:
            raise AwsError("ValidationError", "The form has too many fields.") from None
    return fields
