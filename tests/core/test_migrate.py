"""Databases of every age: new ones are made, current ones left alone, newer ones refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from sagewright.core import migrate as migrations
from sagewright.core.database import Database
from sagewright.core.migrate import HEAD, migrate
from sagewright.core.tables import METADATA


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'aged.db'}"


def test_a_new_database_gets_every_table(url: str) -> None:
    db = Database(url)
    migrate(db)
    names = set(sa.inspect(db.engine).get_table_names())
    assert {"resources", "tags", "events", "alembic_version"} <= names
    assert set(METADATA.tables) <= names
    db.close()


def test_the_tables_are_those_that_the_code_declares(url: str) -> None:
    from sagewright.cli import assembly

    assembly.services()  # every room has declared its tables
    db = Database(url)
    migrate(db)
    found = sa.inspect(db.engine)
    for table in METADATA.sorted_tables:
        assert {column["name"] for column in found.get_columns(table.name)} == set(table.columns.keys()), table.name
    db.close()


def test_a_current_database_is_left_alone_and_starts_without_alembic(url: str) -> None:
    program = ("import sys\nfrom sagewright.core.database import Database\n"
               "from sagewright.core.migrate import migrate\nmigrate(Database(sys.argv[1]))\n"
               "print('alembic' in sys.modules)\n")

    def start() -> str:
        return subprocess.run([sys.executable, "-c", program, url], capture_output=True, text=True, check=True).stdout

    assert [start(), start()] == ["True\n", "False\n"]


def test_a_database_of_a_newer_version_is_refused_and_not_touched(url: str) -> None:
    db = Database(url)
    migrate(db)
    db.write(lambda tx: tx.execute(sa.text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(SystemExit, match=f"revision 9999, this Sagewright knows {HEAD}"):
        migrate(db)
    assert migrations._revision(db) == "9999"
    db.close()


def test_the_newest_script_is_the_head() -> None:
    scripts = sorted((Path(migrations.__file__).with_name("migrations") / "versions").glob("[0-9]*.py"))
    assert scripts[-1].name.startswith(f"{HEAD}_")
