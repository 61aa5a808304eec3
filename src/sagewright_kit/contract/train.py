"""The `train` program of framework and algorithm images: `python -m sagewright_kit.contract.train`.

Started by the platform in the container. Reads the configuration, decides between the built-in algorithm and the
user's script, runs it, and leaves `output/success` or `output/failure` and an exit code. What it imports before user
code starts is kept small on purpose.
"""

from __future__ import annotations

import os
import socket
import sys
import time

from sagewright_kit.contract import launch, source
from sagewright_kit.contract.environment import Training
from sagewright_kit.contract.errors import ClientError
from sagewright_kit.contract.overlay import Overlay
from sagewright_kit.contract.paths import Paths

RESOLUTION_SECONDS = 15 * 60


def train(paths: Paths) -> int:
    """Run the training that the configuration describes and report; the process's exit code."""
    try:
        training = Training(paths)
        os.environ.update(training.process_variables())
        if training.program:
            run_script(training)
        else:
            run_algorithm(training)
    except ClientError as error:
        return report_failure(paths, str(error))
    except Exception as error:
        import traceback

        text = "Framework Error: \n%s\n%s" % (traceback.format_exc(), error)
        code = getattr(error, "errno", None)
        return report_failure(paths, text, code if isinstance(code, int) and 0 < code < 256 else 1)
    os.makedirs(paths.output, exist_ok=True)
    with open(paths.success, "w"):
        pass
    say("INFO", "Reporting training SUCCESS")
    return 0


def run_script(training: Training) -> None:
    """Script mode: fetch the code, install what it needs, run it."""
    code = training.paths.code
    refuse_distribution(training)
    source.fetch(training.source, code)
    name = launch.check_name(code, training.program)
    overlay = Overlay().create()
    what = launch.kind(code, name)
    if what == "package":
        overlay.install_package(code)
    elif what == "script" and os.path.exists(os.path.join(code, "requirements.txt")):
        overlay.install_requirements(code)
    wait_for_hosts(training.hosts)
    env = dict(os.environ, **training.variables())
    env.update(overlay.variables())
    env["PYTHONPATH"] = os.pathsep.join(p for p in (code, os.environ.get("PYTHONPATH", "")) if p)
    env.setdefault("PYTHONUNBUFFERED", "1")
    arguments = training.arguments()
    if training.distribution():
        processes = int(env["SM_NUM_GPUS"]) or int(env["SM_NUM_NEURONS"]) or 1
        line = launch.torchrun(overlay.python, code, name, arguments, processes)
        env.update(NCCL_SOCKET_IFNAME=env["SM_NETWORK_INTERFACE_NAME"], NCCL_PROTO="simple")
    else:
        line = launch.command(overlay.python, code, name, arguments)
    for directory in (training.paths.model, training.paths.output_data):
        os.makedirs(directory, exist_ok=True)
    say("INFO", "Invoking script with the following command:\n\n%s\n\n" % " ".join(line))
    launch.run(line, code, env)


def refuse_distribution(training: Training) -> None:
    """Say clearly which distributed launchers are not there, rather than train on each host alone."""
    asked = training.distribution()
    if not asked or (asked == "sagemaker_torch_distributed_enabled" and len(training.hosts) == 1):
        return
    raise ClientError(
        "Distributed training with %s on %d host(s) is not supported by this image; torch_distributed on one host is."
        % (asked, len(training.hosts))
    )


def run_algorithm(training: Training) -> None:
    """Algorithm mode: the built-in algorithm of this image, in this process."""
    from sagewright_kit import algorithms

    run = algorithms.find(os.environ.get("SAGEWRIGHT_ALGORITHM", ""))
    os.environ.update(training.variables())
    for directory in (training.paths.model, training.paths.output_data):
        os.makedirs(directory, exist_ok=True)
    run(training)


def wait_for_hosts(hosts: list[str]) -> None:
    """Wait until every host's name resolves: names of a cluster appear while its containers start."""
    if len(hosts) < 2:
        return
    deadline = time.monotonic() + RESOLUTION_SECONDS
    for host in hosts:
        pause = 0.1
        while True:
            try:
                socket.gethostbyname(host)
                break
            except OSError as error:
                if time.monotonic() > deadline:
                    raise ClientError("The host name %s does not resolve: %s" % (host, error)) from error
                time.sleep(pause)
                pause = min(pause * 2, 30)


def report_failure(paths: Paths, text: str, code: int = 1) -> int:
    """Write the failure file, unless the script wrote its own, and give the exit code."""
    try:
        os.makedirs(paths.output, exist_ok=True)
        if not os.path.exists(paths.failure):
            with open(paths.failure, "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
    except OSError as error:
        say("ERROR", "Could not write %s: %s" % (paths.failure, error))
    say("ERROR", "Reporting training FAILURE")
    say("ERROR", text)
    return code


def say(level: str, text: str) -> None:
    """One line in the form of the toolkit's own log."""
    now = time.time()
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now))
    stream = sys.stdout if level == "INFO" else sys.stderr
    print("%s,%03d sagemaker-training-toolkit %-8s %s" % (stamp, now % 1 * 1000, level, text), file=stream, flush=True)


def main() -> None:
    """Console entry `train`."""
    sys.exit(train(Paths()))


if __name__ == "__main__":
    main()
