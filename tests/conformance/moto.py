"""moto's own tests, unedited, in server mode. A test that calls an operation that is not served is outside.

The plugin of the shared folder sends moto's calls here, resets the account before and after each test, and writes what
each test called. For SageMaker it replaces values that no real service accepts, creates the roles and buckets that a
test names, and leaves out the tests that only a mock can pass.
"""

from __future__ import annotations

import json
import os
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

from tests.conformance import places, served, target
from tests.conformance.checks import FAILED, OUTSIDE, PASSED, Check
from tests.conftest import Live

VERSION = "5.2.5"
_OUTCOMES = {"passed": PASSED, "failed": FAILED}


def tests_of(*services: str) -> Any:
    """The suite that runs the test folders of those services."""
    return partial(_run, services=services)


def _run(live: Live, services: tuple[str, ...]) -> list[Check]:
    plugin = places.shared("moto")
    python = places.environment("moto") / "python"
    source = places.moto_source(VERSION)
    report = live.data_dir.parent / "moto.jsonl"
    environment = {
        **os.environ, "PYTHONPATH": str(plugin), "CONFORMANCE_ENDPOINT": live.url, "CONFORMANCE_REPORT": str(report),
        "CONFORMANCE_RESET": f"{live.url}/_sagewright/reset?bare", "CONFORMANCE_ACCESS_KEY": target.MOTO[0],
        "CONFORMANCE_SECRET_KEY": target.MOTO[1], "CONFORMANCE_FIXUPS": "1", "CONFORMANCE_PROVISION": "1",
        "CONFORMANCE_DESELECT": str(plugin / "sagemaker_mock_only.txt"), "TESTS_SKIP_REQUIRES_DOCKER": "1"}
    log = places.WORK / f"moto-{services[0]}.log"
    with log.open("wb") as output:
        subprocess.run([str(python), "-m", "pytest", "-p", "conformance_moto", "-p", "no:cacheprovider", "-q",
                        "--tb=line", "--color=no", "--timeout", "60",
                        *(f"tests/test_{service}" for service in services)],
                       cwd=source, env=environment, stdout=output, stderr=output, timeout=3600)
    if not report.exists():
        raise RuntimeError(f"moto's tests did not run; see {log}")
    return checks(report)


def checks(report: Path) -> list[Check]:
    """The plugin's report, one check a test."""
    return [_check(json.loads(line)) for line in report.read_text().splitlines()]


def _check(record: dict[str, Any]) -> Check:
    name = record["nodeid"].removeprefix("tests/")
    status = _OUTCOMES.get(record["outcome"], OUTSIDE)
    if status == FAILED:
        absent = served.missing((service, operation, code) for service, operation, _, code, _ in record["calls"])
        if absent:
            return Check(name, OUTSIDE, absent)
    why = record["why"] if status == FAILED else record["outcome"]
    return Check(name, status, " ".join(why.split())[:300])
