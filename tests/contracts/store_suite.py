"""The store's contract: what every database behind `core.store.Store` must guarantee. Subclass and give a `store`."""

from __future__ import annotations

import threading

import pytest

from sagewright.core.errors import Conflict, Terminal
from sagewright.core.store import Event, Page, Row, Store


def a_row(name: str = "one", **more: object) -> Row:
    """A row of kind Thing."""
    values: dict = {"kind": "Thing", "account": "1", "region": "r", "name": name, "arn": f"arn:thing/{name}",
                    "body": {"Name": name}, "status": "New"}
    return Row(**{**values, **more})


class StoreSuite:
    """Every test takes the `store` fixture of the subclass."""

    def test_a_row_comes_back_as_it_was_stored(self, store: Store) -> None:
        stored = store.insert(a_row(body={"Deep": {"List": [1, "zwei", None], "Flag": True}}, work={"handle": "h"}))
        assert store.get("Thing", "1", "r", "one") == stored
        assert store.by_arn("arn:thing/one") == stored

    def test_a_name_is_taken_once(self, store: Store) -> None:
        store.insert(a_row())
        with pytest.raises(Conflict):
            store.insert(a_row(arn="arn:thing/other"))
        with pytest.raises(Conflict):
            store.insert(a_row(name="other", arn="arn:thing/one"))

    def test_of_many_writers_of_one_name_exactly_one_wins(self, store: Store) -> None:
        outcomes: list[str] = []

        def insert() -> None:
            try:
                store.insert(a_row())
                outcomes.append("stored")
            except Conflict:
                outcomes.append("refused")

        threads = [threading.Thread(target=insert) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["refused"] * 7 + ["stored"]

    def test_an_update_counts_versions_and_merges_members(self, store: Store) -> None:
        row = store.insert(a_row(body={"Keep": 1, "Drop": 2}))
        store.update(row.with_(status="Busy", body={"Drop": None, "Add": 3}))
        after = store.by_arn(row.arn)
        assert after is not None
        assert (after.version, after.status, after.body) == (2, "Busy", {"Keep": 1, "Add": 3})

    def test_an_update_of_an_outdated_row_is_refused(self, store: Store) -> None:
        row = store.insert(a_row())
        store.update(row.with_(body={"First": 1}))
        with pytest.raises(Conflict):
            store.update(row.with_(body={"Second": 2}))

    def test_concurrent_updates_lose_nothing(self, store: Store) -> None:
        store.insert(a_row(body={"Count": 0}))

        def add() -> None:
            for _ in range(10):
                while True:
                    row = store.by_arn("arn:thing/one")
                    assert row is not None
                    try:
                        store.update(row.with_(body={"Count": row.body["Count"] + 1}))
                        break
                    except Conflict:
                        continue

        threads = [threading.Thread(target=add) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        row = store.by_arn("arn:thing/one")
        assert row is not None and row.body["Count"] == 40

    def test_a_terminal_row_keeps_its_status(self, store: Store) -> None:
        done = store.update(store.insert(a_row()).with_(status="Done", terminal=True))
        with pytest.raises(Terminal):
            store.update(done.with_(status="New", terminal=False))
        noted = store.update(done.with_(body={"Note": "still allowed"}))
        assert noted.status == "Done"

    def test_a_deleted_row_is_gone_with_its_tags_and_its_name_is_free(self, store: Store) -> None:
        row = store.insert(a_row(), [{"Key": "k", "Value": "v"}])
        store.delete(row)
        assert store.by_arn(row.arn) is None and store.tags(row.arn) == []
        with pytest.raises(Conflict):
            store.delete(row)
        assert store.insert(a_row()).id != 0

    def test_tags_keep_their_order_and_last_value(self, store: Store) -> None:
        row = store.insert(a_row(), [{"Key": "b", "Value": "1"}, {"Key": "a", "Value": "2"}])
        store.tag(row.arn, [{"Key": "b", "Value": "3"}, {"Key": "c", "Value": ""}])
        store.untag(row.arn, ["a", "never there"])
        assert store.tags(row.arn) == [{"Key": "b", "Value": "3"}, {"Key": "c", "Value": ""}]

    def test_every_change_is_one_event_in_order(self, store: Store) -> None:
        heard: list[Event] = []
        store.subscribe(heard.extend)
        row = store.insert(a_row())
        store.delete(store.update(row.with_(status="Busy")))
        events = store.events()
        assert [(e.change, e.status, e.version) for e in events] == [
            ("created", "New", 1), ("updated", "Busy", 2), ("deleted", "Busy", 2)]
        assert [e.seq for e in events] == sorted({e.seq for e in events})
        assert heard == events
        assert store.events(after=events[0].seq) == events[1:]

    @pytest.mark.parametrize("sort", ["created", "modified", "name", "status"])
    @pytest.mark.parametrize("descending", [False, True])
    def test_pages_show_every_row_once_in_order(self, store: Store, sort: str, descending: bool) -> None:
        for n in range(23):
            store.insert(a_row(f"n{n % 7}-{n:02}", created=1000.0 + n % 5, modified=2000.0 + n % 3,
                               status=("A", "B")[n % 2]))
        seen: list[Row] = []
        after = None
        while page := store.page(Page("Thing", "1", "r", limit=4, sort=sort, descending=descending, after=after)):
            seen += page
            after = (getattr(page[-1], sort), page[-1].id)
        keys = [(getattr(row, sort), row.id) for row in seen]
        assert len(seen) == 23 and keys == sorted(keys, reverse=descending)

    def test_filters_narrow_a_page(self, store: Store) -> None:
        for n in range(10):
            store.insert(a_row(f"job-{n}", created=100.0 + n, status="Done" if n % 2 else "New"))
        store.insert(a_row("Ob%-elsewhere", region="other", arn="arn:thing/elsewhere"))

        def names(**more: object) -> list[str]:
            return [row.name for row in store.page(Page("Thing", "1", "r", **more))]  # type: ignore[arg-type]

        assert names(statuses=["Done"], created_after=103.0) == ["job-5", "job-7", "job-9"]
        assert names(name_contains="OB-3") == ["job-3"]
        assert names(name_contains="%") == []
        assert names(created_before=102.0) == ["job-0", "job-1"]

    def test_children_and_active_rows_are_found(self, store: Store) -> None:
        store.insert(a_row("child", owner="arn:thing/parent"))
        store.insert(a_row("ended", status="Done", terminal=True))
        assert [row.name for row in store.children("arn:thing/parent")] == ["child"]
        assert [row.name for row in store.active(["Thing"])] == ["child"]

    def test_a_failing_write_changes_nothing_and_harms_no_other(self, store: Store) -> None:
        def broken(_tx: object) -> None:
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            store.write(broken)
        assert store.insert(a_row()).id != 0

    def test_clearing_an_account_leaves_the_others(self, store: Store) -> None:
        store.insert(a_row())
        store.insert(a_row("other", account="2", arn="arn:thing/2"))
        store.clear("1")
        assert store.by_arn("arn:thing/one") is None and store.by_arn("arn:thing/2") is not None
