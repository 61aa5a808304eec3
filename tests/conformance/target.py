"""The server that a suite runs against: a fresh one on a free port, with the accounts and keys that suites expect."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import Live, start_server

MOTO = ("FOOBARKEY", "FOOBARSECRET")
TEST = ("test", "test")
# The six principals that ceph/s3-tests wants: main, alt, tenant, iam, iam root, iam alt root.
CEPH = (("AKMAIN", "SKMAIN", "111111111111"), ("AKALT", "SKALT", "222222222222"), ("AKTEN", "SKTEN", "333333333333"),
        ("AKIAM", "SKIAM", "111111111111"), ("AKROOT", "SKROOT", "444444444444"),
        ("AKALTROOT", "SKALTROOT", "555555555555"))
REGION = "us-east-1"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
BUCKET = "conformance-models"
_SCRIPT = '''import json


def model_fn(model_dir):
    return None


def input_fn(body, content_type):
    return body


def predict_fn(data, model):
    return {"length": len(data)}


def output_fn(prediction, accept):
    return json.dumps(prediction), "application/json"
'''


@contextmanager
def running(*flags: str) -> Iterator[Live]:
    """A server for one suite; what it started ends with it."""
    keys = [":".join(key) for key in (MOTO, TEST, *CEPH)]
    allowed = [flag for key in keys for flag in ("--allow-access-key", key)]
    with tempfile.TemporaryDirectory(prefix="conformance-", ignore_cleanup_errors=True) as folder:
        live = start_server(Path(folder) / "data", "--region", REGION, *allowed, *flags)
        live.region = REGION
        try:
            yield live
        finally:
            live.end()


def model_archive() -> bytes:
    """A model.tar.gz whose script answers the length of what it is sent."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        member = tarfile.TarInfo("code/inference.py")
        member.size = len(_SCRIPT)
        archive.addfile(member, io.BytesIO(_SCRIPT.encode()))
    return data.getvalue()


def put_model(live: Live) -> str:
    """Upload that model; its S3 URI."""
    s3 = live.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="model.tar.gz", Body=model_archive())
    return f"s3://{BUCKET}/model.tar.gz"
