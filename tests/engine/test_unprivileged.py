"""The engine of an ordinary user: sandboxes as the own uid, links through a helper process, no root anywhere.

Runs a program as another uid with the system's Python, since this one may lie where only root can go.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
USER = 61_234
PROGRAM = """
import os, sys, tempfile
from pathlib import Path
from sagewright.engine import jobs
from tests.engine.lab import Lab
from tests.engine.scripts import CALL_HOME, ON_PORT, ON_SOCKET, ask, model
from tests.engine.tiny_aws import TinyAws
from tests.engine.lab import until

assert os.getuid() == %d
aws = TinyAws()
lab = Lab(aws, Path(tempfile.mkdtemp()) / "data", %r)
print("runtime", lab.engine.runtime)
script = "import os; print('uid', os.getuid()); open('/opt/ml/model/w', 'w').write('1')\\n"
outcome = lab.run(script + CALL_HOME %% (aws.port, 1))
print(outcome.exit_codes, outcome.failure, lab.lines())
print("model", model(lab))
for script in (ON_PORT, ON_SOCKET):
    import dataclasses
    plan = dataclasses.replace(lab.plan(script), kind="hosting", command=["serve"], outputs=[],
                               files={"/opt/ml/model/m.txt": "model:"})
    handle = lab.engine.submit(plan)
    until(lambda: lab.engine.observe(handle).phase in ("ready", "exited"), "ready")
    print("answer", ask(lab.engine.observe(handle).address, b"x"))
handle = lab.engine.submit(lab.plan("while True: pass"))
until(lambda: lab.engine.observe(handle).phase == "running", "runs")
os.kill(jobs.agent_pid(lab.data_dir / "jobs" / handle / "algo-1"), 9)
print("killed", lab.outcome(handle).blame)
lab.close()
"""


@pytest.mark.parametrize("runtime", ["bwrap", "process"])
def test_everything_works_without_root(runtime):
    python = shutil.which("python3.11", path="/usr/bin") or shutil.which("python3", path="/usr/bin")
    if os.geteuid() != 0 or python is None:
        pytest.skip("needs root to become somebody else, and a Python that everybody can run")
    if subprocess.run([python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]).returncode:
        pytest.skip("the system's Python is too old")
    done = subprocess.run(
        [python, "-c", PROGRAM % (USER, runtime)], cwd="/", user=USER, group=USER, extra_groups=[],
        capture_output=True, text=True, timeout=200,
        env={"PATH": os.defpath, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "HOME": "/nonexistent", "TMPDIR": "/tmp",
             "PYTHONDONTWRITEBYTECODE": "1"})
    said = done.stdout
    assert done.returncode == 0, said + done.stderr
    assert "'uid 0'" in said and "'eth0'" in said
    assert "'keys ASIATESTTESTTESTTEST'" in said and "'gateway 403'" in said, said
    assert "model {'w': b'1'}" in said and said.count("answer b'model:x'") == 2 and "killed platform" in said
