"""Answers in pieces: boto3 and the JavaScript SDK read what a model yields, and learn when it breaks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EventStreamError

from tests.conftest import Live
from tests.sdk import clients, jobs, served

pytestmark = [pytest.mark.sdk, pytest.mark.xdist_group("streaming")]


@pytest.fixture(scope="module")
def bucket(live: Live) -> str:
    return jobs.bucket(live, "streaming-tests")


@pytest.fixture(scope="module")
def endpoint(live: Live, bucket: str) -> Iterator[str]:
    with served.streaming_endpoint(live, bucket) as name:
        yield name


def pieces(live: Live, endpoint: str, body: bytes) -> Iterator[bytes]:
    answer = live.client("sagemaker-runtime").invoke_endpoint_with_response_stream(
        EndpointName=endpoint, ContentType="application/json", Body=body)
    assert answer["ContentType"] == "text/plain" and answer["InvokedProductionVariant"] == "V"
    for event in answer["Body"]:
        yield event["PayloadPart"]["Bytes"]


def test_every_yield_is_a_part(live: Live, endpoint: str) -> None:
    assert list(pieces(live, endpoint, b'{"parts": 4}')) == [b"part %d\n" % n for n in range(4)]


def test_a_plain_invocation_gathers_the_parts(live: Live, endpoint: str) -> None:
    answer = live.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint, ContentType="application/json", Body=b'{"parts": 3}')
    assert answer["Body"].read() == b"part 0\npart 1\npart 2\n"


def test_a_model_that_breaks_in_the_middle_ends_the_stream_with_an_error(live: Live, endpoint: str) -> None:
    got = []
    with pytest.raises(EventStreamError) as broken:
        for piece in pieces(live, endpoint, b'{"parts": 4, "fail_at": 2}'):
            got.append(piece)
    assert got == [b"part 0\n", b"part 1\n"]
    assert "ModelStreamError" in str(broken.value)
    jobs.log_says(live, "the model broke in the middle", f"/aws/sagemaker/Endpoints/{endpoint}")
    assert list(pieces(live, endpoint, b'{"parts": 1}')) == [b"part 0\n"]


def test_a_model_that_breaks_at_once_is_a_model_error(live: Live, endpoint: str) -> None:
    with pytest.raises(ClientError) as broken:
        list(pieces(live, endpoint, b"no json"))
    assert broken.value.response["Error"]["Code"] == "ModelError"
    assert broken.value.response["OriginalStatusCode"] == 500


def test_a_reader_that_leaves_early_harms_nobody(live: Live, endpoint: str) -> None:
    for _ in range(5):
        answer = live.client("sagemaker-runtime").invoke_endpoint_with_response_stream(
            EndpointName=endpoint, ContentType="application/json", Body=b'{"parts": 200000}')
        next(iter(answer["Body"]))
        answer["Body"].close()
    assert list(pieces(live, endpoint, b'{"parts": 1}')) == [b"part 0\n"]


def test_the_javascript_sdk(live: Live, endpoint: str, bucket: str, home: Path) -> None:
    place = clients.node_environment()
    client = clients.Client(place, live, home)
    done = client.run("node", place / "smoke.mjs", endpoint, bucket, ok=False)
    assert done.returncode == 0 and "FAIL" not in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("PASS") == 16
