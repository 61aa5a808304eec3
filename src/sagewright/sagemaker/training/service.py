"""What the composition root takes from this chapter."""

from __future__ import annotations

from sagewright.core.service import Service
from sagewright.sagemaker.training import controller
from sagewright.sagemaker.training.resources import TRAINING_JOB

SERVICE = Service("sagemaker", nouns=(TRAINING_JOB,), controllers={"TrainingJob": controller.reconcile})
