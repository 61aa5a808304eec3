"""The reconcile loop against a real store: rows in, rows out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sagewright.core.clock import SystemClock
from sagewright.core.config import Config
from sagewright.core.errors import Failed, Retry
from sagewright.core.loop import Loop
from sagewright.core.migrate import migrate
from sagewright.core.store import Row, Store
from sagewright.core.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = Store(f"sqlite:///{tmp_path / 'loop.db'}")
    migrate(store.db)
    yield World(Config(tmp_path), SystemClock(), store)
    store.close()


@pytest.fixture
def run(world: World) -> Iterator[Callable[..., Loop]]:
    loops: list[Loop] = []

    def start(**controllers: Callable[[Row, World], float | None]) -> Loop:
        def fail(row: Row, world: World, reason: str) -> None:
            world.store.update(row.with_(status="Failed", terminal=True, body={"FailureReason": reason}))

        loop = Loop(world, controllers, fail)
        loop.start()
        loops.append(loop)
        return loop

    yield start
    for loop in loops:
        loop.stop()


def a_row(world: World, name: str = "one", kind: str = "Thing", **more: object) -> Row:
    return world.store.insert(Row(kind, "1", "r", name, f"arn:{kind}/{name}", {}, status="0", **more))  # type: ignore[arg-type]


def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.005)


def status(world: World, row: Row) -> str:
    found = world.store.by_arn(row.arn)
    return found.status if found else "gone"


def count_to_three(row: Row, world: World) -> float | None:
    after = str(int(row.status) + 1)
    world.store.update(row.with_(status=after, terminal=after == "3"))
    return None


def test_a_row_is_moved_until_it_is_terminal(world: World, run: Callable[..., Loop]) -> None:
    run(Thing=count_to_three)
    row = a_row(world)
    until(lambda: status(world, row) == "3")


def test_rows_left_by_an_earlier_process_are_taken_up_at_start(world: World, run: Callable[..., Loop]) -> None:
    rows = [a_row(world, f"n{n}") for n in range(20)]
    run(Thing=count_to_three)
    until(lambda: all(status(world, row) == "3" for row in rows))


def test_a_retry_is_tried_again_and_a_failure_ends_the_row(world: World, run: Callable[..., Loop]) -> None:
    tries: list[str] = []

    def unlucky(row: Row, world: World) -> float | None:
        tries.append(row.name)
        if len(tries) < 3:
            raise Retry("not yet", after=0.01)
        raise Failed("it cannot be")

    run(Thing=unlucky)
    row = a_row(world)
    until(lambda: status(world, row) == "Failed")
    found = world.store.by_arn(row.arn)
    assert found is not None and found.body["FailureReason"] == "it cannot be" and len(tries) == 3


def test_a_fault_in_one_controller_does_not_stop_the_others(world: World, run: Callable[..., Loop]) -> None:
    seen = threading.Event()

    def broken(row: Row, world: World) -> float | None:
        seen.set()
        raise RuntimeError("a bug")

    run(Bad=broken, Thing=count_to_three)
    a_row(world, kind="Bad")
    assert seen.wait(10)
    row = a_row(world)
    until(lambda: status(world, row) == "3")


def test_one_row_is_never_handled_by_two_threads_at_once(world: World, run: Callable[..., Loop]) -> None:
    inside: list[str] = []
    overlaps: list[str] = []
    turns = threading.Semaphore(0)

    def careful(row: Row, world: World) -> float | None:
        if row.name in inside:
            overlaps.append(row.name)
        inside.append(row.name)
        time.sleep(0.002)
        inside.remove(row.name)
        turns.release()
        return 0.0

    loop = run(Thing=careful)
    rows = [a_row(world, f"n{n}") for n in range(3)]
    for _ in range(60):
        for row in rows:
            loop.wake(row.arn)
        assert turns.acquire(timeout=10)
    assert overlaps == []


def test_a_child_wakes_its_owner(world: World, run: Callable[..., Loop]) -> None:
    def parent(row: Row, world: World) -> float | None:
        children = world.store.children(row.arn)
        if children and all(child.terminal for child in children):
            world.store.update(row.with_(status="done", terminal=True))
        return None

    run(Parent=parent, Thing=count_to_three)
    owner = a_row(world, "p", kind="Parent")
    a_row(world, owner=owner.arn)
    until(lambda: status(world, owner) == "done")
