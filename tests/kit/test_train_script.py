"""Script mode of `train`, as whole processes: code, requirements, signals, failure files, exit codes."""

from __future__ import annotations

import io
import json
import os
import signal
import tarfile
from pathlib import Path

import pytest

from tests.kit.conftest import Job, environment


def test_a_script_gets_its_arguments_and_variables_and_success_is_reported(job: Job) -> None:
    job.script(
        "import json, os, sys\nprint(json.dumps([sys.argv[1:], os.getcwd(), os.environ['SM_HP_EPOCHS'],"
        " os.environ['SM_MODEL_DIR']]))",
        epochs="3", name='"a b; rm -rf /"',
    )  # fmt: skip
    done = job.run()
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("[["))
    arguments, directory, epochs, model_dir = json.loads(line)
    assert arguments == ["--epochs", "3", "--name", "a b; rm -rf /"]
    assert directory == str(job.base / "code") and epochs == "3" and model_dir == str(job.base / "model")
    assert (job.base / "output" / "success").read_text() == ""


def test_a_raising_script_leaves_the_toolkit_s_failure_text_and_code_1(job: Job) -> None:
    job.script("print('hello')\n\ndef load():\n    raise ValueError('the data is bad')\n\nload()\n")
    done = job.run()
    assert done.returncode == 1
    lines = job.failure.split("\n")
    assert lines[:2] == ["ExecuteUserScriptError:", "ExitCode 1"]
    assert "ErrorMessage \"raise ValueError('the data is bad')\n ValueError: the data is bad\"" in job.failure
    assert lines[-1].startswith('Command "') and lines[-1].endswith('train.py"')
    assert "Traceback (most recent call last)" in done.stderr, "the log has the whole traceback"
    assert not (job.base / "output" / "success").exists()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("import sys; sys.exit(7)", "ExitCode 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "OutOfMemory: Process killed by SIGKILL"),
        ("import sys; sys.stderr.buffer.write(b'\\xff\\xfe\\n'); sys.exit(2)", "ExitCode 2"),
        ("raise SystemExit('no license found')", "no license found"),
    ],
)
def test_any_end_of_a_script_but_zero_fails_the_job(job: Job, body: str, words: str) -> None:
    job.script(body)
    assert job.run().returncode == 1
    assert words in job.failure


def test_a_failure_file_of_the_script_s_own_is_kept(job: Job) -> None:
    job.script(
        "import os\nos.makedirs(os.environ['SM_OUTPUT_DIR'], exist_ok=True)\n"
        "open(os.environ['SM_OUTPUT_DIR'] + '/failure', 'w').write('mine')\nraise RuntimeError"
    )
    assert job.run().returncode == 1
    assert job.failure == "mine"


def test_a_shell_script_runs_with_quoted_arguments(job: Job) -> None:
    job.script('echo "got:$1:$2:"', file="run.sh", word='"two $(words)"')
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert "got:--word:two $(words):" in done.stdout


@pytest.mark.parametrize("name", ["../evil.py", "/bin/sh", "-c", "a b.py", "x/../y.py", "missing.py"])
def test_an_entry_point_outside_the_code_is_refused(job: Job, name: str) -> None:
    job.script("print('fine')")
    job.configure(
        {"sagemaker_program": json.dumps(name), "sagemaker_submit_directory": json.dumps(str(job.base / "source"))}
    )
    assert job.run().returncode == 1
    assert job.failure.startswith("The training entry point")


def test_sigterm_reaches_the_script_which_may_end_well(job: Job) -> None:
    job.script(
        "import signal, sys, time\n"
        "def stop(*_):\n    print('saving', flush=True)\n    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\nprint('up', flush=True)\ntime.sleep(60)"
    )
    process = job.start()
    assert process.stdout is not None
    for line in process.stdout:
        if line == "up\n":
            break
    process.send_signal(signal.SIGTERM)
    rest = process.stdout.read()
    assert process.wait(30) == 0 and "saving" in rest
    assert (job.base / "output" / "success").exists()


