"""Whole jobs: submit a plan, look at what came of it, in S3, in the log and in the outcome."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from sagewright.core.errors import Failed
from sagewright.engine import cgroups, jobs
from tests.engine.lab import IMAGE, Lab, until
from tests.engine.scripts import CALL_HOME, model

TRAIN = {"name": "train", "path": "/opt/ml/input/data/train",
         "source": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://in/train"}}}
ALWAYS = {"archive": "tar.gz", "when_empty": True, "when_failed": True}
SLEEPER = "import time\nprint('up', flush=True)\nwhile True: time.sleep(0.05)"


def test_a_training_job_reads_its_channel_and_leaves_a_model(lab):
    lab.aws.put("s3://in/train/a.csv", "1,2\n")
    lab.aws.put("s3://in/train/deep/b.csv", "3,4\n")
    script = """
import glob, os

files = sorted(glob.glob('/opt/ml/input/data/train/**/*.csv', recursive=True))
print('files', files)
print('lr', open('/opt/ml/input/config/hyperparameters.json').read())
print(os.environ['COLOUR'], os.environ['FROM_IMAGE'], os.environ['AWS_REGION'])
open('/opt/ml/input/mine', 'w'); os.chmod(files[0], 0o755)
open('/opt/ml/model/model.txt', 'w').write(''.join(open(f).read() for f in files))
"""
    plan = lab.plan(script, files={"/opt/ml/input/config/hyperparameters.json": '{"lr": "0.1"}'}, inputs=[TRAIN])
    plan.environment["COLOUR"] = "blue"
    outcome = lab.outcome(lab.engine.submit(plan))
    assert (outcome.failure, outcome.blame, outcome.exit_codes) == ("", "", {"algo-1": 0})
    phases = [phase for phase, _, _ in outcome.phases]
    assert phases == ["queued", "starting", "downloading", "running", "uploading", "exited"]
    assert 0 < outcome.started <= outcome.ended
    assert model(lab) == {"model.txt": b"1,2\n3,4\n"}
    lines = lab.lines()
    assert "files ['/opt/ml/input/data/train/a.csv', '/opt/ml/input/data/train/deep/b.csv']" in lines
    assert 'lr {"lr": "0.1"}' in lines and "blue yes us-west-2" in lines
    until(lambda: plan.arn in lab.events, "the watcher hears of it")


def test_a_failing_script_fails_with_its_failure_file_and_last_lines(lab):
    outcome = lab.run("import sys\nprint('before')\nopen('/opt/ml/output/failure', 'w').write('x' * 2000)\nsys.exit(3)")
    assert (outcome.blame, outcome.exit_codes, outcome.failure) == ("algorithm", {"algo-1": 3}, "x" * 1024)
    assert "before" in outcome.last_lines and ("out", "job-1/output/model.tar.gz") not in lab.aws.objects


def test_a_traceback_is_in_the_last_lines_and_output_data_is_kept(lab):
    out = {"path": "/opt/ml/output/data", "s3_uri": "s3://out/o.tar.gz", **ALWAYS}
    outcome = lab.run("open('/opt/ml/output/data/kept', 'w')\nraise ValueError('no such luck')", outputs=[out])
    assert outcome.last_lines[-1] == "ValueError: no such luck" and outcome.blame == "algorithm"
    assert ("out", "o.tar.gz") in lab.aws.objects


def test_submitting_twice_starts_once(lab):
    plan = lab.plan("print('ran')")
    first, second = lab.engine.submit(plan), lab.engine.submit(plan)
    assert first == second
    lab.outcome(first)
    assert lab.lines().count("ran") == 1 and lab.engine.submit(plan) == first


def test_release_removes_every_file(lab):
    handle = lab.engine.submit(lab.plan("import os\nos.makedirs('/opt/ml/model/a'); os.chmod('/opt/ml/model/a', 0)"))
    lab.outcome(handle)
    lab.engine.release(handle)
    until(lambda: not list((lab.data_dir / "jobs").iterdir()), "nothing is left")
    assert lab.engine.observe(handle).blame == "platform"


@pytest.mark.parametrize(("change", "words"), [
    ({"instance_type": "ml.nonsense.large"}, "not known"),
    ({"instance_count": 2}, "more than one instance"),
])
def test_what_can_never_run_here_is_refused(lab, change, words):
    with pytest.raises(Failed, match=words):
        lab.engine.submit(lab.plan("", **change))


def test_missing_input_data_is_the_clients_fault_in_awss_words(lab):
    outcome = lab.run("print('never')", inputs=[TRAIN], outputs=[])
    assert outcome.blame == "client" and outcome.exit_codes == {}
    assert outcome.failure.startswith('No S3 objects found under S3 URL "s3://in/train" given in input data source.')


def test_a_missing_output_bucket_is_the_clients_fault(lab):
    out = {"path": "/opt/ml/model", "s3_uri": "s3://missing/m.tar.gz", **ALWAYS}
    outcome = lab.run("", outputs=[out])
    assert outcome.blame == "client" and "NoSuchBucket" in outcome.failure


def test_an_uncompressed_output_is_a_prefix(lab):
    out = {"path": "/opt/ml/model", "s3_uri": "s3://out/plain/", "archive": ""}
    lab.run("import os\nos.makedirs('/opt/ml/model/d')\nopen('/opt/ml/model/d/w', 'w').write('5')", outputs=[out])
    assert lab.aws.get("s3://out/plain/d/w") == b"5"


# -- ending early ----------------------------------------------------------------------------------------------------
def test_stop_lets_the_job_save_its_model(lab):
    script = ("import signal, sys, time\n"
              "def end(*a):\n    open('/opt/ml/model/saved', 'w').write('yes'); sys.exit(0)\n"
              "signal.signal(signal.SIGTERM, end)\nprint('up', flush=True)\nwhile True: time.sleep(0.05)")
    handle = lab.engine.submit(lab.plan(script))
    until(lambda: "up" in lab.lines(), "it runs")
    lab.engine.stop(handle)
    lab.engine.stop(handle)
    outcome = lab.outcome(handle)
    assert (outcome.ended_by, outcome.blame) == ("stop", "") and model(lab) == {"saved": b"yes"}
    assert [phase for phase, _, _ in outcome.phases].count("stopping") == 1


def test_a_job_that_ignores_sigterm_is_killed_after_its_grace(lab):
    handle = lab.engine.submit(lab.plan("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLEEPER,
                                        stop_grace=0.5))
    until(lambda: "up" in lab.lines(), "it runs")
    lab.engine.stop(handle)
    outcome = lab.outcome(handle)
    assert (outcome.ended_by, outcome.exit_codes) == ("stop", {"algo-1": 137})


def test_the_time_limit_ends_a_hanging_job_and_keeps_its_artifacts(lab):
    outcome = lab.run("open('/opt/ml/model/part', 'w').write('1')\n" + SLEEPER, max_runtime=1.0, stop_grace=5)
    assert (outcome.ended_by, outcome.blame) == ("max_runtime", "") and model(lab) == {"part": b"1"}


def test_a_waiting_job_can_be_stopped(lab):
    plans = [lab.plan(SLEEPER, instance_type="ml.m5.24xlarge") for _ in range(4)]
    handles = [lab.engine.submit(plan) for plan in plans]
    until(lambda: "up" in lab.lines(1), "the first runs")
    assert lab.engine.observe(handles[-1]).phase == "queued"
    lab.engine.stop(handles[-1])
    outcome = lab.engine.observe(handles[-1])
    assert (outcome.phase, outcome.ended_by) == ("exited", "stop")


def test_waiting_jobs_start_in_order_as_others_end(lab):
    handles = [lab.engine.submit(lab.plan("print('ran')", instance_type="ml.m5.24xlarge")) for _ in range(5)]
    outcomes = [lab.outcome(handle) for handle in handles]
    assert all(outcome.exit_codes == {"algo-1": 0} for outcome in outcomes)
    started = [next(at for phase, at, _ in outcome.phases if phase == "starting") for outcome in outcomes]
    assert started == sorted(started) and "is mapped to this machine" in outcomes[0].note


# -- hostile jobs ----------------------------------------------------------------------------------------------------
def test_a_memory_hog_is_killed_by_name(lab):
    if cgroups.detect() == "none":
        pytest.skip("this machine allows no memory groups")
    outcome = lab.run("x = []\nwhile True: x.append(bytearray(64 << 20))", instance_type="ml.t3.micro")
    assert outcome.failure.startswith("OutOfMemory: the container used more than 1.0 GiB")
    assert (outcome.blame, outcome.exit_codes) == ("algorithm", {"algo-1": 137})


def test_a_job_that_fills_the_disk_is_ended_with_that_reason(lab):
    script = "import os\nfor n in range(200):\n    open(f'/tmp/f{n}', 'wb').write(b'x' * (16 << 20))\n" + SLEEPER
    outcome = lab.run(script, volume_gb=1)
    assert outcome.failure.startswith("No space left on device: the job has used more than its volume of 1 GiB")
    assert outcome.blame == "algorithm"


def test_a_fork_bomb_hurts_only_itself(lab):
    bomb = lab.engine.submit(lab.plan("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
                                      instance_type="ml.t3.micro", max_runtime=2.0, stop_grace=0.2))
    assert lab.run("print('fine')").exit_codes == {"algo-1": 0}
    outcome = lab.outcome(bomb)
    assert outcome.exited and (outcome.ended_by == "max_runtime" or outcome.blame == "algorithm")


def test_endless_output_is_bounded_and_the_job_still_ends(lab):
    handle = lab.engine.submit(lab.plan("while True: print('x' * 1000)", max_runtime=2.0, stop_grace=1.0))
    worst = 0
    while not lab.engine.observe(handle).exited:
        spool = lab.data_dir / "jobs" / handle / "algo-1" / "log.spool"
        worst = max(worst, spool.stat().st_blocks * 512 if spool.exists() else 0)
    assert lab.engine.observe(handle).ended_by == "max_runtime" and worst < 128 << 20


def test_binary_output_tabs_and_long_lines_become_log_lines(lab):
    lab.run("import sys\nsys.stdout.buffer.write(b'a\\tb\\x00\\xff\\r\\n' + b'y' * 300000 + b'\\n' + b'no end')")
    lines = lab.lines()
    assert "a#011b#000\ufffd" in lines and lines[-1] == "no end"
    assert "".join(line for line in lines if line.startswith("y")) == "y" * 300000


@pytest.mark.parametrize("place", ["/opt/ml/model", "/opt/ml/output"])
def test_a_directory_exchanged_for_a_link_is_not_followed(lab, place):
    canary = lab.data_dir.parent / "canary"
    canary.mkdir()
    (canary / "failure").write_text("secret")
    (canary / "data").mkdir()
    script = f"import shutil, os, sys\nshutil.rmtree('{place}')\nos.symlink('{canary}', '{place}')\nsys.exit(1)"
    outs = [{"path": path, "s3_uri": f"s3://out/{n}.tar.gz", **ALWAYS}
            for n, path in enumerate(["/opt/ml/model", "/opt/ml/output/data"])]
    outcome = lab.run(script, outputs=outs)
    assert outcome.failure == "" and b"secret" not in b"".join(lab.aws.objects.values())
    assert ("out", f"{0 if place == '/opt/ml/model' else 1}.tar.gz") not in lab.aws.objects


def test_links_out_of_the_model_are_left_out_and_said(lab):
    script = ("import os\nopen('/opt/ml/model/w', 'w').write('1')\nos.symlink('w', '/opt/ml/model/same')\n"
              "os.symlink('/etc/passwd', '/opt/ml/model/out')\nos.mkfifo('/opt/ml/model/pipe')")
    outcome = lab.run(script)
    assert model(lab) == {"w": b"1", "same": "w"} and "out" in outcome.note and "pipe" in outcome.note


def test_a_job_sees_no_data_directory_no_other_job_and_no_home(lab):
    if lab.engine.runtime != "bwrap":
        pytest.skip("bare processes see the host's readable files; that is announced")
    canary = lab.data_dir.parent / "canary"
    canary.write_text("secret")
    other = lab.engine.submit(lab.plan("open('/opt/ml/model/other-secret', 'w')\n" + SLEEPER))
    until(lambda: "up" in lab.lines(1), "the other runs")
    script = f"""
