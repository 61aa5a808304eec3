"""KMS's tables for the composition root."""

from __future__ import annotations

from sagewright.aws.kms import alias_operations, cipher_operations, grant_operations, key_operations
from sagewright.core.service import Service, handlers

SERVICE = Service(
    aws="kms", operations=handlers(key_operations, alias_operations, cipher_operations, grant_operations))
