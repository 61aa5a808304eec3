"""The life of a training, processing or transform job on one host: inputs, command, outputs. Called by `host.py`."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from sagewright.engine import caller, life, transfer
from sagewright.engine.host import Host
from sagewright.engine.runtimes.runtime import Handle, State

DELIVERY = caller.AWAY_LIMIT + 60.0


def live(host: Host) -> dict[str, Any]:
    """Carry the plan out; gives the facts of its end. Stopped and Failure before the command ran end it early."""
    output = life.Output(host)
    for line in host.placement["prelude"]:
        output.say(line)
    try:
        host.enter("downloading", "Downloading input data")
        life.make_directories(host)
        life.bring_inputs(host)
        host.check()
        running = life.Running(host, output)
        handle = running.start()
        host.enter("running", "Training image download completed. Training in progress.")
        state, ended_by, trouble = _watch(host, running, handle)
        output.end()
        ending = _ending(host, output, state, ended_by, trouble)
        ending |= _bring_out(host, ending)
        return ending
    finally:
        output.deliver(host, DELIVERY)


def _watch(host: Host, running: life.Running, handle: Handle) -> tuple[State, str, str]:
    """Until the command has ended: stop requests, the time limit, the volume, metrics."""
    runtime, output = running.runtime, running.output
    volume = life.Volume(host)
    volume.start()
    deadline = time.monotonic() + host.plan["max_runtime"]
    ended_by = trouble = ""
    pidfd = os.pidfd_open(handle.process.pid)
    try:
        while (state := runtime.observe(handle)).running:
            grace = host.stop_asked()
            if host.shutdown:
                runtime.stop(handle, 0)
                trouble = "The host is being shut down."
            elif volume.trouble and not trouble:
                trouble = volume.trouble
                runtime.stop(handle, 0)
            elif not ended_by and (grace is not None or time.monotonic() > deadline):
                ended_by = "stop" if grace is not None else "max_runtime"
                host.enter("stopping", "Stopping the job")
                runtime.stop(handle, float(host.plan["stop_grace"]) if grace is None else grace)
            elif ended_by and grace is not None:
                runtime.stop(handle, grace)  # which a later request may have shortened
            output.scan()
            life.pause(host, pidfd, 0.25)
    finally:
        os.close(pidfd)
    return state, ended_by, trouble


def _ending(host: Host, output: life.Output, state: State, ended_by: str, trouble: str) -> dict[str, Any]:
    """Who is to blame, and what to say."""
    ending: dict[str, Any] = {"exit_code": state.exit_code, "ended_by": ended_by, "last_lines": output.last_lines,
                              "final_metrics": output.scanner.final(), "failure": "", "blame": ""}
    if trouble:
        ending |= {"failure": trouble, "blame": "platform" if host.shutdown else "algorithm", "ended_by": ""}
    elif ended_by:
        pass
    elif state.out_of_memory:
        limit = host.placement["memory"] / (1 << 30)
        said = (f"OutOfMemory: the container used more than {limit:.1f} GiB of memory and was killed. "
                "Please use an instance type with more memory.")
        ending |= {"failure": life.failure_text(host) or said, "blame": "algorithm"}
    elif state.exit_code != 0:
        ending |= {"failure": life.failure_text(host), "blame": "algorithm"}
    return ending


def _bring_out(host: Host, ending: Mapping[str, Any]) -> dict[str, Any]:
    """Upload what the job left; gives the facts that this changes."""
    wanted = [out for out in host.plan["outputs"] if not ending["blame"] or out.get("when_failed")]
    if not wanted:
        return {}
    host.enter("uploading", "Uploading generated training model")
    transfers = transfer.Transfers(host.caller, host.plan["region"], host.plan["role_arn"])
    scratch = host.directory / "scratch"
    scratch.mkdir(exist_ok=True)
    try:
        for out in wanted:
            _upload(host, transfers, out)
    except caller.CallError as error:
        if ending["blame"]:
            host.notes.append(f"Outputs could not be uploaded: {error}.")
            return {}
        blame = "client" if 400 <= error.status < 500 else "platform"
        return {"failure": f"Artifact upload failed: {error}", "blame": blame}
    except OSError as error:
        return {} if ending["blame"] else {"failure": f"Artifact upload failed: {error}", "blame": "platform"}
    return {}


def _upload(host: Host, transfers: transfer.Transfers, out: Mapping[str, Any]) -> None:
    """One output: `s3_uri` is the object's URI for an archive, the prefix otherwise.

    An empty one goes only with `when_empty`, those of a job that failed only with `when_failed`.
    """
    directory = life.left_by_job(host, out["path"])
    if directory is None or not directory.is_dir():
        if directory is not None or life.below_ml(host, out["path"]).is_symlink():
            host.notes.append(f"{out['path']} is no directory and was not uploaded.")
        return
    if not out.get("when_empty") and not any(directory.iterdir()):
        return
    kms = {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": out["kms_key"]} \
        if out.get("kms_key") else {}
    if out.get("archive"):
        skipped = transfers.upload_packed(directory, out["s3_uri"], host.directory / "scratch", kms)
        if skipped:
            host.notes.append(f"Left out of {out['s3_uri'].rpartition('/')[2]}, since they lead out of {out['path']} "
                              f"or are no files: {', '.join(skipped[:10])}.")
    else:
        transfers.upload_tree(directory, out["s3_uri"], kms)