import os, glob
print('seen', os.path.exists('{canary}'), os.path.exists('{lab.data_dir / "jobs"}'), os.listdir('/root'),
      glob.glob('/opt/ml/model/*'), os.listdir('/home'), sum(p.isdigit() for p in os.listdir('/proc')))
try: open('/proc/sys/kernel/core_pattern', 'w'); print('escaped')
except OSError: print('contained')
"""
    lab.run(script)
    assert "seen False False [] [] [] 2" in lab.lines() and "contained" in lab.lines()
    lab.engine.stop(other, 0)


# -- the way home ----------------------------------------------------------------------------------------------------
def test_a_job_reaches_the_gateway_and_its_credentials_and_no_other_port(lab):
    from tests.engine.tiny_aws import TinyAws

    canary = TinyAws()
    lab.run(CALL_HOME % (lab.aws.port, canary.port))
    canary.go_away()
    lines = lab.lines()
    assert "gateway 403" in lines  # it arrived: the request was not signed
    assert "refused 401" in lines and "keys ASIATESTTESTTESTTEST" in lines and "canary unreachable" in lines


def test_an_isolated_job_reaches_nothing_and_has_no_credentials(lab):
    lab.run(CALL_HOME % (lab.aws.port, 1), isolated=True)
    assert "interfaces ['lo', 'eth0-peer', 'eth0']" in lab.lines()
    assert "gateway unreachable" in lab.lines() and "env ['AWS_DEFAULT_REGION', 'AWS_REGION']" in lab.lines()


def test_metrics_reach_cloudwatch_and_the_outcome(lab):
    lab.run("for n in range(3): print(f'loss={n}.5;\\tauc: 0.{n}')",
            metrics=[{"Name": "loss", "Regex": "loss=([0-9.]+)"}, {"Name": "auc", "Regex": "#011auc: (\\S+)"},
                     {"Name": "broken", "Regex": "("}],
            metric_namespace="/aws/sagemaker/TrainingJobs", metric_dimensions={"TrainingJobName": "job-1"})
    outcome = lab.engine.observe(next(iter(lab.engine._jobs)))
    assert {m["MetricName"]: m["Value"] for m in outcome.final_metrics} == {"loss": 2.5, "auc": 0.2}
    sent = [(m["MetricName"], float(m["Value"])) for m in lab.aws.metrics]
    assert sorted(sent) == [("auc", 0.0), ("auc", 0.1), ("auc", 0.2), ("loss", 0.5), ("loss", 1.5), ("loss", 2.5)]
    assert lab.aws.metrics[0]["Dimensions.member.1.Value"] == "job-1"
    assert any("broken is off" in line for line in lab.lines())


def test_a_catastrophic_regex_is_switched_off(lab):
    outcome = lab.run("print('a' * 40 + '!')\nprint('loss=1')",
                      metrics=[{"Name": "bad", "Regex": "(a+)+$"}, {"Name": "loss", "Regex": "loss=(.*)"}],
                      metric_namespace="N")
    assert [m["MetricName"] for m in outcome.final_metrics] == ["loss"]
    assert any("bad is off" in line for line in lab.lines())


def test_new_credentials_reach_a_running_job(lab):
    lab.lifetime = 60.0
    handle = lab.engine.submit(lab.plan(SLEEPER))
    until(lambda: "up" in lab.lines(), "it runs")
    lab.lifetime = 7200.0
    lab.engine._jobs[handle].expires = 0.0
    place = lab.data_dir / "jobs" / handle / "credentials.json"
    first = json.loads(place.read_text())["expires"]
    until(lambda: json.loads(place.read_text())["expires"] > first + 3600, "they are renewed")


# -- crashes ---------------------------------------------------------------------------------------------------------
def test_a_new_control_plane_finds_the_running_job(lab):
    handle = lab.engine.submit(lab.plan("import time, os\nprint('up', flush=True)\n"
                                        "while not os.path.exists('/opt/ml/go'): time.sleep(0.02)\nprint('went')"))
    until(lambda: "up" in lab.lines(), "it runs")
    lab.engine.close()
    (lab.data_dir / "jobs" / handle / "algo-1" / "ml" / "go").touch()
    lab.new_engine()
    assert lab.outcome(handle).exit_codes == {"algo-1": 0} and "went" in lab.lines()


def test_logs_and_model_arrive_when_the_gateway_comes_back(lab):
    handle = lab.engine.submit(lab.plan("import time, os\nprint('up', flush=True)\n"
                                        "while not os.path.exists('/opt/ml/go'): time.sleep(0.02)\n"
                                        "print('while away')\nopen('/opt/ml/model/w', 'w').write('1')"))
    until(lambda: "up" in lab.lines(), "it runs")
    lab.aws.go_away()
    (lab.data_dir / "jobs" / handle / "algo-1" / "ml" / "go").touch()
    until(lambda: lab.engine.observe(handle).phase == "uploading", "it has run")
    lab.aws.come_back()
    assert lab.outcome(handle).exit_codes == {"algo-1": 0}
    assert "while away" in lab.lines() and model(lab) == {"w": b"1"}


def test_a_killed_agent_takes_its_job_with_it_and_others_go_on(lab):
    first = lab.engine.submit(lab.plan(SLEEPER + "  # one"))
    second = lab.engine.submit(lab.plan(SLEEPER + "  # two"))
    until(lambda: "up" in lab.lines(1) and "up" in lab.lines(2), "both run")
    uid = lab.engine._jobs[first].placed["uid"]
    os.kill(jobs.agent_pid(lab.data_dir / "jobs" / first / "algo-1"), signal.SIGKILL)
    outcome = lab.outcome(first)
    assert (outcome.blame, outcome.failure) == ("platform", "The agent of host algo-1 ended unexpectedly.")
    if uid is not None:
        until(lambda: not processes_of(uid), "no process of the job is left")
    assert not lab.engine.observe(second).exited
    lab.engine.stop(second, 0)
    lab.outcome(second)


def processes_of(uid):
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == uid:
                found.append(entry.name)
    return found


def test_an_image_that_cannot_be_built_fails_the_job(lab):
    def refuse(image, say):
        raise Failed("no such wheel")

    lab.images.ready, lab.images.build = (lambda image: None), refuse
    outcome = lab.run("")
    assert outcome.blame == "client" and "no such wheel" in outcome.failure and IMAGE.uri in outcome.failure
    assert ("starting", "Downloading the training image") in [(p, m) for p, _, m in outcome.phases]


def test_what_the_image_build_says_is_in_the_log(lab):
    lab.images.ready, built = (lambda image: None), lab.images.built
    lab.images.build = lambda image, say: (say("Downloading xgboost"), built)[1]
    lab.run("print('ran')")
    assert lab.lines().index("Downloading xgboost") < lab.lines().index("ran")


def test_an_empty_output_is_left_out_unless_asked_for(lab):
    outs = [{"path": "/opt/ml/model", "s3_uri": "s3://out/m.tar.gz", **ALWAYS},
            {"path": "/opt/ml/output/data", "s3_uri": "s3://out/o.tar.gz", "archive": "tar.gz"}]
    lab.run("", outputs=outs)
    assert [key for _, key in lab.aws.objects] == ["m.tar.gz"]


def test_reset_ends_and_forgets_everything(lab):
    lab.engine.submit(lab.plan(SLEEPER))
    until(lambda: "up" in lab.lines(), "it runs")
    lab.engine.reset()
    until(lambda: not list((lab.data_dir / "jobs").iterdir()), "nothing is left")


def test_a_plain_process_refuses_network_isolation(lab):
    lab.engine.runtime = "plain"
    assert "offers no way to isolate" in lab.run("print('never')", isolated=True).failure
    assert lab.run("import os; print(os.environ['SAGEMAKER_BASE_DIR'])").exit_codes == {"algo-1": 0}


KILLED = """
import sys, time
from pathlib import Path
from tests.engine.lab import Lab
class Aws: port = int(sys.argv[1])
lab = Lab(Aws, Path(sys.argv[2]), sys.argv[3])
wait = '''
import time, os
print('up', flush=True)
while not os.path.exists('/opt/ml/go'): time.sleep(0.02)
print('went')
'''
for _ in range(5): print(lab.engine.submit(lab.plan(wait, instance_type='ml.m5.24xlarge')), flush=True)
time.sleep(600)
"""


def test_a_control_plane_killed_hard_loses_no_job_running_or_waiting(aws, data_dir, tmp_path):
    program = subprocess.Popen([sys.executable, "-c", KILLED, str(aws.port), str(data_dir), "auto"],
                               stdout=subprocess.PIPE, cwd=Path(__file__).resolve().parents[2], text=True)
    handles = [program.stdout.readline().strip() for _ in range(5)]
    until(lambda: ["up"] in [aws.lines("/aws/sagemaker/TrainingJobs", f"job-{n}/algo-1-1")[-1:] for n in (1, 2)],
          "one runs")
    program.kill()
    program.wait()
    lab = Lab(aws, data_dir, "auto", fresh=False)
    assert sorted(lab.engine._jobs) == sorted(handles)
    for handle in handles:
        until(lambda: lab.engine.observe(handle).phase == "running", "it runs")  # noqa: B023
        (data_dir / "jobs" / handle / "algo-1" / "ml" / "go").touch()
        assert lab.outcome(handle).exit_codes == {"algo-1": 0}
    assert all(aws.lines("/aws/sagemaker/TrainingJobs", f"job-{n}/algo-1-1")[-2:] == ["up", "went"]
               for n in range(1, 6))
    lab.close()


def test_a_second_stop_shortens_the_grace_of_the_first(lab):
    handle = lab.engine.submit(lab.plan("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLEEPER))
    until(lambda: "up" in lab.lines(), "it runs")
    lab.engine.stop(handle, 3600)
    until(lambda: lab.engine.observe(handle).phase == "stopping", "it is being stopped")
    lab.engine.stop(handle, 0)
    lab.engine.stop(handle, 3600)
    assert lab.outcome(handle).exit_codes == {"algo-1": 137}


def test_agents_start_without_their_nursery_too(lab):
    assert lab.run("").exit_codes == {"algo-1": 0}
    nursery = lab.engine._nursery._process
    assert lab.run("").exit_codes == {"algo-1": 0} and lab.engine._nursery._process is nursery
    nursery.kill()
    assert lab.run("").exit_codes == {"algo-1": 0}
    assert lab.run("").exit_codes == {"algo-1": 0} and lab.engine._nursery._process is not nursery


def test_a_file_that_the_platform_names_is_there_for_the_job(lab):
    roots = lab.data_dir / "roots.pem"
    roots.write_text("certificates")
    lab.engine.job_environment["SSL_CERT_FILE"] = str(roots)
    outcome = lab.run("import os; print(open(os.environ['SSL_CERT_FILE']).read(), os.path.exists('/etc/passwd'))")
    assert outcome.exit_codes == {"algo-1": 0} and "certificates True" in lab.lines()
