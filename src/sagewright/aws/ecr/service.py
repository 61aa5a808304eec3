"""ECR's tables for the composition root."""

from __future__ import annotations

from sagewright.aws.ecr import image_operations, operations
from sagewright.core.service import Service, handlers

SERVICE = Service(aws="ecr", operations=handlers(operations, image_operations))
