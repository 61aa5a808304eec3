"""A writable environment on top of the read-only one. Used by `train`, `serve` and, as a command, by any bootstrap.

Job environments are shared and read-only, yet user code installs packages: through requirements.txt, and often by
running `sys.executable -m pip install` itself. An overlay is a virtual environment of a few files whose packages come
before those of the environment below; pip sees the lower packages as installed and never touches them. Making one
takes about a millisecond, so every job runs in one.

As a command it prints shell exports (`python -m sagewright_kit.contract.overlay DIRECTORY`) or becomes a command in an
overlay (`... overlay -- COMMAND`), as the engine starts a job whose entrypoint is not `train` or `serve`.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig

from sagewright_kit.contract.errors import InstallModuleError, InstallRequirementsError

MARK = ".sagewright-overlay"
PIP = '#!/bin/sh\nexec "$(dirname "$0")/python" -m pip "$@"\n'

# Every Python of the overlay finds AWS's own module names; without the kit at hand it starts all the same.
SHIMS = (
    "import sys; exec('try:\\n import sagewright_kit.contract.shims as s\\n s.install()\\nexcept ImportError: pass')\n"
)


class Overlay:
    """One overlay; `python` runs with both layers."""

    def __init__(self, directory: str | None = None) -> None:
        # A program that was started inside an overlay stays in it.
        inherited = sys.prefix if os.path.exists(os.path.join(sys.prefix, MARK)) else ""
        self.directory = directory or inherited or _fresh_directory()
        self.bin = os.path.join(self.directory, "bin")
        self.python = os.path.join(self.bin, "python")
        version = "python%d.%d" % sys.version_info[:2]
        self.packages = os.path.join(self.directory, "lib", version, "site-packages")

    def create(self) -> Overlay:
        """Lay the files down; doing it twice does it once."""
        if os.path.exists(os.path.join(self.directory, "pyvenv.cfg")):
            return self
        os.makedirs(self.bin, exist_ok=True)
        os.makedirs(self.packages, exist_ok=True)
        interpreter = os.path.realpath(sys.executable)
        for name in ("python", "python3", os.path.basename(self.packages.split("/lib/")[-1].split("/")[0])):
            if not os.path.lexists(os.path.join(self.bin, name)):
                os.symlink(interpreter, os.path.join(self.bin, name))
        for name in ("pip", "pip3"):
            path = os.path.join(self.bin, name)
            _write(path, PIP)
            os.chmod(path, 0o755)
        lower = dict.fromkeys((sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"]))
        lines = ["import site; site.addsitedir(%r)" % path for path in lower]
        _write(os.path.join(self.packages, "_lower.pth"), "\n".join(lines) + "\n")
        _write(os.path.join(self.packages, "_shims.pth"), SHIMS)
        _write(os.path.join(self.directory, MARK), "")
        # Written last: its presence says that the overlay is complete.
        text = "home = %s\ninclude-system-site-packages = false\nversion = %d.%d.%d\n"
        values = (os.path.dirname(interpreter),) + tuple(sys.version_info[:3])
        _write(os.path.join(self.directory, "pyvenv.cfg"), text % values)
        return self

    def variables(self) -> dict[str, str]:
        """Variables under which `python` and `pip` by name are the overlay's."""
        lower = os.path.dirname(sys.executable)
        path = os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")
        return {"VIRTUAL_ENV": self.directory, "PATH": os.pathsep.join((self.bin, lower, path))}

    def install_requirements(self, directory: str) -> None:
        """`pip install -r requirements.txt` of the user's code."""
        print("Installing dependencies from requirements.txt", flush=True)
        self._pip(["-r", "requirements.txt"], directory, InstallRequirementsError)

    def install_package(self, directory: str) -> None:
        """`pip install .` of the user's package, with its requirements if it states some."""
        print("Installing module.", flush=True)
        extra = ["-r", "requirements.txt"] if os.path.exists(os.path.join(directory, "requirements.txt")) else []
        self._pip(["."] + extra, directory, InstallModuleError)

    def _pip(self, arguments: list[str], directory: str, failure: type) -> None:
        command = [self.python, "-m", "pip", "install"] + arguments
        env = dict(os.environ, **self.variables())
        env.pop("PYTHONHOME", None)
        env.setdefault("HOME", self.directory)
        env["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
        env["PIP_NO_INPUT"] = "1"
        env["PIP_ROOT_USER_ACTION"] = "ignore"
        process = subprocess.Popen(command, cwd=directory, env=env, stderr=subprocess.PIPE)
        tail = b""
        assert process.stderr is not None
        for line in process.stderr:
            os.write(2, line)
            tail = (tail + line)[-8192:]
        code = process.wait()
        if code:
            lines = [line for line in tail.decode("utf-8", "replace").splitlines() if "error" in line.lower()]
            raise failure(" ".join(command), code, "\n".join(lines[-5:]))

    def activate(self) -> None:
        """Make the overlay's packages importable in this process, before the environment's."""
        if self.packages not in sys.path:
            lower = sysconfig.get_paths()["purelib"]
            position = sys.path.index(lower) if lower in sys.path else len(sys.path)
            sys.path.insert(position, self.packages)
        os.environ.update(self.variables())


def _fresh_directory() -> str:
    """A new directory of this process's own below TMPDIR (tempfile would import random and half of hashlib)."""
    parent = os.environ.get("TMPDIR") or "/tmp"
    while True:
        path = os.path.join(parent, "sagewright-env-" + os.urandom(6).hex())
        try:
            os.mkdir(path, 0o755)
            return path
        except FileExistsError:
            continue


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main() -> None:
    if sys.argv[1:2] == ["--"]:
        _become(sys.argv[2:])
    overlay = Overlay(sys.argv[1] if len(sys.argv) > 1 else None).create()
    for name, value in overlay.variables().items():
        print("export %s=%s" % (name, shlex.quote(value)))


def _become(command: list[str]) -> None:
    """Turn this process into the command; the exit codes of a shell where that cannot be."""
    os.environ.update(Overlay().create().variables())
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print("%s: %s" % (command[0], error.strerror), file=sys.stderr)
        sys.exit(126 if isinstance(error, PermissionError) else 127)


if __name__ == "__main__":
    main()
