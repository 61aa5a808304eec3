"""AWS Security Token Service: who calls, and temporary credentials.

Covered: GetCallerIdentity, AssumeRole (trust policy with conditions, external id, session tags, source identity,
session policies recorded, longest durations, role chaining), GetSessionToken, GetFederationToken, GetAccessKeyInfo.

Refused in AWS's words: AssumeRoleWithWebIdentity and AssumeRoleWithSAML (there are no identity providers),
DecodeAuthorizationMessage (no encoded messages are issued).

Not covered: AssumeRoot, GetDelegatedAccessToken, GetScopedCredentials, GetWebIdentityToken; MFA.

Differences from AWS: the account's root may assume every role of its own account (AWS refuses root any role), so that a
fresh server is usable with its root key alone. Identity policies of the caller are not asked for yet: the trust policy
decides.
"""
