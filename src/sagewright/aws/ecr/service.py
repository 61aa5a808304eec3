"""The tables of ecr for the composition root."""

from __future__ import annotations

from sagewright.core.service import Service

SERVICE = Service(aws="ecr")
