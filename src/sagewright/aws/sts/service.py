"""STS's tables for the composition root."""

from __future__ import annotations

from sagewright.aws.sts import operations
from sagewright.core.service import Service, handlers

SERVICE = Service(aws="sts", operations=handlers(operations))
