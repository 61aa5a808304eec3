"""ceph/s3-tests: the core subset, with six principals of five accounts.

`s3tests_relaxed.py` makes new buckets as they were before April 2023 (the suite relies on public ACLs), and
`s3tests_excluded.txt` lists what contradicts AWS.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import boto3

from sagewright.aws.s3.acl import canonical_id
from tests.conformance import places, target
from tests.conformance.checks import FAILED, OUTSIDE, PASSED, Check
from tests.conftest import Live

COMMIT = "8f0ae7b404a3a2fcf7038bf1e6bf29544fe9b6a3"
_OUTCOMES = {"passed": PASSED, "skipped": OUTSIDE}


def core(live: Live) -> list[Check]:
    """Buckets, objects, listings, multipart, copy, conditions, versions, tags, encryption and policies."""
    plugin = places.shared("s3tests")
    python = places.environment("s3tests") / "python"
    source = places.ceph_source(COMMIT)
    folder = live.data_dir.parent
    settings, report = folder / "s3.conf", folder / "ceph.jsonl"
    _write_settings(settings, live)
    environment = {**os.environ, "S3TEST_CONF": str(settings), "PYTHONPATH": f"{plugin}:{places.HERE}",
                   "CONFORMANCE_SUBSET": "core", "CONFORMANCE_REPORT": str(report)}
    log = places.WORK / "s3tests.log"
    with log.open("wb") as output:
        subprocess.run([str(python), "-m", "pytest", "-q", "-p", "conformance_s3", "-p", "s3tests_relaxed", "-p",
                        "no:cacheprovider", "--tb=line", "--timeout", "240", "-m", "not fails_on_aws",
                        "s3tests/functional"],
                       cwd=source, env=environment, stdout=output, stderr=output, timeout=3600)
    if not report.exists():
        raise RuntimeError(f"s3-tests did not run; see {log}")
    records = map(json.loads, report.read_text().splitlines())
    return [Check(one["nodeid"].rsplit("/", 1)[-1], _OUTCOMES.get(one["outcome"], FAILED),
                  " ".join(one["why"].split())[:300]) for one in records]


def _write_settings(file: Path, live: Live) -> None:
    """The suite's settings; users are named by the canonical ids of their accounts."""
    keys = [part for access, secret, _ in target.CEPH for part in (access, secret)]
    key = boto3.client("kms", endpoint_url=live.url, region_name=target.REGION, aws_access_key_id=keys[0],
                       aws_secret_access_key=keys[1]).create_key()["KeyMetadata"]["Arn"]
    subprocess.run([sys.executable, str(places.shared("s3tests", "make_conf.py")), "--endpoint", live.url, "--out",
                    str(file), "--kms-key", key, "--keys", *keys], check=True)
    owners = iter([canonical_id(account) for _, _, account in target.CEPH])
    file.write_text(re.sub(r"user_id = .*", lambda _: f"user_id = {next(owners)}", file.read_text()))
