"""The store's contract on SQLite and on PostgreSQL (started here from the system's own binaries, if there are any)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sagewright.core.clock import FakeClock
from sagewright.core.migrate import migrate
from sagewright.core.store import Store
from tests.contracts.store_suite import StoreSuite, a_row
from tests.postgres import new_database, postgres

__all__ = ["postgres"]


def _opened(url: str) -> Store:
    store = Store(url, FakeClock())
    migrate(store.db)
    return store


class TestSqlite(StoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = _opened(f"sqlite:///{tmp_path / 'store.db'}")
        yield store
        store.close()

    def test_what_was_written_is_there_after_opening_it_again(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'again.db'}"
        first = _opened(url)
        row = first.insert(a_row())
        first.close()
        second = _opened(url)
        assert second.by_arn(row.arn) == row
        second.close()


class TestPostgres(StoreSuite):
    @pytest.fixture
    def store(self, postgres: str) -> Iterator[Store]:
        store = _opened(new_database(postgres))
        yield store
        store.close()
