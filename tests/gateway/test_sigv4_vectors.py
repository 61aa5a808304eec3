"""AWS's published signing vectors: every good request is accepted, every broken one refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("SAGEWRIGHT_SHARED", Path(__file__).parents[3] / "shared"))


def test_published_vectors_are_accepted_and_their_forgeries_refused() -> None:
    script, suite = SHARED / "conformance/sigv4/vectors.py", SHARED / "conformance/vectors/sigv4"
    if not (script.exists() and suite.exists()):
        pytest.skip(f"the signing vectors are not at {suite}")
    ran = subprocess.run(
        [sys.executable, "-B", str(script), "--suite", str(suite), "--verifier", "sagewright.gateway.sigv4:verify"],
        capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    assert "1013/1013 checks passed" in ran.stdout
