"""IAM's tables for the composition root."""

from __future__ import annotations

from sagewright.aws.iam import (
    access_keys,
    account,
    accounts,
    attachments,
    certificates,
    groups,
    policies,
    profiles,
    roles,
    service_linked,
    simulate,
    users,
)
from sagewright.core.service import Service, handlers

SERVICE = Service(
    aws="iam",
    operations=handlers(users, access_keys, certificates, groups, roles, policies, attachments, profiles,
                        service_linked, account, simulate),
    boot=accounts.boot,
    reset=accounts.reset,
)
