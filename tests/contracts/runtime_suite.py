"""The conformance suite of the `Runtime` seam: subclass `RuntimeSuite` in a test module and provide `runtime`.

Every test starts real sandboxes. The box's directories lie in a world-traversable place, because a runtime that runs
jobs as their own uid needs one (the agent makes one by a private mount).
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sagewright.engine import boxfiles, cgroups
from sagewright.engine.runtimes.runtime import Bind, Box, Handle, NotStarted, Runtime, State

PATIENCE = 30.0
UID = 1_900_000_777 if os.geteuid() == 0 else None


def wait_for(claim: Callable[[], bool], what: str) -> None:
    """Poll a real condition, with an end."""
    deadline = time.monotonic() + PATIENCE
    while not claim():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.01)


def ended(runtime: Runtime, handle: Handle) -> State:
    """Its state once it no longer runs."""
    wait_for(lambda: not runtime.observe(handle).running, "the box ends")
    return runtime.observe(handle)


def output(runtime: Runtime, handle: Handle, until: bytes = b"") -> bytes:
    """All output, or output up to and including `until`."""
    text, fd, deadline = b"", runtime.logs(handle), time.monotonic() + PATIENCE
    while not until or until not in text:
        assert select.select([fd], [], [], max(0, deadline - time.monotonic()))[0], f"no end of output after {text!r}"
        piece = os.read(fd, 65536)
        if not piece:
            break
        text += piece
    return text


def alive(pid: int) -> bool:
    """Whether that process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def running_with(token: str) -> list[int]:
    """Host pids whose command line carries the token."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if token.encode() in command and int(entry.name) != os.getpid() and alive(int(entry.name)):
                found.append(int(entry.name))
    return found


def nothing(pid: int) -> None:
    """A `ready` that looks at nothing."""


class RuntimeSuite:
    """What every sandbox must do. `uid` is the job's, None for our own; `image` is for engines that hold images."""

    uid: int | None = UID
    image = ""

    @pytest.fixture
    def runtime(self) -> Runtime:
        raise NotImplementedError

    @pytest.fixture
    def box(self) -> Iterator[Box]:
        top = Path(tempfile.mkdtemp(prefix="swbox"))
        top.chmod(0o755)
        boxfiles.write_etc(top, "algo-1", self.uid)
        for name in ("ml", "tmp"):
            (top / name).mkdir()
            if self.uid is not None:
                os.chown(top / name, self.uid, self.uid)
        yield Box(name=top.name, directory=str(top), argv=("true",), uid=self.uid, image=self.image,
                  memory=256 << 20, cpus=1.0, pids=128,
                  environment={"PATH": "/usr/bin:/bin", "COLOUR": "blau €", "HOME": "/root"},
                  binds=(Bind(str(top / "ml"), "/opt/ml", writable=True), Bind(str(top / "tmp"), "/tmp", True)))
        for name in (top.name, top.name + "a", top.name + "b"):
            if (group := cgroups.find(name)) is not None:  # of an agent that was killed: its engine would do this
                group.kill()
                group.remove()
        shutil.rmtree(top)

    def shell(self, runtime: Runtime, box: Box, script: str, **changes: object) -> Handle:
        return runtime.start(replace(box, argv=("/bin/sh", "-c", script), **changes), nothing)  # type: ignore[arg-type]

    @pytest.mark.parametrize("code", [0, 1, 7, 255])
    def test_the_exit_code_is_the_commands(self, runtime, box, code):
        assert ended(runtime, self.shell(runtime, box, f"exit {code}")) == State(False, code)

    def test_a_command_killed_by_a_signal_ends_with_128_plus_its_number(self, runtime, box):
        assert ended(runtime, self.shell(runtime, box, "kill -SEGV $$")).exit_code == 128 + signal.SIGSEGV

    def test_both_streams_arrive_in_order_and_end(self, runtime, box):
        handle = self.shell(runtime, box, "echo one; echo two >&2; printf '\\000\\377three'")
        assert output(runtime, handle) == b"one\ntwo\n\0\xffthree"
        ended(runtime, handle)

    def test_the_environment_is_the_boxs_and_nothing_else(self, runtime, box, monkeypatch):
        monkeypatch.setenv("CANARY_OF_THE_AGENT", "leaked")
        handle = self.shell(runtime, box, "env")
        text = output(runtime, handle).decode()
        ended(runtime, handle)
        assert "COLOUR=blau €" in text and "CANARY_OF_THE_AGENT" not in text

    def test_the_environment_is_on_no_command_line(self, runtime, box):
        handle = self.shell(runtime, box, "echo up; sleep 100", environment={**box.environment, "T": "canary-7f3a"})
        output(runtime, handle, until=b"up\n")
        assert running_with("canary-7f3a") == []
        runtime.stop(handle, 0)
        ended(runtime, handle)

    def test_ready_runs_before_the_command(self, runtime, box):
        marker = Path(box.directory, "ml", "started")
        seen = []
        touch = replace(box, argv=("/bin/sh", "-c", "touch ${SAGEMAKER_BASE_DIR:-/opt/ml}/started"))
        handle = runtime.start(touch, lambda pid: seen.append((alive(pid), marker.exists())))
        ended(runtime, handle)
        assert seen == [(True, False)] and marker.exists()

    def test_a_failing_ready_leaves_nothing_behind(self, runtime, box):
        def refuse(pid: int) -> None:
            raise RuntimeError("no")

        with pytest.raises(RuntimeError):
            runtime.start(replace(box, argv=("/bin/sh", "-c", "sleep 4242.1")), refuse)
        wait_for(lambda: not running_with("4242.1"), "the sandbox is gone")

    def test_files_written_to_a_writable_bind_belong_to_the_job(self, runtime, box):
        ended(runtime, self.shell(runtime, box, "cd ${SAGEMAKER_BASE_DIR:-/opt/ml} && echo 5 > file"))
        written = Path(box.directory, "ml", "file")
        assert written.read_text() == "5\n" and written.stat().st_uid == (os.getuid() if box.uid is None else box.uid)

    def test_a_missing_command_is_an_exit_code_and_a_line(self, runtime, box):
        handle = runtime.start(replace(box, argv=("no-such-command",)), nothing)
        text = output(runtime, handle)
        assert ended(runtime, handle).exit_code in (1, 126, 127) and b"no-such-command" in text

    def test_stop_lets_the_command_trap_sigterm(self, runtime, box):
        handle = self.shell(runtime, box, "trap 'echo bye; exit 9' TERM; echo up; while :; do sleep 0.05; done")
        output(runtime, handle, until=b"up\n")
        runtime.stop(handle, 60)
        assert output(runtime, handle).endswith(b"bye\n") and ended(runtime, handle).exit_code == 9

    def test_an_untrapped_sigterm_ends_the_command_with_143(self, runtime, box):
        handle = self.shell(runtime, box, "echo up; exec sleep 100")
        output(runtime, handle, until=b"up\n")
        runtime.stop(handle, 60)
        assert ended(runtime, handle).exit_code == 143

    def test_a_command_that_ignores_sigterm_is_killed_after_the_grace(self, runtime, box):
        handle = self.shell(runtime, box, "trap '' TERM; echo up; while :; do sleep 0.05; done")
        output(runtime, handle, until=b"up\n")
        runtime.stop(handle, 0.3)
        assert runtime.observe(handle).running
        assert ended(runtime, handle).exit_code == 137

    def test_a_second_stop_shortens_the_grace(self, runtime, box):
        handle = self.shell(runtime, box, "trap '' TERM; echo up; while :; do sleep 0.05; done")
        output(runtime, handle, until=b"up\n")
        runtime.stop(handle, 3600)
        runtime.stop(handle, 0)
        assert ended(runtime, handle).exit_code == 137

    def test_children_left_behind_die_with_the_command(self, runtime, box):
        handle = self.shell(runtime, box, "sleep 4242.2 & setsid sleep 4242.3 & (setsid sleep 4242.4 &) ; exit 3")
        assert ended(runtime, handle).exit_code == 3
        wait_for(lambda: not running_with("4242."), "nothing is left")

    def test_more_processes_than_allowed_are_refused(self, runtime, box):
        handle = self.shell(runtime, box, "i=0; while [ $i -lt 400 ]; do sleep 4242.5 & i=$((i+1)); done; wait")
        wait_for(lambda: len(running_with("4242.5")) > 20 or not runtime.observe(handle).running, "it forks")
        assert len(running_with("4242.5")) <= 128
        runtime.stop(handle, 0)
        ended(runtime, handle)
        wait_for(lambda: not running_with("4242.5"), "nothing is left")

    def test_more_memory_than_allowed_ends_the_command(self, runtime, box):
        script = "x = []\nwhile True: x.append(bytearray(16 << 20))"
        handle = runtime.start(replace(box, argv=("/usr/bin/python3", "-c", script)), nothing)
        state = ended(runtime, handle)
        if handle.cgroup is not None:
            assert state == State(False, 137, out_of_memory=True)
        else:
            assert state.exit_code != 0

    def test_a_sandbox_with_its_own_network_reaches_nothing_on_the_hosts_loopback(self, runtime, box):
        if not runtime.private_network:
            pytest.skip("this runtime shares the host's network")
        with socket.create_server(("127.0.0.1", 0)) as canary:
            port = canary.getsockname()[1]
            dial = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)"
            handle = runtime.start(replace(box, argv=("/usr/bin/python3", "-c", dial)), nothing)
            text = output(runtime, handle)
            assert ended(runtime, handle).exit_code == 1 and b"ConnectionRefusedError" in text

    def test_its_own_network_has_a_working_loopback(self, runtime, box):
        script = ("import socket; s = socket.create_server(('127.0.0.1', 8080)); "
                  "c = socket.create_connection(('127.0.0.1', 8080)); print('linked')")
        if not runtime.private_network:
            script = script.replace("8080", "48080")
        handle = runtime.start(replace(box, argv=("/usr/bin/python3", "-c", script)), nothing)
        assert output(runtime, handle) == b"linked\n" and ended(runtime, handle).exit_code == 0

    def test_two_boxes_do_not_disturb_each_other(self, runtime, box):
        first = self.shell(runtime, box, "echo up; sleep 100", name=box.name + "a")
        second = self.shell(runtime, box, "echo up; sleep 100", name=box.name + "b")
        output(runtime, first, until=b"up\n"), output(runtime, second, until=b"up\n")
        runtime.stop(first, 0)
        ended(runtime, first)
        assert runtime.observe(second).running
        runtime.stop(second, 0)
        ended(runtime, second)

    def test_nothing_outlives_the_agent(self, runtime, box):
        """A second process plays the agent, and is killed the hard way."""
        program = (
            "import sys, json; from sagewright.engine.runtimes import choose; "
            "from sagewright.engine.runtimes.runtime import Box, Bind; told = json.loads(sys.argv[1]); "
            "told['binds'] = tuple(Bind(*b) for b in told['binds']); "
            "h = choose.named(sys.argv[2]).start(Box(**told), lambda pid: None); print('up', flush=True); input()")
        import dataclasses
        import json

        told = dataclasses.asdict(replace(box, argv=("/bin/sh", "-c", "setsid sleep 4242.6 & sleep 4242.6")))
        told["binds"] = [list(bind.values()) for bind in told["binds"]]
        name = "plain" if not runtime.private_network else runtime.name
        agent = subprocess.Popen([sys.executable, "-c", program, json.dumps(told), name], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE)
        assert agent.stdout is not None and agent.stdout.readline() == b"up\n"
        wait_for(lambda: len(running_with("sleep\0004242.6")) >= 2, "the job runs")
        agent.kill()
        agent.wait()
        agent.stdout.close()
        wait_for(lambda: not running_with("4242.6"), "the job is gone")

    def test_a_directory_that_is_missing_is_named(self, runtime, box):
        with pytest.raises(NotStarted):
            runtime.start(replace(box, binds=(*box.binds, Bind("/nonexistent-source", "/opt/ml/x"))), nothing)
