"""Errors of built-in algorithms: the user's fault, or the algorithm's. Both end the job with their text."""

from __future__ import annotations

from sagewright_kit.contract.errors import ClientError


class UserError(ClientError):
    """The data or the hyperparameters are at fault."""


class AlgorithmError(ClientError):
    """Training itself failed."""
