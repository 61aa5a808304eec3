"""The table of suites: name -> what runs it against a server. Names are those of the baseline files."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tests.conformance import ceph, clients, fuzz, moto, terraform
from tests.conformance.checks import Check
from tests.conftest import Live

Suite = Callable[[Live], Iterable[Check]]

SUITES: dict[str, Suite] = {
    "sigv4-vectors": clients.vectors,
    "sigv4-http": clients.sigv4,
    "sigv4-https": clients.sigv4_tls,
    "aws-cli": clients.command_line,
    "javascript": clients.javascript,
    "terraform": terraform.resources,
    "s3-tests": ceph.core,
    "moto-sagemaker": moto.tests_of("sagemaker", "sagemakermetrics"),
    "moto-s3": moto.tests_of("s3"),
    "moto-iam": moto.tests_of("iam"),
    "moto-sts": moto.tests_of("sts"),
    "moto-logs": moto.tests_of("logs"),
    "moto-cloudwatch": moto.tests_of("cloudwatch"),
    "moto-kms": moto.tests_of("kms"),
    "moto-ecr": moto.tests_of("ecr"),
    "fuzz-sagemaker": fuzz.requests_to("sagemaker"),
    "fuzz-sagemaker-runtime": fuzz.requests_to("sagemaker-runtime"),
    "fuzz-s3": fuzz.requests_to("s3"),
    "fuzz-iam": fuzz.requests_to("iam"),
    "fuzz-sts": fuzz.requests_to("sts"),
    "fuzz-logs": fuzz.requests_to("logs"),
    "fuzz-cloudwatch": fuzz.requests_to("cloudwatch", "smithy-rpc-v2-cbor"),
    "fuzz-cloudwatch-json": fuzz.requests_to("cloudwatch", "json"),
    "fuzz-cloudwatch-query": fuzz.requests_to("cloudwatch", "query"),
    "fuzz-kms": fuzz.requests_to("kms"),
    "fuzz-ecr": fuzz.requests_to("ecr"),
}
