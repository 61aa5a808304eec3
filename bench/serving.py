"""(b) InvokeEndpoint against calling the model server directly, and against four serving systems.

One scikit-learn model, one client, one machine, two workers each. Medians of three rounds are shown.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench import harness

IMAGE = "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-scikit-learn:1.4-2-cpu-py3"
WORKERS, ROUNDS, SECONDS = 2, 3, 4.0
ROW = [[float(n % 7) for n in range(30)]]
TRAIN = """
import joblib, sys
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
x, y = load_breast_cancer(return_X_y=True)
joblib.dump(LogisticRegression(max_iter=5000).fit(x, y), sys.argv[1])
"""
INFERENCE = """
import joblib, json, os
import numpy as np
def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "model.joblib"))
def input_fn(body, content_type):
    return np.asarray(json.loads(body)["instances"], dtype=np.float32)
def output_fn(prediction, accept):
    return json.dumps({"predictions": prediction.tolist()}), "application/json"
"""


def the_model() -> Path:
    """The model file, trained once in a peer's environment (all have the same scikit-learn)."""
    path = harness.STATE / "model.joblib"
    if not path.exists():
        harness.STATE.mkdir(parents=True, exist_ok=True)
        subprocess.run([harness.peer_python("litserve"), "-c", TRAIN, str(path)], check=True)
    return path


