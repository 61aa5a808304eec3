"""Derived verbs: create, describe, list, update, delete and stop for every noun, read off the botocore model.

`derive(noun)` is called by `dispatch` at boot and returns handlers by boto3 method name. What a verb cannot express is
written by hand in a chapter's `operations.py` and takes precedence.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sagewright.core import model, paging
from sagewright.core.call import Call
from sagewright.core.errors import AwsError, Conflict, Terminal
from sagewright.core.nouns import Noun
from sagewright.core.service import Handler
from sagewright.core.store import Page, Row

_RETRIES = 20
# What a page token holds by the column that the pages are sorted by.
_KINDS: dict[str, type | tuple[type, ...]] = {"name": str, "status": str, "created": (int, float),
                                              "modified": (int, float)}


def derive(noun: Noun) -> dict[str, Handler]:
    """Handlers for every operation of the model that a verb of this noun covers."""
    known = set(model.operation_names(noun.service))
    table: dict[str, Handler] = {}
    for verb, make in _VERBS.items():
        name = noun.verbs.get(verb) or _operation(verb, noun.name)
        if name in known and verb not in noun.without:
            table[model.method_name(name)] = make(noun, name)
    return table


def _operation(verb: str, name: str) -> str:
    if verb != "List":
        return verb + name
    return "List" + (name[:-1] + "ies" if name.endswith("y") else name + "s")


# -- shared by written operations ---------------------------------------------------------------------------------
def find(call: Call, noun: Noun, name: str) -> Row:
    """The row of that name in the caller's account and region, or the noun's not-found error."""
    row = call.store.get(noun.name, call.account, call.region, _bare(name))
    if row is None:
        raise noun.not_found(call, _bare(name))
    return row


def change(call: Call, noun: Noun, name: str, step: Callable[[Row], Row]) -> Row:
    """Read, change and store one row, again if somebody else was quicker."""
    for _ in range(_RETRIES):
        row = find(call, noun, name)
        try:
            return call.store.update(step(row))
        except Conflict:
            continue
        except Terminal:
            raise refused(noun, row) from None
    raise _contended(noun, name)


def _contended(noun: Noun, name: str) -> AwsError:
    return AwsError("ConflictException", f"The {noun.plain} {name} is being changed by others.")


def refused(noun: Noun, row: Row) -> AwsError:
    """Stop or change of something that has ended."""
    return AwsError("ValidationException",
                    f"The request was rejected because the {noun.plain} is in status {row.status}.")


def insert(call: Call, noun: Noun, name: str, body: dict[str, Any], owner: str = "") -> Row:
    """Store a new resource of that name with the request's tags; the noun's error if the name is taken."""
    row = Row(kind=noun.name, account=call.account, region=call.region, name=name, arn=noun.arn_of(call, name),
              body=body, status=noun.first, owner=owner, created=call.now, modified=call.now,
              terminal=noun.first in noun.terminal or not noun.status)
    try:
        return call.store.insert(row, call.params.get("Tags") or ())
    except Conflict:
        raise noun.already_exists(call, name) from None


def described(call: Call, noun: Noun, row: Row) -> dict[str, Any]:
    """The row as Describe answers it: what was sent, what became of it, times, ARN and status."""
    body = {**row.body, noun.name_member: row.name, noun.arn_member: row.arn}
    body.setdefault("CreationTime", row.created)
    body.setdefault("LastModifiedTime", row.modified)
    if noun.status:
        body[noun.status] = row.status
    if noun.describe is not None:
        body.update(noun.describe(call, row))
    return {key: value for key, value in body.items() if value is not None}


def hold(call: Call, noun: Noun, row: Row) -> None:
    """Let the gateway hold the answer while the row is in a state that ends by itself."""
    if row.status in noun.moving:
        call.hold = (row.arn, row.status, noun.moving)


# -- the verbs ------------------------------------------------------------------------------------------------------
def _create(noun: Noun, _operation_name: str) -> Handler:
    def create(call: Call) -> dict[str, Any]:
        name = call.params[noun.name_member]
        if call.store.get(noun.name, call.account, call.region, name) is not None:
            raise noun.already_exists(call, name)
        body = {key: value for key, value in call.params.items()
                if key not in noun.hidden and key != noun.name_member and value is not None}
        if noun.admit is not None:
            body = noun.admit(call, body)
        row = insert(call, noun, name, body)
        if noun.holds_create:
            hold(call, noun, row)
        return {noun.arn_member: row.arn}

    return create


def _describe(noun: Noun, _operation_name: str) -> Handler:
    def describe(call: Call) -> dict[str, Any]:
        row = find(call, noun, call.params[noun.name_member])
        hold(call, noun, row)
        return described(call, noun, row)

    return describe


def _delete(noun: Noun, _operation_name: str) -> Handler:
    def delete(call: Call) -> None:
        for _ in range(_RETRIES):
            row = find(call, noun, call.params[noun.name_member])
            if noun.deletable is not None:
                noun.deletable(call, row)
            try:
                if noun.deleting:
                    call.store.update(row.with_(status=noun.deleting))
                else:
                    call.store.delete(row)
                return
            except Conflict:
                continue
            except Terminal:
                raise refused(noun, row) from None
        raise _contended(noun, call.params[noun.name_member])

    return delete


def _stop(noun: Noun, _operation_name: str) -> Handler:
    def stop(call: Call) -> None:
        def step(row: Row) -> Row:
            if row.status not in noun.stoppable:
                raise refused(noun, row)
            return row.with_(status=noun.stopping)

        change(call, noun, call.params[noun.name_member], step)

    return stop


def _update(noun: Noun, operation_name: str) -> Handler:
    shown = model.members(model.operation(noun.service, operation_name).output_shape)

    def update(call: Call) -> dict[str, Any]:
        def step(row: Row) -> Row:
            if noun.change is not None:
                return row.with_(body=noun.change(call, row))
            return row.with_(body={k: v for k, v in call.params.items()
                                   if k not in noun.hidden and k != noun.name_member})

        row = change(call, noun, call.params[noun.name_member], step)
        return {key: value for key, value in described(call, noun, row).items() if key in shown}

    return update


def _list(noun: Noun, operation_name: str) -> Handler:
    operation = model.operation(noun.service, operation_name)
    pages = model.paginator(noun.service, operation_name)
    into = pages.get("result_key") or next(k for k, s in model.members(operation.output_shape).items()
                                           if s.type_name == "list")
    summary = set(model.members(operation.output_shape.members[into].member))
    descending = _default_descending(operation)

    def list_(call: Call) -> dict[str, Any]:
        rows, token = listing(call, noun.name, descending)
        summaries = [{k: v for k, v in described(call, noun, row).items() if k in summary} for row in rows]
        return {into: summaries, "NextToken": token}

    return list_


def listing(call: Call, kind: str, descending: bool = True, owner: str = "") -> tuple[list[Row], str | None]:
    """One page of rows as the usual List members ask for, and the token of the next page."""
    asked = call.params
    sort = {"Name": "name", "Status": "status", "LastModifiedTime": "modified"}.get(asked.get("SortBy", ""), "created")
    order = asked.get("SortOrder")
    limit = int(asked.get("MaxResults") or 10)
    page = Page(
        kind=kind, account=call.account, region=call.region, limit=limit + 1, sort=sort,
        descending=order == "Descending" if order else descending,
        after=paging.decode(asked["NextToken"], _KINDS[sort]) if asked.get("NextToken") else None,
        statuses=[asked["StatusEquals"]] if asked.get("StatusEquals") else (),
        name_contains=asked.get("NameContains", ""), owner=owner,
        created_after=_seconds(asked.get("CreationTimeAfter")),
        created_before=_seconds(asked.get("CreationTimeBefore")),
        modified_after=_seconds(asked.get("LastModifiedTimeAfter")),
        modified_before=_seconds(asked.get("LastModifiedTimeBefore")))
    rows = call.store.page(page)
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    return rows[:limit], paging.encode(getattr(last, sort), last.id)


def _seconds(value: Any) -> float | None:
    return value.timestamp() if hasattr(value, "timestamp") else value


def _default_descending(operation: model.OperationModel) -> bool:
    """The documented default order: the model only states it in the words of SortOrder's documentation."""
    order = model.members(operation.input_shape).get("SortOrder")
    said = re.search(r"default[^.]*?(Ascending|Descending)", order.documentation if order else "")
    return said is not None and said.group(1) == "Descending"


_VERBS: dict[str, Callable[[Noun, str], Handler]] = {
    "Create": _create, "Describe": _describe, "List": _list, "Update": _update, "Delete": _delete, "Stop": _stop,
}


def _bare(name: str) -> str:
    """Names may be given as ARNs."""
    return name.rsplit("/", 1)[-1] if name.startswith("arn:") else name
