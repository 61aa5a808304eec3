"""Limits where the host allows groups, and where it does not."""

from __future__ import annotations

import pytest

from sagewright.engine import cgroups
from sagewright.engine.runtimes import choose
from sagewright.engine.runtimes.bwrap import Bwrap
from tests.contracts import runtime_suite
from tests.contracts.runtime_suite import RuntimeSuite, ended, nothing, output, replace


@pytest.mark.skipif(not choose.works(runtime_suite.UID), reason="bubblewrap cannot make sandboxes on this machine")
class TestWithoutGroups(RuntimeSuite):
    """The whole suite once more, on a host that allows no groups."""

    @pytest.fixture
    def runtime(self, monkeypatch):
        monkeypatch.setattr(cgroups, "detect", lambda: "none")
        return Bwrap()

    def test_a_memory_hog_meets_its_rlimit(self, runtime, box):
        script = "x = []\nwhile True: x.append(bytearray(16 << 20))"
        handle = runtime.start(replace(box, argv=("/usr/bin/python3", "-c", script)), nothing)
        assert b"MemoryError" in output(runtime, handle) and ended(runtime, handle).exit_code == 1


def test_a_group_limits_holds_and_goes():
    if cgroups.detect() == "none":
        pytest.skip("this machine allows no groups")
    group = cgroups.create("suite-group", 64 << 20, 0.5, 32)
    assert group is not None and group.pids() == [] and not group.out_of_memory()
    found = cgroups.find("suite-group")
    assert found is not None and found.paths == group.paths
    group.remove()
    assert cgroups.find("suite-group") is None
