"""The store's contract on SQLite and on PostgreSQL (started here from the system's own binaries, if there are any)."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from sagewright.core.clock import FakeClock
from sagewright.core.migrate import migrate
from sagewright.core.store import Store
from tests.conftest import free_port
from tests.contracts.store_suite import StoreSuite, a_row


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


def _postgres_binaries() -> Path | None:
    found = shutil.which("initdb")
    candidates = [Path(found).resolve().parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((path for path in candidates if (path / "postgres").exists()), None)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server of our own on a free port; its URL without a database name."""
    binaries = _postgres_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL's server binaries are not installed")
    folder = Path(f"/tmp/sagewright-postgres-{uuid.uuid4().hex[:8]}")
    folder.mkdir()
    as_user: list[str] = []
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, 65534, 65534)
        as_user = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    port = free_port()
    data = folder / "data"
    subprocess.run([*as_user, binaries / "initdb", "-D", data, "-U", "sage", "-A", "trust", "-N"], check=True,
                   capture_output=True, cwd="/")
    server = subprocess.Popen([*as_user, binaries / "postgres", "-D", data, "-p", str(port), "-k", folder,
                               "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=60"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
    try:
        for _ in range(300):
            ready = subprocess.run([binaries / "pg_isready", "-h", "127.0.0.1", "-p", str(port)], capture_output=True)
            if ready.returncode == 0:
                break
            server.poll()
        yield f"postgresql+psycopg://sage@127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


class TestPostgres(StoreSuite):
    @pytest.fixture
    def store(self, postgres: str) -> Iterator[Store]:
        name = f"t{uuid.uuid4().hex[:10]}"
        admin = sa.create_engine(f"{postgres}/postgres", isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        admin.dispose()
        store = _opened(f"{postgres}/{name}")
        yield store
        store.close()
