"""Group commit, and what every waiting writer hears when the disk fails, on a disk that is really full."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sagewright.core.database import Database
from tests.conftest import ROOT

T = sa.Table("t", sa.MetaData(), sa.Column("n", sa.Integer, primary_key=True), sa.Column("text", sa.Text))


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'plain.db'}")
    made.write(lambda tx: T.create(tx))
    yield made
    made.close()


def add(n: int, text: str = "") -> Any:
    return lambda tx: tx.execute(T.insert().values(n=n, text=text)).rowcount


def stored(db: Database) -> list[int]:
    return db.read(lambda c: list(c.execute(sa.select(T.c.n).order_by(T.c.n)).scalars()))


def many(db: Database, changes: list[Any]) -> list[Any]:
    """What each of these writers is told, all waiting behind one that is under way, so that they share a commit."""
    told: list[Any] = [None] * len(changes)
    hold, held = threading.Event(), threading.Event()

    def first(tx: sa.Connection) -> None:
        held.set()
        assert hold.wait(30)

    def write(place: int, change: Any) -> None:
        try:
            told[place] = db.write(change)
        except Exception as error:  # noqa: BLE001 - what the test looks at
            told[place] = error

    opener = threading.Thread(target=db.write, args=(first,))
    opener.start()
    assert held.wait(30)
    writers = [threading.Thread(target=write, args=(n, change)) for n, change in enumerate(changes)]
    for writer in writers:
        writer.start()
    while db._jobs.qsize() < len(changes):  # every one of them waits in the queue
        threading.Event().wait(0.002)
    hold.set()
    for thread in (opener, *writers):
        thread.join(30)
        assert not thread.is_alive(), "a writer was left waiting"
    return told


def test_an_error_in_one_of_many_undoes_only_its_own_statements(db: Database) -> None:
    def broken(tx: sa.Connection) -> None:
        tx.execute(T.insert().values(n=99))
        raise ValueError("mine alone")

    told = many(db, [add(1), broken, add(2), add(1), add(3)])
    assert (told[2], told[4]) == (1, 1) and isinstance(told[1], ValueError)
    assert sorted([told[0] == 1, told[3] == 1]) == [False, True], "one of the two writers of the same key"
    assert any(isinstance(answer, sa.exc.IntegrityError) for answer in (told[0], told[3]))
    assert stored(db) == [1, 2, 3]


def test_waiting_writers_share_a_commit(db: Database) -> None:
    commits: list[int] = []
    sa.event.listen(db.engine, "commit", lambda connection: commits.append(1))
    many(db, [add(n) for n in range(50)])
    assert stored(db) == list(range(50))
    assert len(commits) <= 6, "one for the opener, one for the fifty, and those of the pragmas"


def test_a_closed_database_takes_nothing_and_closing_twice_is_no_error(db: Database) -> None:
    db.close()
    db.close()
    with pytest.raises(RuntimeError, match="closed"):
        db.write(add(1))


def test_what_was_queued_before_the_close_is_written(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'closing.db'}"
    first = Database(url)
    first.write(lambda tx: T.create(tx))
    threads = [threading.Thread(target=first.write, args=(add(n),)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    first.close()
    second = Database(url)
    assert stored(second) == list(range(20))
    second.close()


def test_a_database_that_may_not_be_written_tells_every_writer(db: Database) -> None:
    db.write(add(0))
    db.write(lambda tx: tx.exec_driver_sql("PRAGMA query_only = ON"))  # the writer's own connection, from now on
    told: list[BaseException] = []

    def write(n: int) -> None:
        with pytest.raises(sa.exc.OperationalError, match="readonly") as refused:
            db.write(add(n))
        told.append(refused.value)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(told) == 8 and stored(db) == [0]


_ON_A_FULL_DISK = """
import os, sys
import sqlalchemy as sa
from tests.core import test_database as t
db = t.Database("sqlite:///" + sys.argv[1] + "/full.db")
db.write(lambda tx: t.T.create(tx))
db.write(t.add(0))
big = "x" * 400_000
told = t.many(db, [t.add(n, big) for n in range(1, 13)])
good = {n for n, answer in enumerate(told, 1) if answer == 1}
bad = [answer for answer in told if isinstance(answer, sa.exc.OperationalError)]
assert bad, told
assert "full" in str(bad[0]), bad[0]
assert len(good) + len(bad) == 12, told
assert set(t.stored(db)) == {0} | good, (t.stored(db), good)
os.remove(sys.argv[1] + "/ballast")
assert db.write(t.add(100, big)) == 1, "once there is room again, writing goes on"
db.close()
again = t.Database("sqlite:///" + sys.argv[1] + "/full.db")
assert set(t.stored(again)) == {0, 100} | good
print("all heard")
"""


def test_on_a_full_disk_every_waiter_hears_of_it_and_nothing_stored_is_lost(tmp_path: Path) -> None:
    """A tiny file system of our own, in a mount namespace of our own, filled up for real."""
    place = tmp_path / "tiny"
    place.mkdir()
    script = (f"mount -t tmpfs -o size=4m tiny {place} && head -c 2500000 /dev/zero > {place}/ballast && "
              f"exec {sys.executable} -c \"$PROGRAM\" {place}")
    enter = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*enter, "true"], capture_output=True).returncode:
        pytest.skip("no mount namespace can be made here")
    done = subprocess.run([*enter, "sh", "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=120,
                          env={**os.environ, "PROGRAM": _ON_A_FULL_DISK, "PYTHONPATH": str(ROOT)})
    assert done.stdout.strip() == "all heard", done.stdout + done.stderr
