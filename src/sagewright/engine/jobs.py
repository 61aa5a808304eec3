"""A job on disk: `<data>/jobs/<handle>/` with its plan, and one directory per host. Called by `local.py`.

    plan.json         the Plan as submitted              (the engine writes it, once)
    placement.json    what it was given on this machine  (the engine writes it when the job starts)
    credentials.json  the role's credentials of the moment (renewed by the engine)
    stop.json         a stop was asked for
    algo-1/status.jsonl  the truth; algo-1/agent.lock is locked while the agent lives and holds its pid
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from sagewright.core.seams import Image, Outcome, Plan
from sagewright.engine import status


def handle_of(plan: Plan) -> str:
    """The text that names a run: readable, and different for every (arn, attempt)."""
    digest = hashlib.sha256(f"{plan.arn}\0{plan.attempt}".encode()).hexdigest()[:12]
    return f"{re.sub(r'[^A-Za-z0-9-]+', '-', plan.name)[:63].strip('-')}-{digest}"


def write(jobs: Path, handle: str, plan: Plan) -> Path:
    """The job's directory with its plan, there as a whole or not at all."""
    new = jobs / f".new-{handle}"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    new.chmod(0o711)
    save(new / "plan.json", dataclasses.asdict(plan))
    for number in range(1, plan.instance_count + 1):
        (new / f"algo-{number}").mkdir()
        status.Status(new / f"algo-{number}" / "status.jsonl").enter("queued", "Waiting for capacity")
    new.rename(jobs / handle)
    return jobs / handle


def save(path: Path, value: Any) -> None:
    """A JSON file that only we can read, replaced as a whole and durable."""
    new = path.with_name(path.name + ".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(value, file, default=dict)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)


def load(path: Path) -> Any:
    """The JSON file's value, None if it is not there."""
    with suppress(FileNotFoundError):
        return json.loads(path.read_text())
    return None


def lock(host: Path) -> int:
    """A descriptor that holds the host's lock, to be inherited by its agent; BlockingIOError if an agent lives."""
    fd = os.open(host / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(fd)
        raise
    return fd


def agent_pid(host: Path) -> int:
    """The pid of the living agent; 0 if none lives; -1 if one is only being started."""
    with suppress(FileNotFoundError):  # the job may be removed meanwhile
        try:
            os.close(lock(host))
        except BlockingIOError:
            text = (host / "agent.lock").read_text().strip()
            return int(text) if text else -1
    return 0


def hosts(job: Path) -> list[Path]:
    """The directories of the job's hosts, in their order."""
    return sorted((path for path in job.glob("algo-*") if path.is_dir()), key=lambda path: int(path.name[5:]))


def outcome(lines: list[dict[str, Any]], host: str = "algo-1") -> Outcome:
    """What one host's status lines add up to."""
    last: dict[str, Any] = lines[-1] if lines else {"phase": "queued"}
    first = {line["phase"]: line["at"] for line in reversed(lines)}
    phases = [(line["phase"], line["at"], line.get("message", "")) for line in lines]
    exited = last["phase"] == "exited"
    address: dict[str, Any] = next((line["address"] for line in reversed(lines) if "address" in line), {})
    notes = [line["note"] for line in lines if line.get("note")]
    return Outcome(
        phase=last["phase"], phases=phases, failure=last.get("failure", ""), blame=last.get("blame", ""),
        exit_codes={host: last["exit_code"]} if last.get("exit_code") is not None else {},
        ended_by=last.get("ended_by", ""), started=first.get("downloading", 0.0), ended=last["at"] if exited else 0.0,
        final_metrics=last.get("final_metrics", []), last_lines=last.get("last_lines", []),
        address={} if exited else address, note=notes[-1] if notes else "")


def submitted(job: Path) -> float:
    """When that job was written down, to queue it where it was."""
    with suppress(FileNotFoundError):
        return (job / "plan.json").stat().st_mtime
    return 0.0


def image(plan: dict[str, Any]) -> Image:
    """The image of a plan that was read from disk."""
    return Image(**{**plan["image"], "capabilities": tuple(plan["image"]["capabilities"])})


def plan(values: dict[str, Any]) -> Plan:
    """The plan that was read from disk."""
    return Plan(**{**values, "image": image(values)})


def agent_spoke(lines: list[dict[str, Any]]) -> bool:
    """Whether an agent ever said anything; the first lines are the engine's own."""
    return any(line["phase"] not in ("queued", "starting") for line in lines)
