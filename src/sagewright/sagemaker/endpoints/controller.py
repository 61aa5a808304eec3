"""Moves an endpoint one step: start replicas, follow them, switch traffic, drain what leaves. Called by the loop.

The row's notes (`row.work`) hold: `serving` (the fleet that takes traffic), `coming` (a fleet under deployment),
`wanted` (an update asked for), `leaving` (replicas to drain and stop), `generation`. The router is told on every
pass, so a restarted control plane routes again as soon as it has looked at each endpoint.
"""

from __future__ import annotations

import os
from typing import Any

from sagewright.core import log
from sagewright.core.errors import AwsError, Failed
from sagewright.core.seams import Outcome, Target, Variant
from sagewright.core.store import Row
from sagewright.core.world import World
from sagewright.engine import instances
from sagewright.sagemaker.endpoints import fleet as fleets
from sagewright.sagemaker.endpoints.fleet import Fleet

_IDLE, _BUSY = 30.0, 0.25
_MOST_REASON = 1024
_PATIENCE = 120.0  # seconds that a leaving replica may go on answering what it has


def reconcile(row: Row, world: World) -> float | None:
    """One step closer to what the endpoint asks for."""
    if row.status == "Deleting":
        return take_down(row, world)
    if row.status == "Failed":
        return drain(row, world)
    if row.status == "Creating" and not row.work.get("coming"):
        return deploy(row, world, row.body["EndpointConfigName"])
    if row.work.get("wanted"):
        return deploy(row, world, row.work["wanted"]["config"])
    if row.work.get("coming"):
        return follow_deployment(row, world)
    return keep_serving(row, world)


def deploy(row: Row, world: World, config_name: str) -> float | None:
    """Name the replicas of a new fleet; the next step starts them."""
    wanted = row.work.get("wanted") or {}
    generation = row.work.get("generation", 0) + 1
    try:
        coming = _fleet(row, world, config_name, generation)
    except Failed as failed:
        return _deployment_failed(row, world, str(failed))
    if wanted.get("retain"):
        coming = fleets.retained(coming, row.work.get("serving"), wanted.get("exclude", []))
    world.store.update(row.with_(work={"coming": coming, "wanted": None, "generation": generation}))
    return 0.0


def _fleet(row: Row, world: World, config_name: str, generation: int) -> Fleet:
    config = world.store.get("EndpointConfig", row.account, row.region, config_name)
    if config is None:
        raise Failed(f"Could not find endpoint configuration {config_name}.")
    names = {v["ModelName"] for v in config.body["ProductionVariants"] if v.get("ModelName")}
    found = {name: world.store.get("Model", row.account, row.region, name) for name in names}
    models = {name: model for name, model in found.items() if model is not None}
    return fleets.build(config, models, generation, world.clock.now())


def follow_deployment(row: Row, world: World) -> float | None:
    """Start and watch the new fleet; switch when all of it is ready, give it up when a replica cannot start."""
    coming = advance(row, world, row.work["coming"], restart=False)
    reason = fleets.first_failure(coming)
    if reason:
        return _deployment_failed(row.with_(work={"coming": coming}), world, reason)
    if not fleets.all_ready(coming):
        route(row, world, row.work.get("serving"))
        if coming != row.work["coming"]:
            world.store.update(row.with_(work={"coming": coming}), durable=False)
        return 5.0
    old = row.work.get("serving")
    leaving = [*row.work.get("leaving", ()), *_leave(old, world)]
    route(row, world, coming)
    world.store.update(row.with_(status="InService", body={"EndpointConfigName": coming["config"]},
                                 work={"serving": coming, "coming": None, "leaving": leaving or None}))
    log.say("endpoint in service", arn=row.arn, config=coming["config"])
    return 0.0


def _deployment_failed(row: Row, world: World, reason: str) -> float | None:
    """A new fleet could not start: the endpoint fails, or goes on with what it had and says why."""
    leaving = [*row.work.get("leaving", ()), *_leave(row.work.get("coming"), world)]
    status = "InService" if row.work.get("serving") else "Failed"
    world.store.update(row.with_(status=status, body={"FailureReason": reason[:_MOST_REASON]},
                                 work={"coming": None, "wanted": None, "leaving": leaving or None}))
    log.say("deployment failed", arn=row.arn, reason=reason)
    return 0.0


def keep_serving(row: Row, world: World) -> float | None:
    """Keep as many replicas as asked for, replace crashed ones, drain what leaves."""
    serving: Fleet = row.work["serving"]
    resized = [fleets.resized(variant) for variant in serving["variants"]]
    out = [{**r, "since": world.clock.now()} for _, gone in resized for r in gone if r.get("handle")]
    before = {**serving, "variants": [variant for variant, _ in resized]}
    after = advance(row, world, before, restart=True)
    route(row, world, after)
    leaving = [*_drained(row, world), *out]
    done = row.status == "Updating" and fleets.all_ready(after)
    if after != serving or leaving != row.work.get("leaving", []) or done:
        world.store.update(row.with_(status="InService" if done else None,
                                     work={"serving": after, "leaving": leaving or None}), durable=False)
    if leaving:
        return _BUSY
    return _IDLE if fleets.all_ready(after) else 1.0


