"""Locked requirement lists: how they are made (`python -m sagewright.images.lock [NAME...]`), read and varied.

`build.py` reads them. A lock is what `uv pip compile` writes for one environment on one Python (Linux, x86_64, wheels
only): exact pins, no host names, no hashes (they would multiply the size of the locks by fifty).
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from sagewright.images import indexes
from sagewright.images.catalogue import BY_NAME, ENVIRONMENTS, Environment

LOCKS = Path(__file__).with_name("locks")
PLATFORM = "x86_64-manylinux_2_28"
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)", re.MULTILINE)
# What a CUDA build of PyTorch pulls in and a CPU build does not.
_CUDA = re.compile(r"nvidia-|cuda-|triton$|pytorch-triton|cmake$|lit$")


def read(environment: Environment, python: str) -> str:
    """The text of a lock; FileNotFoundError where none was made."""
    return (LOCKS / environment.lock_name(python)).read_text()


def pins(text: str) -> dict[str, str]:
    """Distribution -> version."""
    return {found["name"]: found["version"] for found in _PIN.finditer(text)}


def cpu(text: str, keep_vision: bool = False) -> str:
    """The same list with the CPU build of PyTorch: no CUDA libraries.

    torchvision goes too unless a CPU build of it is at hand: the one made for CUDA does not load beside it.
    """
    kept = []
    for name, version in pins(text).items():
        if _CUDA.match(name) or (name == "torchvision" and not keep_vision):
            continue
        kept.append(f"{name}=={version}+cpu" if name in ("torch", "torchvision") else f"{name}=={version}")
    return "\n".join(kept) + "\n"


def compile_lock(environment: Environment, python: str) -> str:
    """Ask uv for exact pins; raises SystemExit with uv's words where there is no solution."""
    oldest = "3.7.9" if python == "3.7" else python     # pandas 1.2 refuses 3.7.0
    command = [indexes.uv(), "pip", "compile", "-", "--python-version", oldest, "--python-platform", PLATFORM,
               "--only-binary", ":all:", "--no-header", "--no-annotate", "--quiet", "--no-config",
               *indexes.uv_flags(indexes.pip_settings(), find_links=False)]
    done = subprocess.run(command, input="\n".join(environment.pythons[python]), capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise SystemExit(f"{environment.lock_name(python)}: {done.stderr}")
    head = f"# {environment.name} on Python {python}; made by: python -m sagewright.images.lock {environment.name}\n"
    return head + done.stdout


def main(names: list[str]) -> None:
    """Write the locks of the named environments, or of all."""
    LOCKS.mkdir(exist_ok=True)
    for environment in [BY_NAME[name] for name in names] or ENVIRONMENTS:
        for python in environment.pythons:
            try:
                (LOCKS / environment.lock_name(python)).write_text(compile_lock(environment, python))
                print(environment.lock_name(python))
            except SystemExit as unsolvable:
                print(unsolvable, file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
