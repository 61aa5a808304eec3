"""IAM's tables for the composition root."""

from __future__ import annotations

from sagewright.aws.iam import access_keys, accounts, roles, users
from sagewright.core.service import Service, handlers

SERVICE = Service(
    aws="iam",
    operations=handlers(users, access_keys, roles),
    boot=accounts.boot,
    reset=accounts.reset,
)
