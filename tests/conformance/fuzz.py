"""The model-driven fuzzer: one check per operation, which passes when no request of it ended in a finding.

A finding is a 5xx, a hang, a dropped connection, an answer that is no modelled output or no modelled error, or bad
authentication that was accepted. Every operation counts, also those that are not served: they must be refused properly.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from typing import Any

from tests.conformance import places, target
from tests.conformance.checks import FAILED, PASSED, Check
from tests.conftest import Live

_FINDINGS = frozenset(("5xx", "hang", "disconnect", "error-not-json", "error-unparsable", "unmodelled-error",
                       "accepted-bad-auth", "bad-output", "output-not-json", "output-unparsable", "error-no-type"))
# This kind sends a byte more than Content-Length says: what was signed is whole, and the byte is of no request at all.
_SPILL = ("accepted-bad-auth", "tampered-body")
REQUESTS = int(os.environ.get("SAGEWRIGHT_FUZZ", "60"))


def requests_to(service: str, protocol: str = "") -> Any:
    """The suite that fuzzes one service, in a protocol other than its first where one is named."""
    return partial(run, service=service, protocol=protocol)


def run(live: Live, service: str, protocol: str = "", requests: int = 0, seed: int = 1) -> list[Check]:
    """Fuzz every operation of a service with so many requests each."""
    script = places.shared("fuzz_api.py")
    report = live.data_dir.parent / f"fuzz-{service}-{protocol}.json"
    command = [sys.executable, str(script), "--endpoint", live.url, "--service", service, "-n",
               str(requests or REQUESTS), "--seed", str(seed), "--timeout", "30", "--json", str(report),
               "--access-key", target.TEST[0], "--secret-key", target.TEST[1]]
    if protocol:
        command += ["--protocol", protocol]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1800)
    if not report.exists():
        raise RuntimeError(f"the fuzzer did not finish: {done.stdout[-500:]}")
    return checks(json.loads(report.read_text()))


def checks(report: dict[str, Any]) -> list[Check]:
    """One check per operation; `why` is what replays its first finding."""
    first: dict[str, str] = {}
    for result in report["results"]:
        bad = [problem for problem in result["problems"]
               if problem in _FINDINGS and (problem, result["kind"]) != _SPILL]
        if bad:
            words = result.get("why") or result.get("msg") or ""
            first.setdefault(result["op"], f"{','.join(bad)} {result['op']}:{result['kind']}:{result['seed']} -> "
                             f"{result['status']} {result.get('code') or ''} {words}"[:300])
    return [Check(name, FAILED, first[name]) if name in first else Check(name, PASSED) for name in report["ops"]]
