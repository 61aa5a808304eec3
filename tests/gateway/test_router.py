"""Which replica answers: weights, target variants, strategies, full replicas, changes under way."""

from __future__ import annotations

import random
import threading
from collections import Counter

import pytest

from sagewright.core.errors import AwsError
from sagewright.core.seams import Target, Variant
from sagewright.gateway.router import QUEUE, EndpointRouter, Replica

ARN = "arn:aws:sagemaker:us-west-2:123456789012:endpoint/e"


def target(name: str, path: str = "", concurrency: int = 1) -> Target:
    return Target(name, {"unix": path or f"/run/{name}"}, concurrency)


def variant(name: str, weight: float = 1.0, *targets: Target, strategy: str = "RANDOM") -> Variant:
    return Variant(name, weight, targets or (target(f"{name}-0"),), strategy)


@pytest.fixture
def router() -> EndpointRouter:
    random.seed(7)
    return EndpointRouter()


def shares(router: EndpointRouter, times: int = 4000) -> dict[str, float]:
    counts = Counter(router.choose(ARN).variant.name for _ in range(times))
    return {name: count / times for name, count in counts.items()}


def replicas(router: EndpointRouter, name: str = "") -> list[Replica]:
    return router.choose(ARN, name).replicas


@pytest.mark.parametrize("weights, expected", [
    ((1.0,), (1.0,)), ((1.0, 1.0), (0.5, 0.5)), ((3.0, 1.0), (0.75, 0.25)), ((0.0, 1.0), (0.0, 1.0)),
    ((0.0, 0.0), (0.5, 0.5)), ((0.2, 0.2, 0.6), (0.2, 0.2, 0.6)), ((0.0,), (1.0,))])
def test_weights_share_the_requests(router: EndpointRouter, weights: tuple[float, ...],
                                    expected: tuple[float, ...]) -> None:
    router.set(ARN, [variant(f"v{n}", weight) for n, weight in enumerate(weights)])
    found = shares(router)
    for n, share in enumerate(expected):
        assert found.get(f"v{n}", 0.0) == pytest.approx(share, abs=0.04 if 0 < share < 1 else 0)


def test_a_request_may_name_its_variant_even_one_without_weight(router: EndpointRouter) -> None:
    router.set(ARN, [variant("live"), variant("shadow", 0.0)])
    assert router.choose(ARN, "shadow").variant.name == "shadow"
    with pytest.raises(AwsError, match="Variant nobody not found in endpoint e") as refused:
        router.choose(ARN, "nobody")
    assert refused.value.code == "ValidationError" and refused.value.status == 400


def test_an_endpoint_that_is_not_there_is_a_key_error(router: EndpointRouter) -> None:
    with pytest.raises(KeyError):
        router.choose(ARN)
    router.set(ARN, [])
    with pytest.raises(KeyError):
        router.choose(ARN)
    router.set(ARN, [variant("v")])
    router.remove(ARN)
    router.remove(ARN)
    with pytest.raises(KeyError):
        router.choose(ARN)


def test_requests_are_counted_in_and_out(router: EndpointRouter) -> None:
    router.set(ARN, [variant("v")])
    replica = replicas(router)[0]
    router.begin(ARN, replica)
    router.begin(ARN, replica)
    assert (router.busy(ARN, "v-0"), router.busy(ARN, "nobody")) == (2, 0)
    router.end(ARN, replica)
    router.end(ARN, replica)
    assert router.busy(ARN, "v-0") == 0 and not router._outstanding, "what is idle takes no memory"


def test_a_replica_that_was_taken_out_is_busy_until_its_requests_are_answered(router: EndpointRouter) -> None:
    router.set(ARN, [variant("old")])
    replica = replicas(router)[0]
    router.begin(ARN, replica)
    router.set(ARN, [variant("new")])
    assert (router.busy(ARN, "old-0"), router.choose(ARN).variant.name) == (1, "new")
    router.remove(ARN)
    assert router.busy(ARN, "old-0") == 1
    router.end(ARN, replica)
    assert router.busy(ARN, "old-0") == 0


def test_a_replica_that_stays_keeps_its_connections_and_counts(router: EndpointRouter) -> None:
    router.set(ARN, [variant("v", 1, target("a"), target("b"))])
    first = {replica.target.replica: replica for replica in replicas(router)}
    router.begin(ARN, first["a"])
    router.set(ARN, [variant("v", 5, target("a", concurrency=4), target("b", "/run/elsewhere"), target("c"))])
    now = {replica.target.replica: replica for replica in replicas(router)}
    assert now["a"] is first["a"] and now["a"].outstanding == 1 and now["a"].target.concurrency == 4
    assert now["b"] is not first["b"] and now["b"].pool.path == "/run/elsewhere"
    assert sorted(now) == ["a", "b", "c"]


def test_a_full_replica_is_passed_over_and_all_full_is_unavailable(router: EndpointRouter) -> None:
    router.set(ARN, [variant("v", 1, target("a"), target("b", concurrency=2))])
    group = router.choose(ARN)
    a, b = group.replicas
    for _ in range(QUEUE):
        router.begin(ARN, a)
    assert router.candidates(group) == [b]
    for _ in range(2 * QUEUE):
        router.begin(ARN, b)
    with pytest.raises(AwsError) as full:
        router.candidates(group)
    assert (full.value.code, full.value.status) == ("ServiceUnavailable", 503)
    router.end(ARN, a)
    assert router.candidates(group) == [a]


def test_a_variant_without_replicas_is_unavailable(router: EndpointRouter) -> None:
    router.set(ARN, [Variant("v", 1.0, ())])
    with pytest.raises(AwsError) as none:
        router.candidates(router.choose(ARN))
    assert none.value.status == 503


def test_random_spreads_and_least_outstanding_prefers_the_idle(router: EndpointRouter) -> None:
    targets = (target("a"), target("b"), target("c", concurrency=4))
    router.set(ARN, [variant("v", 1, *targets)])
    group = router.choose(ARN)
    firsts = Counter(router.candidates(group)[0].target.replica for _ in range(900))
    assert all(firsts[name] > 200 for name in "abc")
    router.set(ARN, [variant("v", 1, *targets, strategy="LEAST_OUTSTANDING_REQUESTS")])
    group = router.choose(ARN)
    a, b, c = group.replicas
    for replica, count in ((a, 1), (b, 2), (c, 3)):
        for _ in range(count):
            router.begin(ARN, replica)
    assert [replica.target.replica for replica in router.candidates(group)] == ["c", "a", "b"], "per worker"


def test_controllers_may_change_routes_while_requests_are_placed(router: EndpointRouter) -> None:
    router.set(ARN, [variant("v0")])
    faults: list[BaseException] = []
    stop = threading.Event()

    def place() -> None:
        try:
            while not stop.is_set():
                group = router.choose(ARN)
                assert router.candidates(group)[0].target.replica.startswith(group.variant.name)
        except BaseException as fault:  # noqa: BLE001 - told to the test
            faults.append(fault)

    placing = threading.Thread(target=place)
    placing.start()
    for n in range(300):
        router.set(ARN, [variant(f"v{n}", 1.0), variant(f"w{n}", 2.0)])
    stop.set()
    placing.join(10)
    assert faults == []
