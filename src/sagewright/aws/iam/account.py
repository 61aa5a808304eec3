"""Operations on the account as a whole: alias, password policy, summary, everything at once. Called by dispatch."""

from __future__ import annotations

from typing import Any

from sagewright.aws.iam import records, usage
from sagewright.aws.iam.identities import root_of
from sagewright.aws.iam.records import GROUP, KEY, POLICY, PROFILE, ROLE, USER, Entity
from sagewright.core.call import Call
from sagewright.core.errors import AwsError, Conflict
from sagewright.core.store import Row

_ALIAS = "iam:AccountAlias"
_PASSWORDS = "iam:PasswordPolicy"
_PASSWORD_DEFAULTS = {"MinimumPasswordLength": 6, "RequireSymbols": False, "RequireNumbers": False,
                      "RequireUppercaseCharacters": False, "RequireLowercaseCharacters": False,
                      "AllowUsersToChangePassword": False, "ExpirePasswords": False, "HardExpiry": False}
_QUOTAS = {"UsersQuota": 5000, "GroupsQuota": 300, "RolesQuota": 1000, "InstanceProfilesQuota": 1000,
           "PoliciesQuota": 1500, "ServerCertificatesQuota": 20, "AccessKeysPerUserQuota": 2, "GroupsPerUserQuota": 10,
           "SigningCertificatesPerUserQuota": 2, "AttachedPoliciesPerUserQuota": 10,
           "AttachedPoliciesPerGroupQuota": 10, "AttachedPoliciesPerRoleQuota": 10, "PolicySizeQuota": 6144,
           "UserPolicySizeQuota": 2048, "GroupPolicySizeQuota": 5120, "RolePolicySizeQuota": 10240,
           "AssumeRolePolicySizeQuota": 2048, "PolicyVersionsInUseQuota": 10000, "VersionsPerPolicyQuota": 5,
           "GlobalEndpointTokenVersion": 1}


def create_account_alias(call: Call) -> dict[str, Any]:
    """Name the account; it has one alias at most."""
    alias = call.params["AccountAlias"]
    for row in call.store.all(_ALIAS):
        if row.name == alias and row.account != call.account:
            raise records.taken(f"The account alias {alias} already exists.")
        if row.account == call.account:
            records.remove(call, row)
    try:
        call.store.insert(Row(_ALIAS, call.account, "", alias, f"arn:aws:iam:::alias/{alias}", {}))
    except Conflict:
        raise records.taken(f"The account alias {alias} already exists.") from None
    return {}


def list_account_aliases(call: Call) -> dict[str, Any]:
    """The alias, if there is one."""
    return records.paged(call, [row.name for row in call.store.all(_ALIAS, call.account)], "AccountAliases")


def delete_account_alias(call: Call) -> dict[str, Any]:
    """Remove the alias."""
    row = call.store.get(_ALIAS, call.account, "", call.params["AccountAlias"])
    if row is None:
        raise records.missing(f"The account alias {call.params['AccountAlias']} cannot be found.")
    records.remove(call, row)
    return {}


def update_account_password_policy(call: Call) -> dict[str, Any]:
    """Record the password policy; what is not given falls back to its default."""
    body = {**_PASSWORD_DEFAULTS, **call.params}
    body["ExpirePasswords"] = bool(call.params.get("MaxPasswordAge"))
    row = call.store.get(_PASSWORDS, call.account, "", "password-policy")
    arn = f"arn:aws:iam::{call.account}:password-policy"
    try:
        if row is None:
            call.store.insert(Row(_PASSWORDS, call.account, "", "password-policy", arn, body))
        else:
            call.store.update(Row(**{**vars(row), "body": body}))
    except Conflict:
        raise AwsError("EntityTemporarilyUnmodifiable", "The password policy is being changed by others.",
                       409) from None
    return {}


def get_account_password_policy(call: Call) -> dict[str, Any]:
    """The password policy, if one was set."""
    return {"PasswordPolicy": _passwords(call).body}


