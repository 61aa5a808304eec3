"""`sagewright status`, `logs` and `ops`: looking at what is there."""

from __future__ import annotations

import sys
import time
from typing import Any

from sagewright.cli import show
from sagewright.cli.api import Api
from sagewright.cli.place import Place
from sagewright.core.errors import AwsError

_ENDED = frozenset({"Completed", "Failed", "Stopped"})


def status(place: Place, as_json: bool) -> int:
    """The server, its endpoints and the latest jobs; exit status 1 when it is not running."""
    state = place.server()
    if state is None:
        if as_json:
            show.as_json({"running": False, "data": place.data_dir})
        else:
            print(f"No server is running for {place.data_dir}. Start it: sagewright up --detach")
        return 1
    api = Api(place)
    endpoints = api.all("sagemaker", "ListEndpoints", "Endpoints", MaxResults=100)
    jobs = api.call("sagemaker", "ListTrainingJobs", MaxResults=10, SortBy="CreationTime",
                    SortOrder="Descending")["TrainingJobSummaries"]
    if as_json:
        show.as_json({"running": True, **state, "data": place.data_dir, "endpoints": endpoints, "training_jobs": jobs})
        return 0
    show.facts("Sagewright", {"endpoint": state["url"], "pid": state["pid"], "data": place.data_dir})
    now = time.time()
    rows = [("endpoint", e["EndpointName"], e["EndpointStatus"], show.ago(now - e["CreationTime"])) for e in endpoints]
    rows += [("training job", j["TrainingJobName"], j["TrainingJobStatus"], show.ago(now - j["CreationTime"]))
             for j in jobs]
    if rows:
        show.table("Endpoints and latest training jobs", ("", "name", "status", "age"), rows)
    return 0


def logs(place: Place, name: str, follow: bool) -> int:
    """Print the log of a training job or an endpoint; `follow` goes on until it has ended."""
    api = Api(place)
    group, prefix = _where(api, name)
    if group is None:
        print(f"There is no training job or endpoint called {name}.", file=sys.stderr)
        return 1
    tokens: dict[str, str] = {}
    while True:
        ended = not follow or _ended(api, name, group)
        for stream in _streams(api, group, prefix):
            _print_new(api, group, stream, tokens)
        if ended:
            return 0
        time.sleep(0.5)


def _where(api: Api, name: str) -> tuple[str | None, str]:
    try:
        api.call("sagemaker", "DescribeTrainingJob", TrainingJobName=name)
        return "/aws/sagemaker/TrainingJobs", f"{name}/"
    except AwsError:
        pass
    try:
        api.call("sagemaker", "DescribeEndpoint", EndpointName=name)
        return f"/aws/sagemaker/Endpoints/{name}", ""
    except AwsError:
        return None, ""


def _ended(api: Api, name: str, group: str) -> bool:
    if group != "/aws/sagemaker/TrainingJobs":
        return False
    return api.call("sagemaker", "DescribeTrainingJob", TrainingJobName=name)["TrainingJobStatus"] in _ENDED


def _streams(api: Api, group: str, prefix: str) -> list[str]:
    asked: dict[str, Any] = {"logGroupName": group, **({"logStreamNamePrefix": prefix} if prefix else {})}
    try:
        return [s["logStreamName"] for s in api.call("logs", "DescribeLogStreams", **asked)["logStreams"]]
    except AwsError:
        return []


def _print_new(api: Api, group: str, stream: str, tokens: dict[str, str]) -> None:
    while True:
        token = {"nextToken": tokens[stream]} if stream in tokens else {}
        page = api.call("logs", "GetLogEvents", logGroupName=group, logStreamName=stream, startFromHead=True, **token)
        for event in page["events"]:
            print(event["message"].replace("#011", "\t"))
        if page["nextForwardToken"] == tokens.get(stream) or not page["events"]:
            tokens[stream] = page["nextForwardToken"]
            return
        tokens[stream] = page["nextForwardToken"]


def ops(operation: str, as_json: bool) -> int:
    """Where an operation lives: room, derived or written, or refused; and which tests name it."""
    from sagewright.cli import assembly
    from sagewright.core import model
    from sagewright.core.dispatch import Dispatch
    from sagewright.sagemaker import unsupported

    dispatch = Dispatch(assembly.services())
    found = [service for service in (*dispatch.served, "sagemaker-runtime")
             if operation in model.operation_names(service)]
    if not found:
        print(f"No service here has an operation called {operation}.", file=sys.stderr)
        return 1
    rows = []
    for service in found:
        place = dispatch.where(service, operation)
        if service == "sagemaker-runtime" and operation in ("InvokeEndpoint", "InvokeEndpointWithResponseStream"):
            room, how = "gateway.invocations", "written"
        else:
            room = place.room if place else unsupported.chapter_of(operation) if service == "sagemaker" else ""
            how = place.how if place else "not available yet"
        rows.append((service, operation, room, how, _tests(operation)))
    columns = ("service", "operation", "room", "how", "tests")
    if as_json:
        show.as_json([dict(zip(columns, row)) for row in rows])
    else:
        show.table(operation, columns, [(*row[:-1], ", ".join(row[-1]) or "no test names it") for row in rows])
    return 0


def _tests(operation: str) -> list[str]:
    from pathlib import Path

    from sagewright.core import model

    folder = Path(__file__).resolve().parents[3] / "tests"
    words = (operation, model.method_name(operation))
    return sorted(str(file.relative_to(folder.parent)) for file in folder.rglob("test_*.py")
                  if any(word in file.read_text() for word in words))[:5]

