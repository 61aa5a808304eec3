"""AWS Identity and Access Management: who there is, what they may do, and with which keys they sign.

Covered: users, access keys (with last use), signing
certificates as records, groups and membership, roles (path, trust policy, longest session, tags,
description, permissions boundary), inline and managed policies with versions, about forty policies that AWS manages,
instance profiles, service-linked roles, account alias, password policy, summary and authorization details,
SimulatePrincipalPolicy and SimulateCustomPolicy over the same evaluator that decides requests (core/policy.py).

Not covered: login profiles, MFA, SSH keys, server certificates, SAML and OIDC providers, credential
reports, last-accessed reports, organizations, service-specific credentials.

Differences from AWS: besides the root key the account has one key pair that stands for a session of its execution role,
never expires and needs no session token (accounts.py). Principals of trust policies need the right form, not existence.
Names are compared with case. Changes take effect at once, everywhere. Long AWS-managed policies are abridged to the
services that are here (managed.py); one that is not in the table does not exist.
"""