def advance(row: Row, world: World, fleet: Fleet, restart: bool) -> Fleet:
    """Start replicas that are due and note what became of the others."""
    return {**fleet, "variants": [
        {**variant, "replicas": [_advanced(row, world, variant, replica, restart) for replica in variant["replicas"]]}
        for variant in fleet["variants"]]}


def _advanced(row: Row, world: World, variant: dict[str, Any], replica: dict[str, Any],
              restart: bool) -> dict[str, Any]:
    engine, now = world.parts["engine"], world.clock.now()
    if not replica.get("handle"):
        if replica.get("not_before", 0) > now or replica.get("failed"):
            return replica
        try:
            image = world.parts["images"].resolve(variant["container"]["Image"])
            return {**replica, "handle": engine.submit(fleets.plan(row, variant, replica, image))}
        except (AwsError, Failed) as refused:
            return {**replica, "failed": getattr(refused, "message", "") or str(refused)}
    outcome: Outcome = engine.observe(replica["handle"])
    if outcome.phase == "ready":
        return {**replica, "ready": True, "address": dict(outcome.address)}
    if not outcome.exited:
        return {**replica, "ready": False} if replica.get("ready") else replica
    engine.release(replica["handle"])
    if restart:
        log.warn("replica ended, starting it again", arn=row.arn, replica=replica["id"], attempt=replica["attempt"])
        return fleets.again(replica, now)
    return {"id": replica["id"], "attempt": replica["attempt"], "failed": why(variant, outcome)}


def why(variant: dict[str, Any], outcome: Outcome) -> str:
    """FailureReason of a replica that could not start."""
    if outcome.blame in ("client", "platform") and outcome.failure:
        return outcome.failure
    words = (f"The primary container for production variant {variant['name']} did not pass the ping health check. "
             "Please check CloudWatch logs for this endpoint.")
    last = "\n".join(outcome.last_lines).strip() or outcome.failure
    room = _MOST_REASON - len(words) - 20
    if len(last) > room:  # whole lines only
        last = last[-room:].partition("\n")[2] or last[-room:]
    return f"{words} Last lines: {last}" if last else words


def route(row: Row, world: World, fleet: Fleet | None) -> None:
    """Tell the router which replicas take traffic now."""
    router = world.parts["router"]
    if fleet is None:
        return
    router.set(row.arn, [
        Variant(v["name"], v["weight"], [
            Target(r["id"] + f"#{r['attempt']}", r["address"], _concurrency(v["instance_type"]))
            for r in v["replicas"] if r.get("ready")], v.get("routing") or "RANDOM")
        for v in fleet["variants"]])


def _concurrency(instance_type: str) -> int:
    found = instances.find(instance_type)
    return max(1, min(found.vcpus if found else 1, os.cpu_count() or 1))


def _leave(fleet: Fleet | None, world: World) -> list[dict[str, Any]]:
    now = world.clock.now()
    return [{**replica, "since": now} for _, replica in fleets.replicas(fleet) if replica.get("handle")]


def _drained(row: Row, world: World) -> list[dict[str, Any]]:
    """Stop leaving replicas that answer nothing any more; forget those that have ended."""
    engine, router = world.parts["engine"], world.parts["router"]
    left = []
    for replica in row.work.get("leaving", ()):
        waited = world.clock.now() - replica["since"]
        if router.busy(row.arn, f"{replica['id']}#{replica['attempt']}") == 0 or waited > _PATIENCE:
            engine.stop(replica["handle"])
        if engine.observe(replica["handle"]).exited:
            engine.release(replica["handle"])
        else:
            left.append(replica)
    return left


def drain(row: Row, world: World) -> float | None:
    """A failed endpoint: end what was started for it."""
    if not row.work.get("leaving"):
        return None
    left = _drained(row, world)
    if left != row.work["leaving"]:
        world.store.update(row.with_(work={"leaving": left or None}), durable=False)
    return _BUSY if left else None


def take_down(row: Row, world: World) -> float | None:
    """Deleting: out of the router, stop everything, then remove the row."""
    world.parts["router"].remove(row.arn)
    if row.work.get("serving") or row.work.get("coming"):
        leaving = [*row.work.get("leaving", ()), *_leave(row.work.get("serving"), world),
                   *_leave(row.work.get("coming"), world)]
        row = world.store.update(row.with_(work={"serving": None, "coming": None, "leaving": leaving or None}))
    left = _drained(row, world)
    if left:
        return _BUSY
    world.store.delete(row)
    return None
