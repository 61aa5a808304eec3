"""A disk that a job fills to the last byte: the job ends with that reason, others and the engine go on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
from pathlib import Path
from tests.engine.lab import Lab, until
from tests.engine.tiny_aws import TinyAws

aws = TinyAws()
lab = Lab(aws, Path(sys.argv[1]) / "data", sys.argv[2])
script = '''
import os, time
for place in ('/opt/ml/model', '/tmp'):
    try:
        with open(place + '/f', 'wb') as f:
            while True: f.write(b'x' * 65536)
    except OSError as error: print(error)
time.sleep(600)
'''
outcome = lab.run(script)
print("first", outcome.blame, outcome.failure)
lab.engine.release(next(iter(lab.engine._jobs)))
until(lambda: not list((lab.data_dir / "jobs").iterdir()), "its files are gone")
outcome = lab.run("print('fine')")
print("second", outcome.exit_codes, outcome.failure)
lab.close()
"""


@pytest.mark.parametrize("runtime", ["bwrap", "process"])
def test_a_job_that_fills_the_hosts_disk_is_ended_and_the_next_one_runs(tmp_path, runtime):
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small disk")
    mount = 'mount -t tmpfs -o size=64m,mode=755 small "$1" && exec "$2" -c "$3" "$1" "$4"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount, "sh", str(tmp_path), sys.executable, PROGRAM, runtime], cwd="/",
        capture_output=True, text=True, timeout=200, env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "first algorithm No space left on device: the disk of the host is full." in done.stdout, done.stdout
    assert "second {'algo-1': 0} \n" in done.stdout, done.stdout
