"""Runs the user's script: which command, its signals, and what its error output said in the end.

Called by `train`. Standard output is inherited; standard error passes through a pipe so that the last lines of a
failure can be told, and reaches the container's log unchanged and unbuffered.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import threading
from typing import Any

from sagewright_kit.contract.errors import ClientError, ExecuteUserScriptError

SAFE_NAME = re.compile(r"^[A-Za-z0-9._][A-Za-z0-9._+-]*(/[A-Za-z0-9._+-]+)*$")
ERROR_WORDS = re.compile(r"(Error|Exception|Interrupt|Warning: .*fatal)\b|\w+Error\b|ORTE|Invalid requirement")
TAIL_BYTES = 65536
TRACEBACK = "Traceback (most recent call last)"


def kind(directory: str, name: str) -> str:
    """What the entry point is: "command", "package" or "script"."""
    if name.endswith(".sh"):
        return "command"
    if os.path.exists(os.path.join(directory, "setup.py")):
        return "package"
    return "script" if name.endswith(".py") else "command"


def check_name(directory: str, name: Any) -> str:
    """The entry point's name, if it is a plain relative path to something inside the code directory."""
    if not isinstance(name, str) or not name:
        raise ClientError(
            "The training entry point name is empty. Set the 'sagemaker_program' hyperparameter to the name of the "
            "script to run, relative to your source directory."
        )
    if not SAFE_NAME.match(name) or any(part in (".", "..") for part in name.split("/")):
        raise ClientError(
            "The training entry point %r is not a plain relative path inside the source directory. Use letters, "
            "digits, '.', '_', '+', '-' and '/', and do not start with '-' or '/'." % name
        )
    root = os.path.realpath(directory)
    if not os.path.realpath(os.path.join(root, name)).startswith(root + os.sep):
        raise ClientError("The training entry point %r lies outside the source directory." % name)
    if kind(directory, name) != "package" and not os.path.isfile(os.path.join(root, name)):
        raise ClientError("The training entry point %r is not in the source directory." % name)
    return name


def command(python: str, directory: str, name: str, arguments: list[str]) -> list[str]:
    """The argument vector that runs the entry point."""
    what = kind(directory, name)
    if what == "command":
        os.chmod(os.path.join(directory, name), 0o755)
        return ["/bin/sh", "-c", " ".join(["./" + shlex.quote(name)] + [shlex.quote(a) for a in arguments])]
    if what == "package":
        return [python, "-m", re.sub(r"\.py$", "", name).replace("/", ".")] + arguments
    return [python, "--", name] + arguments


def torchrun(python: str, directory: str, name: str, arguments: list[str], processes: int) -> list[str]:
    """The argument vector that runs a script under torchrun on this host alone."""
    if kind(directory, name) != "script":
        raise ClientError("Only a Python script can be the entry point of torch_distributed.")
    options = ["--nnodes", "1", "--nproc_per_node", str(processes)]
    return [python, "-m", "torch.distributed.run"] + options + [name] + arguments


class Child:
    """One running script and the end of its error output."""

    def __init__(self, arguments: list[str], directory: str, env: dict[str, str]) -> None:
        self.arguments = arguments
        self.tail = b""
        # Its own group, so that a stop reaches the script behind a shell or a launcher too.
        self.process = subprocess.Popen(
            arguments, cwd=directory, env=env, stderr=subprocess.PIPE, start_new_session=True
        )
        self.reader = threading.Thread(target=self._copy, daemon=True)
        self.reader.start()

    def _copy(self) -> None:
        assert self.process.stderr is not None
        source = self.process.stderr.fileno()
        while True:
            block = os.read(source, 65536)
            if not block:
                return
            self.tail = (self.tail + block)[-TAIL_BYTES:]
            while block:
                block = block[os.write(2, block) :]

    def signal(self, number: int) -> None:
        """Send a signal to the script and all it started."""
        try:
            os.killpg(self.process.pid, number)
        except (ProcessLookupError, PermissionError):
            pass

    def wait(self) -> int:
        """The exit code, once the script ended and its last words were read."""
        code = self.process.wait()
        # Something that the script left running may keep the pipe open; its words are not waited for.
        self.reader.join(2)
        return code


def run(arguments: list[str], directory: str, env: dict[str, str]) -> None:
    """Run to the end, forwarding SIGTERM and SIGINT; raises ExecuteUserScriptError for a non-zero code."""
    pending: list[int] = []
    child: list[Child] = []

    def forward(number: int, _frame: Any) -> None:
        pending.append(number)
        for one in child:
            one.signal(number)

    previous = {number: signal.signal(number, forward) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        child.append(Child(arguments, directory, env))
        if pending:
            child[0].signal(pending[-1])
        code = child[0].wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if code:
        extra = "OutOfMemory: Process killed by SIGKILL (signal 9)" if code in (137, -9) else ""
        raise ExecuteUserScriptError(" ".join(arguments), code, message(child[0].tail), extra)


def message(tail: bytes) -> str:
    """What the end of the error output says: from the first line that names an error in the last traceback on."""
    text = tail.decode("utf-8", "replace")
    lines = text[text.rfind(TRACEBACK) :].splitlines() if TRACEBACK in text else text.splitlines()
    start = next((i for i, line in enumerate(lines) if ERROR_WORDS.search(line)), None)
    kept = lines[start:] if start is not None else lines[-5:]
    stripped = [line.strip(" :\r\n") for line in kept]
    return "\n ".join(line for line in dict.fromkeys(stripped) if line)
