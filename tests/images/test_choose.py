"""Which environment serves a tag on a machine: exact, nearest, or a refusal with the reason."""

from __future__ import annotations

import pytest

from sagewright.core.errors import AwsError
from sagewright.images.catalogue import ENVIRONMENTS, Environment
from sagewright.images.choose import Machine, choose, distance, numbers

ALL = Machine(("3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13"))
DEBIAN_12 = Machine(("3.11",))
CPU_WHEEL = frozenset({("torch", "2.13.0+cpu", "cp311")})


def table(*versions: str, pythons: tuple[str, ...] = ("3.7",)) -> list[Environment]:
    return [Environment(f"lib-{version}", "lib", version, dict.fromkeys(pythons, ("lib",)))
            for version in versions]


@pytest.mark.parametrize("policy", ["exact", "nearest"])
@pytest.mark.parametrize("name", [e.name for e in ENVIRONMENTS if e.library != "torch"])
def test_a_machine_with_every_python_gets_the_exact_version_and_no_note(name: str, policy: str) -> None:
    choice = choose(name, ENVIRONMENTS, ALL, policy)
    assert (choice.environment.name, choice.note) == (name, "")
    assert choice.python == next(iter(choice.environment.pythons))


def test_the_first_python_of_the_list_that_is_there_is_taken() -> None:
    one = table("1.0", pythons=("3.7", "3.9", "3.11"))
    assert choose("lib-1.0", one, Machine(("3.9", "3.11")), "exact").python == "3.9"


@pytest.mark.parametrize("name", [e.name for e in ENVIRONMENTS
                                  if e.name.startswith("xgboost") and e.name != "xgboost-0.72"])
def test_a_machine_with_only_python_3_11_has_every_xgboost_from_0_90_on_exactly(name: str) -> None:
    assert choose(name, ENVIRONMENTS, DEBIAN_12, "exact").environment.name == name


def test_the_nearest_version_stands_in_and_says_so() -> None:
    choice = choose("sklearn-0.23-1", ENVIRONMENTS, DEBIAN_12, "nearest")
    assert choice.environment.name == "sklearn-1.2-1"
    assert "sklearn-0.23-1" in choice.note
    assert "3.7 or 3.8" in choice.note
    assert "1.2.1" in choice.note


def test_the_exact_policy_refuses_with_the_reason() -> None:
    with pytest.raises(AwsError) as refused:
        choose("sklearn-0.23-1", ENVIRONMENTS, DEBIAN_12, "exact")
    assert refused.value.code == "ValidationException"
    assert "needs Python 3.7 or 3.8; this machine has 3.11" in refused.value.message


def test_a_machine_where_nothing_fits_refuses_under_either_policy() -> None:
    for policy in ("exact", "nearest"):
        with pytest.raises(AwsError):
            choose("lib-1.0", table("1.0", "2.0"), Machine(("3.11",)), policy)


def test_libraries_do_not_stand_in_for_one_another() -> None:
    others = [Environment("other-1.0", "other", "1.0", {"3.11": ("other",)}), *table("1.0")]
    with pytest.raises(AwsError):
        choose("lib-1.0", others, Machine(("3.11",)), "nearest")


@pytest.mark.parametrize(("wanted", "known", "nearest"), [
    ("0.4.0", ("1.0.0", "1.4.0"), "1.0.0"), ("1.0-1", ("0.90-2", "1.2-1", "3.0-5"), "1.2-1"),
    ("2.0", ("1.9", "2.1"), "2.1"), ("1.5", ("1.4", "1.6"), "1.6"),
])
def test_the_closest_version_is_the_one_with_the_smallest_step_and_the_newer_of_two(
        wanted: str, known: tuple[str, ...], nearest: str) -> None:
    target = numbers(f"lib-{wanted}")
    assert min(known, key=lambda one: distance(numbers(f"lib-{one}"), target)) == nearest


def test_a_pytorch_cpu_wheel_at_hand_of_the_same_major_version_is_preferred_to_gigabytes() -> None:
    choice = choose("pytorch-2.8.0", ENVIRONMENTS, Machine(ALL.pythons, CPU_WHEEL), "nearest")
    assert (choice.environment.name, choice.python, choice.cpu_torch) == ("pytorch-2.13.0", "3.11", True)
    assert "stands in for PyTorch 2.8.0" in choice.note


@pytest.mark.parametrize(("name", "machine", "policy"), [
    ("pytorch-2.8.0", Machine(ALL.pythons, CPU_WHEEL), "exact"),
    ("pytorch-1.12.1", Machine(ALL.pythons, CPU_WHEEL), "nearest"),      # another major version
    ("pytorch-2.8.0", Machine(ALL.pythons), "nearest"),                  # no wheel at hand
    ("pytorch-2.8.0", Machine(("3.12",), CPU_WHEEL), "nearest"),         # no interpreter for the wheel
    ("pytorch-2.8.0", Machine(ALL.pythons, CPU_WHEEL | {("torch", "2.8.0+cpu", "cp312")}), "nearest"),
])
def test_otherwise_pytorch_is_exact(name: str, machine: Machine, policy: str) -> None:
    choice = choose(name, ENVIRONMENTS, machine, policy)
    assert (choice.environment.name, choice.note) == (name, "")


def test_a_version_that_no_index_has_is_replaced_or_refused() -> None:
    assert choose("pytorch-0.4.0", ENVIRONMENTS, ALL, "nearest").environment.name == "pytorch-1.0.0"
    with pytest.raises(AwsError, match="no package index offers it"):
        choose("pytorch-0.4.0", ENVIRONMENTS, ALL, "exact")
