"""Defaults of the PyTorch image: TorchScript models, tensors in and out. Called by `serve`."""

from __future__ import annotations

import os
from typing import Any

from sagewright_kit.servers import codecs
from sagewright_kit.servers.front import Answer
from sagewright_kit.servers.script import Defaults


class Pytorch(Defaults):
    stack = "it"
    ping = Answer('{\n  "status": "Healthy"\n}\n', "application/json")

    def __init__(self) -> None:
        import torch

        self.torch = torch
        self._device: Any = None

    @property
    def device(self) -> Any:
        """Asked for in the worker only: a process that looked for GPUs cannot hand them to its children."""
        if self._device is None:
            self._device = self.torch.device("cuda" if self.torch.cuda.is_available() else "cpu")
        return self._device

    def model_fn(self, model_dir: str) -> Any:
        """`model.pt`, else the only .pt or .pth file, as TorchScript."""
        found = sorted(name for name in os.listdir(model_dir) if name.endswith((".pt", ".pth")))
        if "model.pt" in found:
            found = ["model.pt"]
        if len(found) != 1:
            raise ValueError("Exactly one .pth or .pt file is required for PyTorch models: %s" % found)
        path = os.path.join(model_dir, found[0])
        try:
            return self.torch.jit.load(path, map_location=self.device)
        except RuntimeError as error:
            raise RuntimeError(
                "Failed to load %s. Please ensure model is saved using torchscript, or provide a model_fn: %s"
                % (path, error)
            ) from error

    def input_fn(self, data: Any, content_type: str) -> Any:
        import numpy as np

        array = codecs.decode(data, content_type)
        if codecs.media_type(content_type) in codecs.TEXT_TYPES:
            array = array.astype(np.float32)
        if hasattr(array, "toarray"):
            array = array.toarray()
        return self.torch.as_tensor(array, device=self.device)

    def predict_fn(self, data: Any, model: Any) -> Any:
        with self.torch.no_grad():
            if hasattr(model, "to"):
                model.to(self.device)
            if hasattr(model, "eval"):
                model.eval()
            return model(data.to(self.device))

    def output_fn(self, prediction: Any, accept: str) -> Any:
        if isinstance(prediction, self.torch.Tensor):
            prediction = prediction.detach().cpu().numpy()
        for kind in accept.split(","):
            if codecs.media_type(kind) in (codecs.JSON, codecs.CSV, codecs.NPY):
                return codecs.encode(prediction, kind), codecs.media_type(kind)
        raise codecs.UnsupportedFormat(accept)
