"""Settings of one server: read once at start from flags and environment, then immutable."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Config:
    """Every setting, with its default. `docs/settings.md` documents each; a test keeps the two together.

    data_dir: everything Sagewright stores. port: gateway port. host: address to listen on.
    account, region: the account and default region. partition: ARN partition.
    database_url: SQLAlchemy URL; empty means SQLite in the data directory.
    s3_url: an external S3 endpoint to use (http://KEY:SECRET@host) instead of the local object store; empty is local.
    hold: longest time in seconds that a Describe or Create waits for a change (0 turns it off); longer for SDKs and
        waiters that poll (gateway/hold.py).
    egress: what the CONNECT proxy does with hosts that are not AWS: refuse, registries, allow.
    egress_allow: hosts that always pass. allow_access_keys: more "KEY:SECRET" pairs of the root, for tests.
    image_policy: exact refuses an image whose library version cannot be had; nearest takes the closest one.
    runtime: auto, bwrap, docker or process. test_hooks: enables POST /_sagewright/reset.
    """

    data_dir: Path
    port: int = 4566
    host: str = "127.0.0.1"
    account: str = "123456789012"
    region: str = "us-west-2"
    partition: str = "aws"
    database_url: str = ""
    s3_url: str = ""
    hold: float = 2.0
    egress: str = "registries"
    egress_allow: tuple[str, ...] = field(default_factory=tuple)
    image_policy: str = "nearest"
    runtime: str = "auto"
    test_hooks: bool = False
    allow_access_keys: tuple[str, ...] = field(default_factory=tuple)

    @property
    def url(self) -> str:
        """The address that clients use."""
        return f"http://localhost:{self.port}"

    @property
    def role_arn(self) -> str:
        """The execution role that `up` creates."""
        return f"arn:{self.partition}:iam::{self.account}:role/service-role/SageMakerRole"
