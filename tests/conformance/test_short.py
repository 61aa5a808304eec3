"""The short form of `make conformance`: live signatures over http and https, and a light fuzz of SageMaker and S3.

Runs where the suites' folder is present (`places.shared`); the whole is `scripts/conformance`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.conformance import checks, clients, fuzz, places, target
from tests.conformance.checks import FAILED, PASSED, Check
from tests.conftest import Live


@pytest.fixture(scope="module")
def server() -> Iterator[Live]:
    with target.running() as live:
        yield live


def found(suite: Callable[[Live], list[Check]], live: Live) -> list[Check]:
    try:
        return suite(live)
    except places.Absent as absent:
        pytest.skip(str(absent))


@pytest.mark.parametrize("suite", [clients.sigv4, clients.sigv4_tls], ids=["http", "https"])
def test_every_live_signature_check_passes(server: Live, suite: Callable[[Live], list[Check]]) -> None:
    results = found(suite, server)
    assert len(results) == 69
    assert [check for check in results if check.status != PASSED] == []


@pytest.mark.parametrize(("service", "requests"), [("sagemaker", 6), ("s3", 12)])
def test_no_operation_answers_with_a_fault(server: Live, service: str, requests: int) -> None:
    results = found(partial(fuzz.run, service=service, requests=requests, seed=7), server)
    known = {pattern for pattern, _ in checks.explanations(f"fuzz-{service}")}
    assert len(results) > 100
    assert [check for check in results if check.status == FAILED and check.name not in known] == []


def test_a_reset_empties_the_account_and_leaves_it_usable(server: Live) -> None:
    sagemaker, s3 = server.client("sagemaker"), server.client("s3")
    s3.create_bucket(Bucket="before-the-reset")
    sagemaker.create_model(ModelName="before", ExecutionRoleArn=server.role_arn)
    server.client("iam").create_user(UserName="before")
    server.reset()
    assert s3.list_buckets()["Buckets"] == [] and sagemaker.list_models()["Models"] == []
    assert server.client("iam").list_users()["Users"] == []
    sagemaker.create_model(ModelName="before", ExecutionRoleArn=server.role_arn)
    assert sagemaker.describe_model(ModelName="before")["ExecutionRoleArn"] == server.role_arn
