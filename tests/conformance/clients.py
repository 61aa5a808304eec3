"""Suites that are one script printing `PASS name` and `FAIL name: why`: live SigV4, the AWS CLI, the JavaScript SDK.

The CLI and JavaScript suites name an image that exists nowhere; a copy of the script names a real image and model
instead (`_real_image`), since an endpoint really starts here. Nothing else is changed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.conformance import places, target
from tests.conformance.checks import FAILED, OUTSIDE, PASSED, Check
from tests.conftest import Live

_LINE = re.compile(r"(PASS|FAIL) (.+)")
_UNSERVED = re.compile(r"UnknownOperation|is not available in this Sagewright")
# http.client speaks TLS instead, with the server's own certificate authority; the suite itself is not changed.
_OVER_TLS = """
import functools, http.client, runpy, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
http.client.HTTPConnection = functools.partial(http.client.HTTPSConnection, context=context)
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def sigv4(live: Live, secure: bool = False) -> list[Check]:
    """The live signature checks over http, or over https through the TLS front."""
    script = str(places.shared("sigv4", "live.py"))
    key, secret = target.TEST
    port = live.port + 1 if secure else live.port
    endpoint = f"http{'s' if secure else ''}://localhost:{port}"
    start = [sys.executable, *(("-c", _OVER_TLS, str(live.data_dir / "tls" / "ca.pem")) if secure else ()), script]
    output = _output([*start, "--endpoint", endpoint, "--access-key", key, "--secret-key", secret], {}, 120)
    return list(checks_of(output, re.compile(r"(?P<name>.+): \d{1,3} ")))


def sigv4_tls(live: Live) -> list[Check]:
    """The same over https."""
    return sigv4(live, secure=True)


def vectors(live: Live) -> list[Check]:
    """AWS's signing test suite against the verifier itself."""
    script, suite = places.shared("sigv4", "vectors.py"), places.shared("vectors", "sigv4")
    output = _output([sys.executable, str(script), "--suite", str(suite), "--verifier",
                      "sagewright.gateway.sigv4:verify"], {"PYTHONPATH": str(places.ROOT / "src")}, 120)
    return [Check("all", PASSED if re.search(r"\b1013/1013\b", output) else FAILED, output.strip()[-200:])]


def command_line(live: Live) -> list[Check]:
    """The AWS CLI's smoke test."""
    script = _real_image(places.shared("cli_smoke", "cli_smoke.sh"), live, "cli")
    bin_dir = places.environment("cli")
    environment = {**_keys(target.TEST), "PATH": f"{bin_dir}:{os.environ['PATH']}"}
    return list(checks_of(_output(["bash", str(script), live.url], environment, 900)))


def javascript(live: Live) -> list[Check]:
    """The JavaScript SDK's smoke test."""
    node, npm = places.tool("node"), places.tool("npm")
    script = _real_image(places.shared("js_smoke", "smoke.mjs"), live, "js")
    if not (script.parent / "node_modules" / "@aws-sdk" / "client-sagemaker").is_dir():
        shutil.copy(places.shared("js_smoke", "package.json"), script.parent)
        places.run(npm, "install", "--no-audit", "--no-fund", "--silent", cwd=script.parent)
    return list(checks_of(_output([node, str(script), live.url], _keys(target.TEST), 600)))


def _real_image(script: Path, live: Live, name: str) -> Path:
    """A copy of the script with a real image and model where it names one that does not exist."""
    model = target.put_model(live)
    text = script.read_text()
    text = re.sub(r'Image: "123456789012\.dkr\.ecr\.[^"]+"',
                  f'Image: "{target.IMAGE}", ModelDataUrl: "{model}", Environment: '
                  '{ SAGEMAKER_PROGRAM: "inference.py" }', text)
    text = re.sub(r"Image=123456789012\.dkr\.ecr\.\S+",
                  f"Image={target.IMAGE},ModelDataUrl={model},Environment={{SAGEMAKER_PROGRAM=inference.py}}", text)
    copy = places.WORK / name / script.name
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(text)
    return copy


def _keys(pair: tuple[str, str]) -> dict[str, str]:
    return {"AWS_ACCESS_KEY_ID": pair[0], "AWS_SECRET_ACCESS_KEY": pair[1]}


def _output(command: list[str], environment: dict[str, str], seconds: float) -> str:
    done = subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=seconds)
    return done.stdout


def checks_of(output: str, form: re.Pattern[str] | None = None) -> Iterable[Check]:
    """One check a line. `form` takes name and reason apart; otherwise a time or a colon ends the name."""
    lines = [found for found in map(_LINE.fullmatch, output.splitlines()) if found is not None]
    if not lines:
        raise RuntimeError(f"the suite printed no result: {output[-500:]}")
    for line in lines:
        passed, rest = line[1] == "PASS", line[2]
        if form is not None:
            found = form.match(rest)
            name, why = (found["name"], rest) if found else (rest, rest)
        else:
            name = re.sub(r"  \(.*\) \d+ ms$| \d+ ms$", "", rest) if passed else rest.split(": ", 1)[0]
            why = rest
        if passed:
            yield Check(name, PASSED)
        else:
            yield Check(name, OUTSIDE if _UNSERVED.search(why) else FAILED, why[:300])
