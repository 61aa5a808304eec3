"""`sagewright up` and `sagewright down`: start and stop a server, write and remove its AWS profile."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from sagewright.cli import profile, show
from sagewright.cli.place import Place

_PATIENCE = 60.0
_MARKERS = ("sagewright.db", "credentials.json")


def up(place: Place, detach: bool, flags: list[str], as_json: bool) -> int:
    """Start the server (or find it running) and say how to use it."""
    state = place.server()
    if state is None:
        place.data_dir.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "sagewright.cli.serve", str(place.data_dir), *flags]
        process = _spawn(place, command, detach)
        state = _wait(place, process)
        if state is None:
            return 1
        _announce(place, state["url"], as_json, detach)
        return 0 if detach else _stay(process)
    print(f"A server is already running for {place.data_dir}; it keeps the flags of its start.", file=sys.stderr)
    _announce(place, state["url"], as_json, detach=True)
    return 0


def _spawn(place: Place, command: list[str], detach: bool) -> subprocess.Popen[bytes]:
    log = (place.data_dir / "server.log").open("ab")
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=detach,
                            cwd="/")


def _wait(place: Place, process: subprocess.Popen[bytes]) -> dict | None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and process.poll() is None:
        state = place.server()
        if state is not None:
            return state
        time.sleep(0.03)
    log = (place.data_dir / "server.log").read_text(errors="replace").strip().splitlines()
    told = log[-1:] if log and log[-1].startswith(("sagewright:", "sagewright-server: error:")) else log[-6:]
    print("The server did not start. Its last words:", *told, sep="\n  ", file=sys.stderr)
    print(f"The whole log: {place.data_dir / 'server.log'}", file=sys.stderr)
    process.terminate()
    return None


def _announce(place: Place, url: str, as_json: bool, detach: bool) -> None:
    found = place.facts()
    keys = place.keys()
    text = profile.section(url, found["region"], keys.access_key, keys.secret_key, place.data_dir)
    written = profile.write(text)
    note = f"sagewright (in {profile.path()})" if written else \
        f"not written: {profile.path()} has a profile of that name that is not ours"
    pairs = {"endpoint": url, "region": found["region"], "account": found["account"], "role": found["role_arn"],
             "data": place.data_dir, "profile": note}
    if as_json:
        show.as_json(pairs)
        return
    show.facts("Sagewright is up", pairs)
    print('\nUse it:  eval "$(sagewright env)"        then boto3, the AWS CLI or the SageMaker SDK as always'
          "\n         sagewright run -- python my_script.py   for code that names AWS hosts itself"
          "\nStop it: " + ("sagewright down" if detach else "Ctrl-C"))
    sys.stdout.flush()


def _stay(process: subprocess.Popen[bytes]) -> int:
    """Stay in the foreground until the server ends; Ctrl-C ends it in order."""
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        return 0


def down(place: Place, purge: bool) -> int:
    """Stop the server; `purge` also removes the profile and the data directory."""
    from sagewright.engine.ending import end_all

    state = place.server()
    if state is not None:
        os.kill(state["pid"], signal.SIGTERM)
        _gone(state["pid"])
        print("The server has stopped.")
    else:
        print(f"No server is running for {place.data_dir}.")
    jobs, servers = end_all(place.data_dir, everything=purge)
    if servers:
        print(f"{servers} model server(s) stopped; endpoints come back with `sagewright up`.")
    if jobs:
        print(f"{jobs} job(s) go on without the server and are taken up again by `sagewright up`.")
    if purge:
        _purge(place)
    return 0


def _purge(place: Place) -> None:
    if profile.remove(place.data_dir):
        print(f"The profile sagewright is removed from {profile.path()}.")
    if not any((place.data_dir / name).exists() for name in _MARKERS):
        print(f"{place.data_dir} does not look like a data directory of ours: left alone.")
        return
    shutil.rmtree(place.data_dir)
    print(f"{place.data_dir} is removed.")


def _gone(pid: int, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not Path(f"/proc/{pid}").exists() or Path(f"/proc/{pid}/stat").read_text().split(") ")[-1][0] == "Z":
            return
        time.sleep(0.03)
    os.kill(pid, signal.SIGKILL)
