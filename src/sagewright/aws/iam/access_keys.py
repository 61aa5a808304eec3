"""Operations on access keys of users and of the account root. Called by dispatch; calls records and identities."""

from __future__ import annotations

from typing import Any

from sagewright.aws.iam import records
from sagewright.aws.iam.caller import identities, named_user
from sagewright.aws.iam.identities import key_arn, new_secret
from sagewright.aws.iam.records import KEY, USER
from sagewright.core import ids
from sagewright.core.call import Call
from sagewright.core.errors import Conflict
from sagewright.core.store import Row

_MOST = 2


def create_access_key(call: Call) -> dict[str, Any]:
    """A new key pair; the secret is shown here only."""
    owner, name = _owner(call)
    if len(_of(call, owner)) >= _MOST:
        raise records.over("AccessKeysPerUser", _MOST)
    key, secret = ids.iam_id("AKIA"), new_secret()
    body = {"UserName": name, "AccessKeyId": key, "Status": "Active", "CreateDate": int(call.now)}
    work = {"as": "user" if name else "root", "account": call.account, "secret": secret}
    shown = {member: value for member, value in body.items() if value}
    call.store.insert(Row(KEY, call.account, "", key, key_arn(key), shown, owner=owner, work=work))
    return {"AccessKey": {**body, "SecretAccessKey": secret}}


def list_access_keys(call: Call) -> dict[str, Any]:
    """Keys of a user, without secrets."""
    owner, _ = _owner(call)
    return records.paged(call, [row.body for row in _of(call, owner)], "AccessKeyMetadata")


def update_access_key(call: Call) -> dict[str, Any]:
    """Activate or deactivate a key, at once."""
    status = "Active" if call.params["Status"] == "Active" else "Inactive"
    records.again(call, lambda: _find(call), lambda row: row.with_(body={"Status": status}))
    identities(call).forget()
    return {}


def delete_access_key(call: Call) -> dict[str, Any]:
    """Delete a key, at once."""
    row = _find(call)
    while not _removed(call, row):
        row = _find(call)
    identities(call).forget()
    return {}


def get_access_key_last_used(call: Call) -> dict[str, Any]:
    """Who owns a key and when it was last used (recorded every 15 minutes)."""
    row = call.store.get(KEY, call.account, "", call.params["AccessKeyId"])
    if row is None:
        raise _unknown(call)
    used = identities(call).last_use(row.name) or row.work.get("LastUsed") or {"ServiceName": "N/A", "Region": "N/A"}
    return {"UserName": row.body.get("UserName", ""), "AccessKeyLastUsed": used}


def _owner(call: Call) -> tuple[str, str]:
    """(ARN, user name) of whose keys are meant; the root has no name."""
    if "UserName" not in call.params and call.principal.is_root:
        return call.principal.arn, ""
    row = records.find(call, USER, named_user(call))
    return row.arn, row.name


def _of(call: Call, owner: str) -> list[Row]:
    return [row for row in call.store.children(owner, KEY) if row.account == call.account]


def _find(call: Call) -> Row:
    owner, _ = _owner(call)
    row = call.store.get(KEY, call.account, "", call.params["AccessKeyId"])
    if row is None or row.owner != owner:
        raise _unknown(call)
    return row


def _removed(call: Call, row: Row) -> bool:
    """Whether the row went; not if its last use was recorded at that moment."""
    try:
        call.store.delete(row)
    except Conflict:
        return False
    return True


def _unknown(call: Call) -> Exception:
    return records.missing(f"The Access Key with id {call.params['AccessKeyId']} cannot be found.")
