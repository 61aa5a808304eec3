"""The engine of one machine: `core/seams.Engine` with one detached agent per host. Made by the composition root.

Everything that matters is on disk (see `jobs.py`), so that a control plane that was killed finds its jobs again. One
thread decides: it admits waiting jobs, starts agents, renews credentials and notices agents that died. Agents announce
changes by datagram; a look around every second catches what was lost.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sagewright.core import log
from sagewright.core.clock import Clock
from sagewright.core.config import Config
from sagewright.core.errors import AwsError, Failed, Retry
from sagewright.core.seams import Built, Credentials, Image, Images, Outcome, Plan
from sagewright.engine import agents, capacity, credentials, detect, instances, jobs, placement, status
from sagewright.engine.capacity import Claim, Grant
from sagewright.engine.runtimes import choose

LOOK = 1.0
SPAWNS = 3
RENEW_BEFORE = 1800.0
_PACKAGES = str(Path(__file__).resolve().parents[2])


@dataclass
class Job:
    """A job in memory. state: "queued", "starting" (building, then spawning), "running" (its agent lives), "ending"
    (stopped before it had one), "exited"."""

    handle: str
    directory: Path
    plan: dict[str, Any]
    grant: Grant
    state: str = "queued"
    spawns: int = 0
    placed: dict[str, Any] = field(default_factory=dict)
    agent: subprocess.Popen[bytes] | None = None
    expires: float = 0.0
    release: bool = False

    @property
    def host(self) -> Path:
        return self.directory / "algo-1"

    @property
    def claim(self) -> Claim:
        return Claim(self.handle, self.grant, self.plan["kind"] == "hosting", self.plan["instance_count"])


class LocalEngine:
    """See `core/seams.Engine`. `job_environment` is what every job that is not isolated is told about the platform."""

    def __init__(self, data_dir: Path, config: Config, clock: Clock, images: Images,
                 credentials_for: Callable[[str], Credentials], job_environment: Mapping[str, str],
                 on_event: Callable[[str], None] | None = None) -> None:
        self.data_dir, self.config, self.clock, self.images = Path(data_dir).absolute(), config, clock, images
        self.credentials_for, self.job_environment = credentials_for, dict(job_environment)
        self.machine = detect.machine()
        self.runtime, self.runtime_note = choose.choose(config.runtime, placement.first_uid())
        self._watchers = [on_event] if on_event else []
        self._jobs: dict[str, Job] = {}
        self._nursery = agents.Nursery()
        self._lock, self._wake, self._closed = threading.RLock(), threading.Event(), False
        self._folder = self.data_dir / "jobs"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o711)
        self._socket = self._listen()
        self._attach()
        self._threads = [threading.Thread(target=target, daemon=True, name=f"engine-{target.__name__}")
                         for target in (self._decide, self._hear)]
        for thread in self._threads:
            thread.start()

    # -- the seam ----------------------------------------------------------------------------------------------------
    def submit(self, plan: Plan) -> str:
        """Write the plan down and queue it; Failed if it can never run here."""
        handle = jobs.handle_of(plan)
        with self._lock:
            if handle in self._jobs:
                return handle
            grant = self._grant(plan)
            try:
                directory = jobs.write(self._folder, handle, plan)
            except OSError as error:
                raise Retry(f"The job could not be written down: {error}", after=5.0) from error
            self._jobs[handle] = Job(handle, directory, jobs.load(directory / "plan.json"), grant)
        self._wake.set()
        return handle

    def observe(self, handle: str) -> Outcome:
        """The status lines, folded."""
        job = self._jobs.get(handle)
        if job is None:
            return Outcome(phase="exited", failure="The engine knows no such run.", blame="platform")
        return jobs.outcome(status.read(job.host / "status.jsonl"))

    def stop(self, handle: str, grace: float | None = None) -> None:
        """Leave word for the agent and wake it; a job that has no agent yet ends here and now."""
        with self._lock:
            job = self._jobs.get(handle)
            if job is None or job.state == "exited":
                return
            known = jobs.load(job.directory / "stop.json")
            if known is None or (grace is not None and (known["grace"] is None or grace < known["grace"])):
                with suppress(OSError):  # a full disk must not keep a job from being stopped
                    jobs.save(job.directory / "stop.json", {"grace": grace})
            has_agent = job.state == "running"
            if not has_agent:
                job.state = "ending"
        if not has_agent:
            self._end(job, ended_by="stop")
        elif (pid := jobs.agent_pid(job.host)) > 0:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def release(self, handle: str) -> None:
        """Remove an ended job's files; one that still runs is killed first and removed when it has ended."""
        with self._lock:
            job = self._jobs.get(handle)
            if job is None:
                return
            job.release = True
            if job.state == "exited":
                self._remove(job)
                return
        self.stop(handle, 0)

    def watch(self, changed: Callable[[str], None]) -> None:
        """Call `changed(arn)` from now on, from the engine's threads."""
        self._watchers.append(changed)

    def reset(self) -> None:
        """End and forget everything; for the test hook that empties an account."""
        for handle in list(self._jobs):
            self.release(handle)

    def close(self) -> None:
        """Stop deciding; jobs and their agents go on."""
        self._closed = True
        self._wake.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5.0)
        self._socket.close()
        self._nursery.close()

    # -- queue -------------------------------------------------------------------------------------------------------
    def _grant(self, plan: Plan) -> Grant:
        instance = instances.find(plan.instance_type)
        if instance is None:
            raise Failed(f"The instance type {plan.instance_type} is not known.")
        if plan.instance_count != 1:
            raise Failed("Jobs on more than one instance are not supported yet.")
        if plan.image.kind == "unavailable":
            raise Failed(plan.image.note)
        if plan.image.kind == "oci" and not choose.engine_socket():
            raise Failed(f"{plan.image.uri} is a container image, and no Docker or Podman engine answers here.")
        return capacity.grant(instance, self.machine)

    def _decide(self) -> None:
        while not self._closed:
            try:
                self._look()
                self._admit()
            except Exception:  # noqa: BLE001 - one broken job must not stop the engine
                log.trouble("engine turn failed")
            self._wake.wait(LOOK)
            self._wake.clear()

    def _admit(self) -> None:
        with self._lock:
            waiting = [job for job in self._jobs.values() if job.state == "queued"]
            running = [job.claim for job in self._jobs.values() if job.state in ("starting", "running")]
            if not waiting:
                return
            admitted = capacity.admit([job.claim for job in waiting], running, self.machine, detect.free_memory())
            for handle in admitted:
                self._jobs[handle].state = "starting"
        for handle in admitted:
            try:
                self._start(self._jobs[handle])
            except OSError:  # a full disk, as a rule: it waits its turn again
                log.trouble("job not started", handle=handle)
                self._jobs[handle].state = "queued"

    def _start(self, job: Job) -> None:
        """Spawn the agent now if the environment is there, else when it has been built."""
        try:
            image = jobs.image(job.plan)
            built = self.images.ready(image) if image.kind == "environment" else Built("", "", ())
        except Exception as error:  # noqa: BLE001 - whatever the image room raises ends this job only
            self._end(job, failure=str(error), blame="client")
            return
        if built is not None:
            self._enter(job, "starting", "Preparing the instances for training")
            self._spawn(job, built, [])
            return
        self._enter(job, "starting", "Downloading the training image", note=image.note)
        threading.Thread(target=self._build, args=(job, image), daemon=True, name=f"build-{job.handle}").start()

    def _build(self, job: Job, image: Image) -> None:
        lines: list[str] = []
        try:
            built = self.images.build(image, lines.append)
        except Exception as error:  # noqa: BLE001 - see _start
            self._end(job, failure=f"The image {image.uri} could not be prepared: {error}", blame="client")
            return
        self._spawn(job, built, lines)

    def _spawn(self, job: Job, built: Built, prelude: list[str]) -> None:
        try:
            given = self.credentials_for(job.plan["role_arn"])
            with self._lock:
                if job.state != "starting":  # stopped, and perhaps released, meanwhile
                    return
                credentials.store(job.directory / "credentials.json", given.access_key, given.secret_key, given.token,
                                  given.expires)
                job.expires = given.expires
                self._place(job, built, prelude)
                job.agent = self._nursery.start(job.host)
                job.state = "running"
                job.spawns += 1
        except AwsError as error:
            self._end(job, failure=error.message, blame="client")
        except Exception as error:  # noqa: BLE001 - see _start
            log.trouble("agent not started", handle=job.handle)
            self._end(job, failure=f"{type(error).__name__}: {error}", blame="platform")

    def _place(self, job: Job, built: Built, prelude: list[str]) -> None:
        others = [other.placed for other in self._jobs.values() if other.placed and other is not job]
        live = [other.placed for other in self._jobs.values()
                if other.placed and other is not job and other.state in ("starting", "running")]
        container = job.plan["image"]["kind"] == "oci"
        own = container or self.runtime == "plain"  # no way to let another uid reach the job's directories
        uid = None if own else placement.free_uid(self.data_dir, (other["uid"] for other in others))
        busy = {gpu for other in live for gpu in other["gpus"]}
        gpus = [index for index in self.machine.gpus if index not in busy][: job.grant.gpus]
        runtime, said = ("docker", "") if container else (self.runtime, self.runtime_note)
        notes = [note for note in (job.plan["image"]["note"], job.grant.note, said) if note]
        serve = placement.serve_place(self.data_dir, job.handle) if job.plan["kind"] == "hosting" else None
        if serve:
            placement.make_serve_place(serve, uid)
        job.placed = placement.describe(jobs.plan(job.plan), job.grant, built, job.directory, {
            "uid": uid, "gpus": gpus, "box": placement.box_name(self.data_dir, job.handle, "algo-1"),
            "runtime": runtime, "container_engine": choose.engine_socket() if container else "", "notes": notes,
            "gateway": self.config.url,
            "cores": placement.free_cores(job.grant, self.machine, (c for other in live for c in other["cores"])),
            "prelude": [*prelude, *(f"[sagewright] {note}" for note in notes)], "environment": self.job_environment,
            "engine_socket": str(self.data_dir / "run" / "engine.sock"),
            "serve_dir": str(serve / "in") if serve else "", "address": str(serve / "serve.sock") if serve else ""})
        jobs.save(job.directory / "placement.json", job.placed)

    # -- what became of them -----------------------------------------------------------------------------------------
    def _attach(self) -> None:
        """Find the jobs of an earlier life."""
        for directory in sorted(self._folder.iterdir(), key=jobs.submitted):
            plan = jobs.load(directory / "plan.json")
            if directory.name.startswith(".") or plan is None:
                shutil.rmtree(directory, ignore_errors=True)
                continue
            instance = instances.find(plan["instance_type"])
            grant = capacity.grant(instance, self.machine) if instance else Grant(1, 0)
            job = self._jobs[directory.name] = Job(directory.name, directory, plan, grant)
            job.placed = jobs.load(directory / "placement.json") or {}
            lines = status.read(job.host / "status.jsonl")
            if lines and lines[-1]["phase"] == "exited":
                job.state = "exited"
            elif jobs.agent_pid(job.host) or jobs.agent_spoke(lines):
                job.state = "running"
            elif (directory / "stop.json").exists():
                self._end(job, ended_by="stop")

    def _look(self) -> None:
        """Reap agents, notice the ended and the dead, renew credentials."""
        for job in [job for job in list(self._jobs.values()) if job.state == "running"]:
            lines = status.read(job.host / "status.jsonl")
            if lines and lines[-1]["phase"] == "exited":
                self._settle(job)
            elif jobs.agent_pid(job.host) == 0:
                self._agent_gone(job, lines)
            elif job.expires - time.time() < RENEW_BEFORE:
                self._renew(job)

    def _agent_gone(self, job: Job, lines: list[dict[str, Any]]) -> None:
        agents.reap(job.placed)
        if jobs.agent_spoke(lines) or job.spawns >= SPAWNS:
            self._end(job, failure="The agent of host algo-1 ended unexpectedly.", blame="platform")
            return
        with self._lock:  # it was never heard of: killed between its plan and its first word
            job.state = "queued"

    def _renew(self, job: Job) -> None:
        job.expires = time.time() + RENEW_BEFORE + 60.0  # not again before a minute has passed
        with suppress(AwsError):
            given = self.credentials_for(job.plan["role_arn"])
            credentials.store(job.directory / "credentials.json", given.access_key, given.secret_key, given.token,
                              given.expires)
            job.expires = max(given.expires, job.expires)

    def _enter(self, job: Job, phase: str, message: str = "", **facts: Any) -> None:
        status.Status(job.host / "status.jsonl").enter(phase, message, **facts)
        self._tell(job)

    def _end(self, job: Job, **facts: Any) -> None:
        """End a job that has no agent (any more)."""
        with self._lock:
            if job.state == "exited" or not job.directory.exists():
                return
            status.Status(job.host / "status.jsonl").enter("exited", **facts)
        self._settle(job)

    def _settle(self, job: Job) -> None:
        with self._lock:
            job.state = "exited"
            if job.agent is not None:
                job.agent.wait()
            if job.release:
                self._remove(job)
        self._tell(job)
        self._wake.set()

    def _remove(self, job: Job) -> None:
        gone = self._folder / f".gone-{job.handle}-{time.monotonic_ns()}"
        with suppress(FileNotFoundError):
            job.directory.rename(gone)
        self._jobs.pop(job.handle, None)
        serve = placement.serve_place(self.data_dir, job.handle)
        shutil.rmtree(serve, ignore_errors=True)
        with suppress(OSError):  # other servers' places may be left in it
            serve.parent.rmdir()
        threading.Thread(target=agents.delete, args=(gone,), daemon=True).start()

    # -- news --------------------------------------------------------------------------------------------------------
    def _listen(self) -> socket.socket:
        folder = self.data_dir / "run"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "engine.sock").unlink(missing_ok=True)
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        fd = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        try:  # through the descriptor, since the path may be too long for a socket's address
            made.bind(f"/proc/self/fd/{fd}/engine.sock")
        finally:
            os.close(fd)
        (folder / "engine.sock").chmod(0o600)
        return made

    def _hear(self) -> None:
        while not self._closed:
            try:
                handle = self._socket.recv(256).decode(errors="replace")
            except OSError:
                return
            job = self._jobs.get(handle)
            if job is not None:
                self._tell(job)
                lines = status.read(job.host / "status.jsonl")
                if lines and lines[-1]["phase"] == "exited":
                    self._wake.set()

    def _tell(self, job: Job) -> None:
        for watcher in list(self._watchers):
            try:
                watcher(job.plan["arn"])
            except Exception:  # noqa: BLE001 - a watcher's fault is not the job's
                log.trouble("watcher failed", arn=job.plan["arn"])
