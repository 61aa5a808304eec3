"""Moves a training job one step: start it, follow it, stop it, finish it. Called by the loop."""

from __future__ import annotations

from typing import Any

from sagewright.core import log
from sagewright.core.errors import AwsError, Failed
from sagewright.core.seams import Outcome
from sagewright.core.store import Row
from sagewright.core.world import World
from sagewright.sagemaker.training import plan as plans

_BUILDING = "Downloading the training image"  # the engine's words while an environment is being built
# phase of the engine -> (SecondaryStatus, StatusMessage unless the phase brings its own)
_PHASES = {
    "queued": ("Starting", "Insufficient capacity on this machine, waiting for running jobs to end."),
    "starting": ("Starting", "Preparing the instances for training."),
    "building": ("Downloading", _BUILDING),
    "downloading": ("Downloading", "Downloading input data"),
    "running": ("Training", "Training image download completed. Training in progress."),
    "uploading": ("Uploading", "Uploading generated training model"),
    "stopping": ("Stopping", "Stopping the training job"),
}
_MOST_REASON = 1024


def reconcile(row: Row, world: World) -> float | None:
    """One step closer to what the job asks for."""
    engine = world.parts["engine"]
    handle = row.work.get("handle")
    if handle is None:
        if row.status == "Stopping":
            return finish(row, world, Outcome("exited", ended_by="stop"))
        return start(row, world)
    if row.status == "Stopping" and not row.work.get("stop_sent"):
        engine.stop(handle)
        row = world.store.update(row.with_(work={"stop_sent": True}))
    outcome = engine.observe(handle)
    if outcome.exited:
        return finish(row, world, outcome)
    follow(row, world, outcome)
    return 30.0


def start(row: Row, world: World) -> float | None:
    """Hand the job to the engine; the handle is noted so that doing it twice starts it once."""
    try:
        image = world.parts["images"].resolve(row.body["AlgorithmSpecification"]["TrainingImage"])
        handle = world.parts["engine"].submit(plans.plan(row, image))
    except (AwsError, Failed) as refused:
        reason = getattr(refused, "message", "") or str(refused)
        return finish(row, world, Outcome(phase="exited", failure=reason, blame="client"))
    log.say("submitted", arn=row.arn, handle=handle)
    notes = {"handle": handle, "note": image.note or None}
    world.store.update(row.with_(work=notes, body={"SecondaryStatus": "Starting"}))
    return 0.0


def follow(row: Row, world: World, outcome: Outcome) -> None:
    """Note phases that the row does not show yet."""
    shown = transitions(row, outcome)
    body: dict[str, Any] = {"SecondaryStatus": shown[-1]["Status"], "SecondaryStatusTransitions": shown}
    if outcome.started:
        body["TrainingStartTime"] = outcome.started
    if any(row.body.get(key) != value for key, value in body.items()):
        world.store.update(row.with_(body=body), durable=False)


def finish(row: Row, world: World, outcome: Outcome) -> float | None:
    """The job has ended: set status, times, metrics, reason; then let the engine forget it."""
    status, secondary, reason = verdict(outcome)
    ended = outcome.ended or world.clock.now()
    last = {"Status": secondary, "StartTime": ended, "EndTime": ended, "StatusMessage": _last_words(secondary)}
    body: dict[str, Any] = {
        "SecondaryStatus": secondary, "FailureReason": reason or None, "TrainingEndTime": ended,
        "SecondaryStatusTransitions": [*_closed(transitions(row, outcome), ended), last],
        "FinalMetricDataList": list(outcome.final_metrics) or None}
    if outcome.started:
        seconds = max(1, round(ended - outcome.started))
        body |= {"TrainingStartTime": outcome.started, "TrainingTimeInSeconds": seconds,
                 "BillableTimeInSeconds": seconds * row.body["ResourceConfig"].get("InstanceCount", 1)}
    world.store.update(row.with_(status=status, terminal=True, body=body))
    log.say("training ended", arn=row.arn, status=status, secondary=secondary)
    if row.work.get("handle"):
        world.parts["engine"].release(row.work["handle"])
    return None


def verdict(outcome: Outcome) -> tuple[str, str, str]:
    """(TrainingJobStatus, SecondaryStatus, FailureReason) of an ended job."""
    if outcome.ended_by == "stop":
        return "Stopped", "Stopped", ""
    if outcome.ended_by == "max_runtime":
        return "Stopped", "MaxRuntimeExceeded", ""
    if not outcome.blame and not any(outcome.exit_codes.values()):
        return "Completed", "Completed", ""
    return "Failed", "Failed", failure_reason(outcome)


def failure_reason(outcome: Outcome) -> str:
    """FailureReason as AWS words it, with the script's own last lines where it left no failure file."""
    if outcome.blame == "client":
        return f"ClientError: {outcome.failure}"[:_MOST_REASON]
    if outcome.blame == "platform":
        words = outcome.failure or "We encountered an internal error. Please try again."
        return f"InternalServerError: {words}"[:_MOST_REASON]
    code = next((code for code in outcome.exit_codes.values() if code), 1)
    end = f", exit code: {code}"
    told = outcome.failure or "\n".join(outcome.last_lines).strip()
    room = _MOST_REASON - len("AlgorithmError: ") - len(end)
    told = told[:room] if outcome.failure else told[-room:]
    return f"AlgorithmError: {told}{end}"


def transitions(row: Row, outcome: Outcome) -> list[dict[str, Any]]:
    """SecondaryStatusTransitions from the phases that the engine reports; never shorter than before."""
    found: list[dict[str, Any]] = [
        {"Status": "Starting", "StartTime": row.created, "StatusMessage": "Starting the training job."}]
    for phase, at, message in outcome.phases:
        if phase not in _PHASES:
            continue
        status, words = _PHASES["building" if message == _BUILDING else phase]
        if found[-1]["Status"] == status:
            found[-1]["StatusMessage"] = message or words
            continue
        found[-1]["EndTime"] = at
        note = f" {row.work['note']}" if status == "Training" and row.work.get("note") else ""
        found.append({"Status": status, "StartTime": at, "StatusMessage": (message or words) + note})
    return found


def _closed(found: list[dict[str, Any]], at: float) -> list[dict[str, Any]]:
    return [*found[:-1], {"EndTime": at, **found[-1]}]


def _last_words(secondary: str) -> str:
    return {"Completed": "Training job completed", "Failed": "Training job failed", "Stopped": "Training job stopped",
            "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided"}[secondary]
