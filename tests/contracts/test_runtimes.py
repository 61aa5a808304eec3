"""Every sandbox passes the suite of the seam."""

from __future__ import annotations

import pytest

from sagewright.engine.runtimes import choose
from sagewright.engine.runtimes.bwrap import Bwrap
from sagewright.engine.runtimes.process import Process, namespaces_allowed
from tests.contracts import runtime_suite
from tests.contracts.runtime_suite import RuntimeSuite


class TestBwrap(RuntimeSuite):
    @pytest.fixture
    def runtime(self):
        if not choose.works(runtime_suite.UID):
            pytest.skip("bubblewrap cannot make sandboxes on this machine")
        return Bwrap()


class TestProcess(RuntimeSuite):
    @pytest.fixture
    def runtime(self):
        if not namespaces_allowed():
            pytest.skip("this machine allows no namespaces")
        return Process(plain=False)


class TestPlainProcess(RuntimeSuite):
    @pytest.fixture
    def runtime(self):
        return Process(plain=True)
