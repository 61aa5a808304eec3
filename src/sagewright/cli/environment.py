"""`sagewright env` and `sagewright run`: the variables under which unmodified AWS code finds this server."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from sagewright.cli.place import Place
from sagewright.gateway.certificates import proxy_environment

_SHIM = Path(__file__).with_name("shim")


def variables(place: Place, proxy: bool) -> dict[str, str]:
    """Endpoint, keys, region and role; with `proxy` also what makes AWS host names lead here."""
    found, keys = place.facts(), place.keys()
    state = place.server()
    port = state["port"] if state else found["port"]
    names = {"AWS_ENDPOINT_URL": f"http://localhost:{port}", "AWS_ACCESS_KEY_ID": keys.access_key,
             "AWS_SECRET_ACCESS_KEY": keys.secret_key, "AWS_DEFAULT_REGION": found["region"],
             "AWS_REGION": found["region"], "SAGEWRIGHT_ROLE_ARN": found["role_arn"],
             "AWS_EC2_METADATA_DISABLED": "true"}
    if proxy:
        names |= proxy_environment(place.data_dir, f"http://127.0.0.1:{port + 1}")
    return names


def env(place: Place, proxy: bool) -> int:
    """Print shell exports."""
    place.need_server()
    for name, value in variables(place, proxy).items():
        print(f"export {name}={shlex.quote(value)}")
    if proxy:  # as `run` does, see shim/sitecustomize.py
        print(f"export PYTHONPATH={shlex.quote(str(_SHIM))}${{PYTHONPATH:+:$PYTHONPATH}}")
    print("unset AWS_SESSION_TOKEN AWS_PROFILE")
    return 0


def run(place: Place, command: list[str], as_is: bool) -> int:
    """Become the command, with the proxy's variables; only the command sees them.

    Unless `as_is`, Python children also load `shim/sitecustomize.py`, which spares them a needless 30 s sleep.
    """
    if not command:
        print("What is to be run? For example: sagewright run -- python my_script.py", file=sys.stderr)
        return 2
    place.need_server()
    environment = {**os.environ, **variables(place, proxy=True)}
    if not as_is:
        paths = [str(_SHIM), *filter(None, [environment.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE"):
        environment.pop(name, None)
    sys.stdout.flush()
    try:
        os.execvpe(command[0], command, environment)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return 127
