"""The `serve` program of framework and algorithm images: `python -m sagewright_kit.servers.serve`.

Started by the platform in the container. Listens on SAGEMAKER_BIND_TO_PORT (8080) and, for the platform's router, on
the Unix socket that SAGEWRIGHT_SERVE_SOCKET names.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import traceback

from sagewright_kit.algorithms import lean
from sagewright_kit.contract import machine
from sagewright_kit.contract.paths import Paths
from sagewright_kit.servers import supervisor, user_module
from sagewright_kit.servers.front import Front

FRAMEWORKS = {"pytorch": "torch", "xgboost": "xgboost", "sklearn": "sklearn"}


def framework() -> str:
    """Which framework's server this is: SAGEWRIGHT_FRAMEWORK, else the first whose library is there."""
    stated = os.environ.get("SAGEWRIGHT_FRAMEWORK", "")
    if stated:
        return stated
    return next((name for name, library in FRAMEWORKS.items() if importlib.util.find_spec(library)), "")


def build(name: str, program: str, paths: Paths) -> Front:
    """The front of a framework. Its library is imported here, before the workers fork, so that they share it."""
    if name == "xgboost":
        if not program:
            lean.import_xgboost()
        from sagewright_kit.servers import xgboost

        if not program:
            return xgboost.Algorithm(paths.model)
        defaults: object = xgboost.Script()
    elif name == "pytorch":
        from sagewright_kit.servers import pytorch

        defaults = pytorch.Pytorch()
    elif name == "sklearn":
        from sagewright_kit.servers import sklearn

        defaults = sklearn.Sklearn()
    else:
        raise ValueError("No model server for framework %r" % name)
    from sagewright_kit.servers import script

    return script.Script(defaults, program, paths.model)  # type: ignore[arg-type]


def workers() -> int:
    """One process per processor, unless the model's environment says how many."""
    stated = os.environ.get("SAGEMAKER_MODEL_SERVER_WORKERS", "")
    return max(1, int(stated)) if stated.isdigit() else machine.cpus()


def serve() -> int:
    """Serve until told to stop; the process's exit code."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if os.environ.get("SAGEMAKER_MULTI_MODEL", "").lower() in ("true", "1"):
        print("Multi-model mode (SAGEMAKER_MULTI_MODEL) is not supported by this image.", file=sys.stderr, flush=True)
        return 1
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT") or 8080)
    address = os.environ.get("SAGEWRIGHT_BIND_ADDRESS") or "0.0.0.0"
    sockets = supervisor.bind(address, port, os.environ.get("SAGEWRIGHT_SERVE_SOCKET", ""))
    paths = Paths()
    try:
        program = user_module.prepare(paths)
        front = build(framework(), program, paths)
    except Exception:
        traceback.print_exc()
        return 1
    timeout = float(os.environ.get("SAGEMAKER_MODEL_SERVER_TIMEOUT") or 0)
    return supervisor.Supervisor(front, sockets, workers(), timeout).run()


def main() -> None:
    """Console entry `serve`."""
    sys.exit(serve())


if __name__ == "__main__":
    main()
