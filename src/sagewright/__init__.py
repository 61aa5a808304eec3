"""Sagewright: Amazon SageMaker, self-hosted. `docs/architecture.md` shows the house."""

__version__ = "0.1.0"
