"""Whole jobs: submit a plan, look at what came of it, in S3, in the log and in the outcome."""

from __future__ import annotations

import io
import tarfile

from tests.engine.lab import until


def test_a_training_job_reads_its_channel_and_leaves_a_model(lab):
    lab.aws.put("s3://in/train/a.csv", "1,2\n")
    lab.aws.put("s3://in/train/deep/b.csv", "3,4\n")
    script = """
import glob, os
files = sorted(glob.glob('/opt/ml/input/data/train/**/*.csv', recursive=True))
print('files', files)
print('lr', open('/opt/ml/input/config/hyperparameters.json').read())
print(os.environ['COLOUR'], os.environ['FROM_IMAGE'], os.environ['AWS_REGION'])
open('/opt/ml/model/model.txt', 'w').write(''.join(open(f).read() for f in files))
"""
    plan = lab.plan(script, files={"/opt/ml/input/config/hyperparameters.json": '{"lr": "0.1"}'},
                    inputs=[{"name": "train", "path": "/opt/ml/input/data/train", "source": {"S3DataSource": {
                        "S3DataType": "S3Prefix", "S3Uri": "s3://in/train"}}}])
    plan.environment["COLOUR"] = "blue"
    outcome = lab.outcome(lab.engine.submit(plan))
    assert (outcome.failure, outcome.blame, outcome.exit_codes) == ("", "", {"algo-1": 0})
    phases = [phase for phase, _, _ in outcome.phases]
    assert phases == ["queued", "starting", "downloading", "running", "uploading", "exited"]
    assert 0 < outcome.started <= outcome.ended
    with tarfile.open(fileobj=io.BytesIO(lab.aws.get("s3://out/job-1/output/model.tar.gz"))) as tar:
        assert tar.getnames() == ["model.txt"]
        assert tar.extractfile("model.txt").read() == b"1,2\n3,4\n"
    lines = lab.lines()
    assert "files ['/opt/ml/input/data/train/a.csv', '/opt/ml/input/data/train/deep/b.csv']" in lines
    assert 'lr {"lr": "0.1"}' in lines and "blue yes us-west-2" in lines
    until(lambda: plan.arn in lab.events, "the watcher hears of it")


def test_a_failing_script_fails_with_its_failure_file_and_last_lines(lab):
    outcome = lab.run("import sys\nprint('before')\nopen('/opt/ml/output/failure', 'w').write('x' * 2000)\nsys.exit(3)")
    assert (outcome.blame, outcome.exit_codes, outcome.failure) == ("algorithm", {"algo-1": 3}, "x" * 1024)
    assert "before" in outcome.last_lines