def delete_account_password_policy(call: Call) -> dict[str, Any]:
    """Back to no password policy."""
    records.remove(call, _passwords(call, "The account policy with name PasswordPolicy cannot be found."))
    return {}


def get_account_summary(call: Call) -> dict[str, Any]:
    """How many of what, and how many there may be."""
    count = {entity: len(call.store.all(entity.kind, call.account)) for entity in (USER, GROUP, ROLE, PROFILE, POLICY)}
    root = root_of(call.world, call.account).arn
    versions = sum(len(row.work["versions"]) for row in call.store.all(POLICY.kind, call.account))
    return {"SummaryMap": {
        **_QUOTAS, "Users": count[USER], "Groups": count[GROUP], "Roles": count[ROLE],
        "InstanceProfiles": count[PROFILE], "Policies": count[POLICY], "PolicyVersionsInUse": versions,
        "AccountAccessKeysPresent": int(bool(call.store.children(root, KEY))), "AccountMFAEnabled": 0,
        "AccountPasswordPresent": 0, "AccountSigningCertificatesPresent": 0, "MFADevices": 0, "MFADevicesInUse": 0,
        "Providers": 0, "ServerCertificates": 0}}


def get_account_authorization_details(call: Call) -> dict[str, Any]:
    """Users, groups, roles and policies with all that hangs on them."""
    wanted = set(call.params.get("Filter") or ["User", "Group", "Role", "LocalManagedPolicy", "AWSManagedPolicy"])
    found: list[tuple[str, dict[str, Any]]] = []
    for entity, row in usage.every(call):
        kind = entity.name[:-4]
        if kind in wanted:
            found.append((f"{kind}DetailList", _entity(call, entity, row)))
    found += [("Policies", policy) for policy in _policies(call, wanted)]
    page = records.paged(call, found, "Found")
    shown = page.pop("Found")
    return {member: [each for of, each in shown if of == member]
            for member in ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")} | page


# -- shared --------------------------------------------------------------------------------------------------------
def _passwords(call: Call, otherwise: str = "") -> Row:
    row = call.store.get(_PASSWORDS, call.account, "", "password-policy")
    if row is None:
        raise records.missing(otherwise or f"The Password Policy with domain name {call.account} cannot be found.")
    return row


def _entity(call: Call, entity: Entity, row: Row) -> dict[str, Any]:
    kind = entity.name[:-4]
    found = {key: value for key, value in records.described(call, row).items()
             if key not in ("Description", "MaxSessionDuration")}
    inline = [{"PolicyName": name, "PolicyDocument": records.encoded(document)}
              for name, document in sorted(row.work["inline"].items())]
    attached = [{"PolicyName": arn.rsplit("/", 1)[-1], "PolicyArn": arn} for arn in row.work["attached"]]
    found |= {f"{kind}PolicyList": inline, "AttachedManagedPolicies": attached}
    if entity is USER:
        found["GroupList"] = row.work["groups"]
    if entity is ROLE:
        found["InstanceProfileList"] = [records.profile(call, profile) for profile in records.entities(call, PROFILE)
                                        if row.name in profile.work["roles"]]
    return found


def _policies(call: Call, wanted: set[str]) -> list[dict[str, Any]]:
    """Policies of the account, and those of AWS that are in use."""
    attached, boundaries = usage.counts(call)
    rows = call.store.all(POLICY.kind, call.account) if "LocalManagedPolicy" in wanted else []
    if "AWSManagedPolicy" in wanted:
        used = (usage.policy(call, arn) for arn in sorted({*attached, *boundaries}))
        rows += [row for row in used if row is not None and row.account == "aws"]
    return [{**row.body, "AttachmentCount": attached[row.arn], "IsAttachable": True,
             "PermissionsBoundaryUsageCount": boundaries[row.arn],
             "PolicyVersionList": [{**version, "Document": records.encoded(version["Document"]),
                                    "IsDefaultVersion": version["VersionId"] == row.body["DefaultVersionId"]}
                                   for version in row.work["versions"]]} for row in rows]
