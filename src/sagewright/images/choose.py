"""Which environment serves an image on this machine: pure functions over what the machine has.

`shelf.py` calls `choose`. An exact environment holds the library version that the tag names. Under the policy
"nearest" another may stand in, and the note says so in words that the job's log and Describe repeat:

* a library version for which no fitting interpreter is installed is replaced by the closest version of the same
  library that can be had;
* a PyTorch of the same major version whose CPU wheel is at hand is preferred to the exact one, because the exact one
  is published on public indexes only as a CUDA build of several gigabytes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sagewright.core.errors import validation
from sagewright.images.catalogue import Environment

POLICIES = ("exact", "nearest")


@dataclass(frozen=True)
class Machine:
    """What the choice depends on: minor versions of the interpreters, and wheels at hand (see indexes.py)."""

    pythons: Collection[str]
    wheels: Collection[tuple[str, str, str]] = ()

    def has_cpu_torch(self, version: str, python: str) -> bool:
        return ("torch", f"{version}+cpu", f"cp{python.replace('.', '')}") in self.wheels


@dataclass(frozen=True)
class Choice:
    """An environment, the Python that it is built with, what to say about it ("" where it is exact)."""

    environment: Environment
    python: str
    note: str = ""
    cpu_torch: bool = False


def choose(wanted: str, environments: Iterable[Environment], machine: Machine, policy: str) -> Choice:
    """The environment for the wanted name; ValidationException with the reason where the policy allows none."""
    known = {environment.name: environment for environment in environments}
    exact = usable(known[wanted], machine) if wanted in known else None
    if policy == "nearest":
        light = lighter(wanted, exact, known.values(), machine)
        if light is not None:
            return light
    if exact is not None:
        return exact
    reason = missing(wanted, known.get(wanted), machine)
    if policy == "exact":
        raise validation(f"{reason} The image policy is 'exact', so no other version stands in for it.")
    near = nearest(wanted, known.values(), machine)
    if near is None:
        raise validation(f"{reason} No other version of it can be had on this machine either.")
    stand_in = near.environment
    note = f"{reason} {stand_in.library} {stand_in.version} (environment {stand_in.name}) stands in for it."
    return Choice(stand_in, near.python, note, near.cpu_torch)


def usable(environment: Environment, machine: Machine) -> Choice | None:
    """That environment on the first of its Pythons that the machine has; one with a CPU PyTorch at hand goes first."""
    here = [python for python in environment.pythons if python in machine.pythons]
    light = [python for python in here
             if environment.library == "torch" and machine.has_cpu_torch(environment.version, python)]
    python = next(iter(light or here), None)
    return Choice(environment, python, "", bool(light)) if python is not None else None


def lighter(wanted: str, exact: Choice | None, known: Iterable[Environment], machine: Machine) -> Choice | None:
    """A PyTorch of the same major version with its CPU wheel at hand, unless the exact one has that too."""
    if not wanted.startswith("pytorch-") or (exact is not None and exact.cpu_torch):
        return None
    version = numbers(wanted)
    for environment in sorted(of_kind(wanted, known), key=lambda one: distance(numbers(one.name), version)):
        for python in environment.pythons:
            if (numbers(environment.name)[:1] == version[:1] and python in machine.pythons
                    and machine.has_cpu_torch(environment.version, python)):
                note = (f"PyTorch {environment.version} (CPU build, Python {python}, no torchvision) stands in for "
                        f"PyTorch {wanted.removeprefix('pytorch-')}, whose public build is a CUDA one of several "
                        "gigabytes; image policy 'exact' installs that.")
                return Choice(environment, python, note, True)
    return None


def nearest(wanted: str, known: Iterable[Environment], machine: Machine) -> Choice | None:
    """The usable environment of the same kind whose version is closest."""
    target = numbers(wanted)
    found = [choice for choice in (usable(one, machine) for one in of_kind(wanted, known)) if choice is not None]
    return min(found, key=lambda choice: distance(numbers(choice.environment.name), target), default=None)


def of_kind(wanted: str, known: Iterable[Environment]) -> list[Environment]:
    """Environments of the same library."""
    kind = wanted.split("-")[0]
    return [environment for environment in known if environment.name.split("-")[0] == kind]


def missing(wanted: str, environment: Environment | None, machine: Machine) -> str:
    """Why the exact environment cannot be had."""
    here = ", ".join(machine.pythons) or "none"
    if environment is None:
        return f"The environment {wanted} cannot be had: no package index offers it for Python 3.7 or newer."
    return (f"The environment {wanted} ({environment.library} {environment.version}) needs Python "
            f"{' or '.join(environment.pythons)}; this machine has {here}. "
            f"'uv python install {next(iter(environment.pythons))}' adds one.")


def numbers(name: str) -> tuple[int, ...]:
    """The version in an environment's name, as numbers: xgboost-1.7-1 -> (1, 7, 1)."""
    return tuple(int(number) for number in re.findall(r"\d+", name.split("-", 1)[1])[:3])


def distance(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, int]:
    """How far apart two versions are; at the same distance the newer comes first."""
    first, second = (sum(part * weight for part, weight in zip(version, (1_000_000, 1_000, 1)))
                     for version in (one, other))
    return abs(first - second), 0 if first >= second else 1


def unavailable(repository: str, available: Iterable[str]) -> str:
    """Why a job or endpoint with an image that AWS has and Sagewright cannot run yet fails when it is started."""
    return (f"The image repository {repository} is one of AWS's, but no environment stands for it in this Sagewright "
            f"yet. Available: {', '.join(sorted(available))}.")