@contextmanager
def ours(model: Path) -> Iterator[tuple[str, str]]:
    """(URL of InvokeEndpoint, Unix socket of the model server)."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(model, "model.joblib")
        info = tarfile.TarInfo("code/inference.py")
        info.size = len(INFERENCE)
        tar.addfile(info, io.BytesIO(INFERENCE.encode()))
    with harness.sagewright() as server:
        s3, sagemaker = server.client("s3"), server.client("sagemaker")
        s3.create_bucket(Bucket="bench", CreateBucketConfiguration={"LocationConstraint": harness.REGION})
        s3.put_object(Bucket="bench", Key="model.tar.gz", Body=archive.getvalue())
        sagemaker.create_model(ModelName="m", ExecutionRoleArn=server.role_arn, PrimaryContainer={
            "Image": IMAGE, "ModelDataUrl": "s3://bench/model.tar.gz",
            "Environment": {"SAGEMAKER_PROGRAM": "inference.py",
                            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}})
        sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[
            {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}])
        sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c")
        while (status := sagemaker.describe_endpoint(EndpointName="e"))["EndpointStatus"] == "Creating":
            time.sleep(0.1)
        assert status["EndpointStatus"] == "InService", status
        yield f"{server.url}/endpoints/e/invocations", _socket(server.data_dir)


def _socket(data_dir: Path) -> str:
    from sagewright.engine import jobs, status

    for job in (data_dir / "jobs").iterdir():
        address = jobs.outcome(status.read(job / "algo-1" / "status.jsonl")).address
        if address:
            return str(address["unix"])
    raise RuntimeError("no model server found")


@contextmanager
def relay(unix: str) -> Iterator[str]:
    """A TCP port that leads to the Unix socket, so that the same client can call the model server directly."""
    port = harness.free_port()
    script = ("import asyncio,sys\n"
              "async def pipe(r,w):\n"
              "  try:\n"
              "    while data := await r.read(65536): w.write(data); await w.drain()\n"
              "  finally: w.close()\n"
              "async def one(r,w):\n"
              "  ur,uw = await asyncio.open_unix_connection(sys.argv[2])\n"
              "  await asyncio.gather(pipe(r,uw),pipe(ur,w))\n"
              "async def main():\n"
              "  s = await asyncio.start_server(one,'127.0.0.1',int(sys.argv[1]))\n"
              "  await s.serve_forever()\n"
              "import uvloop; uvloop.run(main())\n")
    with harness.process([sys.executable, "-c", script, str(port), unix], "relay"):
        yield f"http://127.0.0.1:{port}/invocations"


@contextmanager
def peer(name: str, model: Path) -> Iterator[tuple[str, str]]:
    """(URL, body) of a running peer."""
    port, body = harness.free_port(), json.dumps({"instances": ROW})
    python = harness.peer_python(name)
    apps, environment, path = harness.ROOT / "bench" / "peers", {}, "/predict"
    if name == "bentoml":
        command = [python, "-m", "bentoml", "serve", "bentoml_app:Model", "--port", str(port), "--host", "127.0.0.1",
                   "--working-dir", str(apps)]
        environment = {"MODEL": str(model), "WORKERS": str(WORKERS), "BENTOML_DO_NOT_TRACK": "True"}
    elif name == "mlserver":
        folder = _mlserver_folder(model, port)
        command = [str(Path(python).with_name("mlserver")), "start", str(folder)]
        path = "/v2/models/model/infer"
        body = json.dumps({"inputs": [{"name": "x", "shape": [1, 30], "datatype": "FP32", "data": ROW[0]}]})
    else:
        command = [python, str(apps / f"{name}_app.py"), str(model), str(port), str(WORKERS)]
    with harness.process(command, name, **environment) as started:
        url = f"http://127.0.0.1:{port}{path}"
        harness.answers(url, 90, body.encode(), started)
        yield url, body


def _mlserver_folder(model: Path, port: int) -> Path:
    folder = harness.STATE / "mlserver-models"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text(json.dumps({
        "host": "127.0.0.1", "http_port": port, "grpc_port": harness.free_port(), "metrics_port": harness.free_port(),
        "parallel_workers": WORKERS, "debug": False}))
    (folder / "model-settings.json").write_text(json.dumps({
        "name": "model", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": str(model)}}))
    return folder


def main() -> None:
    """Print the two tables."""
    model, body = the_model(), json.dumps({"instances": ROW})
    runs: dict[tuple[str, int], list[dict[str, float]]] = {}
    with ExitStack() as stack:
        url, unix = stack.enter_context(ours(model))
        direct = stack.enter_context(relay(unix))
        for _ in range(ROUNDS):
            for connections in (1, 16):
                harness.say(f"Sagewright, {connections} connection(s)")
                runs.setdefault(("Sagewright", connections), []).append(
                    harness.load(url, body, connections, SECONDS, keys=harness.KEYS))
                runs.setdefault(("its model server, directly", connections), []).append(
                    harness.load(direct, body, connections, SECONDS))
    for name in ("litserve", "bentoml", "mlserver", "ray"):
        try:
            _measure_peer(name, model, runs)
        except RuntimeError as failed:
            print(f"{name} could not be measured: {failed}")
    _report(runs)


def _measure_peer(name: str, model: Path, runs: dict[tuple[str, int], list[dict[str, float]]]) -> None:
    with peer(name, model) as (where, asked):
        harness.load(where, asked, 4, 2.0)
        for _ in range(ROUNDS):
            for connections in (1, 16):
                harness.say(f"{name}, {connections} connection(s)")
                runs.setdefault((name, connections), []).append(harness.load(where, asked, connections, SECONDS))


def _report(runs: dict[tuple[str, int], list[dict[str, float]]]) -> None:
    def mid(name: str, connections: int, what: str) -> float:
        return harness.middle([run[what] for run in runs[name, connections]])

    names = list(dict.fromkeys(name for name, _ in runs))
    rows: list[list[Any]] = []
    for name in names:
        row: list[Any] = [name]
        for connections in (1, 16):
            rate = mid(name, connections, "rate")
            row += [round(rate), mid("Sagewright", connections, "rate") / rate, mid(name, connections, "p50"),
                    mid(name, connections, "p99")]
        rows.append([*row, sum(int(run["errors"]) for key, found in runs.items() if key[0] == name for run in found)])
    header = ["system"]
    for connections in (1, 16):
        header += [f"{connections} conn: req/s", "Sagewright / it", "p50 ms", "p99 ms"]
    harness.table("(b) InvokeEndpoint, signed, one scikit-learn model, 2 workers each", [*header, "errors"], rows)
    added = mid("Sagewright", 1, "p50") - mid("its model server, directly", 1, "p50")
    print(f"\nAdded by the gateway at p50, 1 connection: {added:.2f} ms (goal: at most 0.5).")


if __name__ == "__main__":
    main()