def tarball(members: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return buffer.getvalue()


def test_a_hostile_archive_cannot_write_outside_the_code_directory(job: Job) -> None:
    bundle = job.base / "bundle.tar.gz"
    bundle.write_bytes(
        tarball(
            {"train.py": b"print('ran')", "../../escaped": b"x", "/abs": b"x", "out/../../../up": b"x"},
            {"link": "/etc", "inner": "train.py", "d/away": "../../.."},
        )
    )
    job.configure({"sagemaker_program": '"train.py"', "sagemaker_submit_directory": json.dumps(str(bundle))})
    done = job.run()
    assert done.returncode == 0, done.stderr
    found = {str(path.relative_to(job.base.parent)) for path in job.base.parent.rglob("*") if "/code/" not in str(path)}
    assert not {name for name in found if name.endswith(("escaped", "abs", "up"))}
    assert not os.path.lexists(job.base / "code" / "link") and not os.path.lexists(job.base / "code" / "d" / "away")
    assert (job.base / "code" / "inner").read_text() == "print('ran')"


@pytest.mark.parametrize("content", [b"not a tarball", b""])
def test_a_broken_archive_is_a_clear_failure(job: Job, content: bytes) -> None:
    bundle = job.base / "bundle.tar.gz"
    bundle.write_bytes(content)
    job.configure({"sagemaker_program": '"train.py"', "sagemaker_submit_directory": json.dumps(str(bundle))})
    assert job.run().returncode == 1
    assert job.failure.startswith("Could not unpack")


@pytest.mark.parametrize(
    ("hyperparameters", "hosts"),
    [
        ({"sagemaker_mpi_enabled": "true"}, ["algo-1"]),
        ({"sagemaker_torch_distributed_enabled": "true"}, ["algo-1", "algo-2"]),
    ],
)
def test_a_distribution_that_is_not_there_is_refused(
    job: Job, hyperparameters: dict[str, str], hosts: list[str]
) -> None:
    job.configure({"sagemaker_program": '"train.py"', **hyperparameters}, hosts=hosts)
    assert job.run().returncode == 1
    assert "is not supported by this image" in job.failure


def local_package(directory: Path, name: str, text: str) -> None:
    (directory / name).mkdir(parents=True)
    (directory / name / "__init__.py").write_text(text)
    (directory / "setup.py").write_text(
        f"from setuptools import setup\nsetup(name={name!r}, version='1.0', packages=[{name!r}])\n"
    )


def test_requirements_are_installed_over_a_read_only_environment(job: Job) -> None:
    job.python = environment("sklearn-1.2-1")
    prefix = Path(job.python).parent.parent
    packages = "lib/python3.*/site-packages/[!_]*"
    before = sorted(str(p) for p in prefix.glob(packages))
    job.script(
        "import helper_of_mine, sklearn, subprocess, sys\nprint('version', helper_of_mine.VERSION, sklearn.__name__)\n"
        "print(subprocess.run([sys.executable, '-m', 'pip', 'list'], capture_output=True, text=True).stdout)"
    )
    source = job.base / "source"
    local_package(source / "package", "helper_of_mine", "VERSION = 42\n")
    job.env["PIP_NO_INDEX"] = "1"
    job.env["PIP_NO_BUILD_ISOLATION"] = "0"
    (source / "requirements.txt").write_text("./package\nscikit-learn\n")
    done = job.run()
    assert done.returncode == 0, done.stderr + done.stdout
    assert "version 42 sklearn" in done.stdout
    assert "helper" in done.stdout and "scikit-learn" in done.stdout, "pip in the job sees both layers"
    assert before == sorted(str(p) for p in prefix.glob(packages))


def test_requirements_that_cannot_be_had_fail_with_pip_s_words(job: Job) -> None:
    job.python = environment("sklearn-1.2-1")
    job.script("print('never')")
    (job.base / "source" / "requirements.txt").write_text("a-package-that-is-nowhere==1\n")
    job.env["PIP_NO_INDEX"] = "1"
    done = job.run()
    assert done.returncode == 1 and "never" not in done.stdout
    assert job.failure.startswith("InstallRequirementsError:") and "a-package-that-is-nowhere" in job.failure


def test_a_package_with_setup_py_is_installed_and_run_as_a_module(job: Job) -> None:
    job.python = environment("sklearn-1.2-1")
    job.script("import my_lib\nprint('lib', my_lib.NUMBER)", file="entry.py")
    local_package(job.base / "source", "my_lib", "NUMBER = 7\n")
    job.env.update(PIP_NO_INDEX="1", PIP_NO_BUILD_ISOLATION="0")
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert "lib 7" in done.stdout


def test_without_program_or_algorithm_the_failure_says_what_is_missing(job: Job) -> None:
    job.configure({"epochs": "1"})
    job.env["SAGEWRIGHT_ALGORITHM"] = "no-such-algorithm"
    assert job.run().returncode == 1
    assert "sagemaker_program" in job.failure
