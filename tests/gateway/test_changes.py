"""Held answers: woken by the store's changes, bounded in time and number, and nothing left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sagewright.core.migrate import migrate
from sagewright.core.store import Row, Store
from sagewright.gateway import hold
from sagewright.gateway.hold import Changes

MOVING = frozenset({"Creating", "Updating"})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{tmp_path / 'held.db'}")
    migrate(made.db)
    yield made
    made.close()


@pytest.fixture
def row(store: Store) -> Row:
    return store.insert(Row("Endpoint", "1", "r", "e", "arn:e", {}, status="Creating"))


@asynccontextmanager
async def waiting(store: Store, seconds: float = 30,
                  count: int = 1) -> AsyncIterator[tuple[Changes, list[asyncio.Task[bool]]]]:
    """Requests that are held for arn:e, all of them really waiting."""
    changes = Changes(asyncio.get_running_loop())
    changes.listen(store)
    tasks = [asyncio.create_task(changes.moved("arn:e", MOVING, seconds, store)) for _ in range(count)]
    async with asyncio.timeout(20):
        while len(changes._waiting.get("arn:e", ())) < count:
            await asyncio.sleep(0)
    yield changes, tasks


def in_time(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await work()

    asyncio.run(bounded())


def test_all_who_wait_hear_of_the_change(store: Store, row: Row) -> None:
    async def work() -> None:
        async with waiting(store, count=20) as (changes, tasks):
            await asyncio.to_thread(store.update, row.with_(status="InService"))
            assert await asyncio.gather(*tasks) == [True] * 20
            assert not changes._waiting and changes._count == 0

    in_time(work)


def test_a_step_from_one_moving_state_to_another_goes_on_being_held(store: Store, row: Row) -> None:
    async def work() -> None:
        async with waiting(store) as (changes, tasks):
            after = await asyncio.to_thread(store.update, row.with_(status="Updating"))
            while not changes._waiting.get("arn:e"):
                await asyncio.sleep(0)
            assert not tasks[0].done()
            await asyncio.to_thread(store.update, after.with_(status="Failed"))
            assert await tasks[0] is True

    in_time(work)


def test_a_resource_that_is_deleted_has_moved(store: Store, row: Row) -> None:
    async def work() -> None:
        async with waiting(store) as (_, tasks):
            leaving = await asyncio.to_thread(store.update, row.with_(status="Updating"))
            await asyncio.to_thread(store.delete, leaving)
            assert await tasks[0] is True

    in_time(work)


@pytest.mark.parametrize("status, arn", [("InService", "arn:e"), ("Creating", "arn:nobody")])
def test_what_has_moved_already_is_answered_at_once(store: Store, row: Row, status: str, arn: str) -> None:
    async def work() -> None:
        await asyncio.to_thread(store.update, row.with_(status=status))
        changes = Changes(asyncio.get_running_loop())
        assert await changes.moved(arn, MOVING, 30, store) is True

    in_time(work)


def test_patience_ends_and_the_change_of_others_is_no_change(store: Store, row: Row) -> None:
    async def work() -> None:
        async with waiting(store, seconds=0.3) as (changes, tasks):
            await asyncio.to_thread(store.insert, Row("Endpoint", "1", "r", "x", "arn:x", {}, status="InService"))
            assert await tasks[0] is False
            assert changes._count == 0

    in_time(work)


def test_a_resource_that_never_moves_leaves_no_futures_behind(store: Store, row: Row) -> None:
    async def work() -> None:
        changes = Changes(asyncio.get_running_loop())
        changes.listen(store)
        for _ in range(50):
            assert await changes.moved("arn:e", MOVING, 0.01, store) is False
        assert not changes._waiting

    in_time(work)


def test_a_client_that_gives_up_leaves_nothing_behind(store: Store, row: Row) -> None:
    async def work() -> None:
        async with waiting(store, count=3) as (changes, tasks):
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert changes._count == 0 and not changes._waiting

    in_time(work)


def test_beyond_a_number_of_them_answers_go_out_at_once(store: Store, row: Row,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold, "MOST", 4)

    async def work() -> None:
        async with waiting(store, count=4) as (changes, tasks):
            assert await changes.moved("arn:e", MOVING, 30, store) is False
            await asyncio.to_thread(store.update, row.with_(status="InService"))
            assert await asyncio.gather(*tasks) == [True] * 4

    in_time(work)


def test_no_patience_is_no_holding(store: Store, row: Row) -> None:
    in_time(lambda: _at_once(store))


async def _at_once(store: Store) -> None:
    assert await Changes(asyncio.get_running_loop()).moved("arn:e", MOVING, 0, store) is False
