"""(e) Start-up and idle memory of the server."""

from __future__ import annotations

import tempfile
import time
import urllib.request
from pathlib import Path

from bench import harness

ROUNDS = 7


def once(folder: Path) -> tuple[float, float]:
    """(seconds from starting the process to the first healthy answer, MiB resident a moment later)."""
    server = harness.Server(folder)
    began = time.perf_counter()
    with harness.process(server.command, "footprint") as running:
        while running.poll() is None:
            try:
                urllib.request.urlopen(f"{server.url}/_sagewright/health", timeout=2)
                break
            except OSError:
                time.sleep(0.005)
        ready = time.perf_counter() - began
        server.client("sagemaker").list_training_jobs()
        status = Path(f"/proc/{running.pid}/status").read_text()
        return ready, int(status.split("VmRSS:")[1].split()[0]) / 1024


def main() -> None:
    """Print the table."""
    harness.STATE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=harness.STATE) as folder:
        first = once(Path(folder) / "data")
        later = [once(Path(folder) / "data") for _ in range(ROUNDS)]
    header = ["ready, first start, s", "ready, later, s (goal: 1)", "idle memory, MiB (goal: 150)"]
    harness.table("(e) The server", header, [[first[0], harness.middle([ready for ready, _ in later]),
                                              harness.middle([memory for _, memory in later])]])


if __name__ == "__main__":
    main()
