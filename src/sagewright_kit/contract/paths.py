"""Where things lie below /opt/ml. Used by everything in the kit; SAGEMAKER_BASE_DIR moves the base for tests."""

from __future__ import annotations

import os


class Paths:
    """The directories and files of one container."""

    def __init__(self, base: str | None = None) -> None:
        self.base = base or os.environ.get("SAGEMAKER_BASE_DIR") or "/opt/ml"
        self.code = os.path.join(self.base, "code")
        self.model = os.path.join(self.base, "model")
        self.input = os.path.join(self.base, "input")
        self.input_config = os.path.join(self.input, "config")
        self.input_data = os.path.join(self.input, "data")
        self.output = os.path.join(self.base, "output")
        self.output_data = os.path.join(self.output, "data")
        self.output_intermediate = os.path.join(self.output, "intermediate")
        self.failure = os.path.join(self.output, "failure")
        self.success = os.path.join(self.output, "success")

    def channel(self, name: str) -> str:
        """The directory (or the stem of the pipes) of an input channel."""
        return os.path.join(self.input_data, name)

    def config(self, name: str) -> str:
        """The path of a configuration file such as `hyperparameters`."""
        return os.path.join(self.input_config, name + ".json")
