"""What the composition root takes from this chapter."""

from __future__ import annotations

from sagewright.core.service import Service, handlers
from sagewright.sagemaker.endpoints import controller, operations
from sagewright.sagemaker.endpoints.resources import ENDPOINT, ENDPOINT_CONFIG, MODEL

SERVICE = Service("sagemaker", nouns=(MODEL, ENDPOINT_CONFIG, ENDPOINT), operations=handlers(operations),
                  controllers={"Endpoint": controller.reconcile})
