"""Python loads this in children of `sagewright run` (it is first on their PYTHONPATH); `run --as-is` leaves it out.

SageMaker SDK 2, and ModelBuilder of SDK 3, sleep 30 s before they look at a new endpoint for the first time. The server
holds its answers until something has changed, so looking first, and again a second later, costs nothing: `_wait_until`
of `_NAMES` does that here, and nothing else of any library is touched. Any Python 3 must be able to load this file,
quickly.
"""

import importlib.machinery
import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
_NAMES = {"sagemaker.session", "sagemaker.core.helper.session_helper"}


def _looks_first(wait_until):
    def _wait_until(callable_fn, poll=5):
        from botocore.exceptions import ClientError

        try:
            found = callable_fn()
        except ClientError:
            found = None
        return found if found is not None else wait_until(callable_fn, min(poll, 1))

    return _wait_until


class _Loader:
    """The module's own loader, with a last step."""

    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        self._loader.exec_module(module)
        wait_until = getattr(module, "_wait_until", None)
        if callable(wait_until):
            module._wait_until = _looks_first(wait_until)


class _Finder:
    """Finds the modules of `_NAMES` as everybody does, and puts the loader above around them."""

    def find_spec(self, name, path=None, target=None):
        if name not in _NAMES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


def _others():
    """Run the sitecustomize that would have been loaded without this one, if there is any."""
    elsewhere = [entry for entry in sys.path if os.path.abspath(entry or ".") != _HERE]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", elsewhere)
    if spec is not None and spec.loader is not None:
        module = type(sys)("sitecustomize")
        module.__file__, module.__spec__ = spec.origin, spec
        spec.loader.exec_module(module)


sys.meta_path.insert(0, _Finder())
_others()
