"""Output to log lines, the spool, and metrics in them."""

from __future__ import annotations

import time

import pytest

from sagewright.engine import metrics, tail
from sagewright.engine.tail import Renderer, Spool


@pytest.mark.parametrize(("pieces", "lines"), [
    ([b"a\nb\n"], ["a", "b"]),
    ([b"a", b"b\n"], ["ab"]),
    ([b"\xe2\x82", b"\xac\n"], ["\u20ac"]),
    ([b"\xff\n"], ["\ufffd"]),
    ([b"a\tb\n"], ["a#011b"]),
    ([b"10%\r20%\r\n"], ["10%#01520%"]),
    ([b"\x1b[1m\0\n"], ["#033[1m#000"]),
    ([b"\n\n"], ["", ""]),
    ([b"no end"], ["no end"]),
    ([], []),
])
def test_bytes_become_lines(pieces, lines):
    renderer = Renderer()
    assert [line for piece in pieces for line in renderer.feed(piece)] + renderer.feed(b"", last=True) == lines


def test_a_line_without_end_is_split_and_does_not_grow():
    renderer = Renderer()
    lines = [line for _ in range(40) for line in renderer.feed("€".encode() * 10_000)]
    assert "".join(lines) + "".join(renderer.feed(b"", last=True)) == "€" * 400_000
    assert max(len(line.encode()) for line in lines) <= tail.LINE


def test_the_spool_gives_batches_in_order_and_its_space_back(tmp_path):
    spool = Spool(tmp_path / "spool")
    spool.append(["x" * 1000] * 3000, 5.0)
    spool.append(["last"], 6.0)
    texts = []
    while spool.waiting:
        events, offset = spool.batch()
        assert sum(len(text) + tail.OVERHEAD for _, text in events) <= tail.BATCH_BYTES
        texts += events
        spool.shipped(offset)
    assert len(texts) == 3001 and texts[-1] == (6000, "last") and (tmp_path / "spool").stat().st_size == 0


def test_what_was_spooled_is_there_after_a_crash(tmp_path):
    Spool(tmp_path / "spool").append(["kept"], 1.0)
    assert Spool(tmp_path / "spool").batch()[0] == [(1000, "kept")]


def test_the_last_value_of_each_metric_counts():
    scanner = metrics.Scanner([{"Name": "a", "Regex": "a=(\\S+)"}, {"Name": "b", "Regex": "b=([0-9]+)"}], print)
    scanner.offer(["a=1 b=2", "a=nan", "a=x", "b=", "a=3e-2"], 7.0)
    scanner.scan()
    assert scanner.final() == [{"MetricName": "a", "Value": 0.03, "Timestamp": 7.0},
                               {"MetricName": "b", "Value": 2.0, "Timestamp": 7.0}]


@pytest.mark.parametrize("regex", ["(", "a(?P<", "[z-a]", "(" * 500])
def test_an_invalid_regex_is_said_and_hurts_no_other(regex):
    said = []
    scanner = metrics.Scanner([{"Name": "bad", "Regex": regex}, {"Name": "good", "Regex": "v=(.*)"}], said.append)
    scanner.offer(["v=1"], 1.0)
    scanner.scan()
    assert len(said) == 1 and "bad is off" in said[0] and [m["MetricName"] for m in scanner.final()] == ["good"]


def test_a_catastrophic_regex_is_interrupted_once():
    said = []
    scanner = metrics.Scanner([{"Name": "bad", "Regex": "^(a|a)*$"}], said.append)
    scanner.offer(["a" * 60 + "!"] * 50, 1.0)
    before = time.monotonic()
    while scanner.behind:
        scanner.scan()
    assert said == ["[sagewright] The metric bad is off: its regex took longer than 0.2 s on one line."]
    assert time.monotonic() - before < 20


def test_a_spool_that_is_never_empty_stays_small_on_disk(tmp_path):
    spool = Spool(tmp_path / "spool")
    for _ in range(120):
        spool.append(["x" * 10_000] * 40, 1.0)
        while spool.waiting > 1 << 20:
            spool.shipped(spool.batch()[1])
    place = tmp_path / "spool"
    assert place.stat().st_size > 40 << 20 > 3 * place.stat().st_blocks * 512
