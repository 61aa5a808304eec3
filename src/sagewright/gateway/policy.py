"""Authorisation: the seam where IAM policies will decide. Called by `chain.authorize`.

Covered: an unsigned request may only reach operations that AWS leaves open (S3, whose room decides by bucket policy,
and the STS operations that bring their own proof). Not covered yet: identity policies are stored, simulated and
returned but do not restrict signed requests.
"""

from __future__ import annotations

from sagewright.core.call import ANONYMOUS, Call
from sagewright.core.errors import AwsError

OPEN = frozenset({"AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"})


def authorize(call: Call) -> None:
    """Raise the error that AWS gives to somebody who may not do this."""
    if call.principal is not ANONYMOUS or call.service == "s3" or call.operation in OPEN:
        return
    raise AwsError("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
