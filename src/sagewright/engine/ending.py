"""Ending what a stopped server left running: `sagewright down` calls `end_all`. Works on the job directories alone.

Model servers end with the server (their endpoints start anew with the next `up`); jobs go on, since their agents need
no server, unless everything is to end.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from sagewright.engine import jobs

_PATIENCE = 40.0


def end_all(data_dir: Path, everything: bool) -> tuple[int, int]:
    """(jobs that go on, model servers that were ended). With `everything` jobs are ended too, and waited for."""
    running = [(job, plan["kind"]) for job in sorted((data_dir / "jobs").glob("[!.]*"))
               if (plan := jobs.load(job / "plan.json")) is not None and any(_alive(host) for host in jobs.hosts(job))]
    ending = [job for job, kind in running if everything or kind == "hosting"]
    for job in ending:
        jobs.save(job / "stop.json", {"grace": 5.0})
        _signal(job, signal.SIGTERM)
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and any(_alive(host) for job in ending for host in jobs.hosts(job)):
        time.sleep(0.05)
    for job in ending:
        _signal(job, signal.SIGKILL)
    servers = sum(kind == "hosting" for _, kind in running)
    return (0 if everything else len(running) - servers), servers


def _alive(host: Path) -> bool:
    return jobs.agent_pid(host) > 0


def _signal(job: Path, number: int) -> None:
    for host in jobs.hosts(job):
        pid = jobs.agent_pid(host)
        if pid > 0:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
