"""(c) S3 put and get of 1 KiB, 1 MiB and 1 GiB objects against moto's server, ministack and a bare file copy."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench import harness

SIZES = {"1 KiB": (1024, 300), "1 MiB": (1024**2, 40), "1 GiB": (1024**3, 1)}
ROUNDS = 3


@contextmanager
def moto() -> Iterator[str]:
    """moto's server."""
    port = harness.free_port()
    command = [harness.peer_python("moto"), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with harness.process(command, "moto"):
        harness.answers(f"http://127.0.0.1:{port}/moto-api/", 60)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def ministack() -> Iterator[str]:
    """ministack."""
    port = harness.free_port()
    command = [str(Path(harness.peer_python("ministack")).with_name("ministack"))]
    with harness.process(command, "ministack", GATEWAY_PORT=str(port), MINISTACK_PORT=str(port), PORT=str(port)):
        harness.answers(f"http://127.0.0.1:{port}/_localstack/health", 60)
        yield f"http://127.0.0.1:{port}"


def measure(s3: Any, size: int, count: int, source: Path, folder: Path) -> tuple[float, float]:
    """(puts per second, gets per second) of objects of that size, one after the other."""
    large = size > 64 * 1024**2
    data = b"" if large else source.read_bytes()[:size]
    began = time.perf_counter()
    for number in range(count):
        if large:
            with source.open("rb") as file:
                s3.put_object(Bucket="bench", Key=f"k{number}", Body=file)
        else:
            s3.put_object(Bucket="bench", Key=f"k{number}", Body=data)
    put = count / (time.perf_counter() - began)
    began = time.perf_counter()
    for number in range(count):
        body = s3.get_object(Bucket="bench", Key=f"k{number}")["Body"]
        with (folder / "got").open("wb") as out:
            shutil.copyfileobj(body, out, 1024**2)
    return put, count / (time.perf_counter() - began)


def copy_rate(size: int, count: int, source: Path, folder: Path, durable: bool) -> float:
    """File copies of that size per second; `durable` ones are on the disk before they count, as S3's objects are."""
    small = folder / "small"
    with source.open("rb") as file, small.open("wb") as out:
        out.write(file.read(size) if size < 1024**3 else b"")
    origin = source if size >= 1024**3 else small
    began = time.perf_counter()
    for _ in range(count):
        shutil.copyfile(origin, folder / "copy")
        if durable:
            with (folder / "copy").open("rb+") as file:
                os.fsync(file.fileno())
    return count / (time.perf_counter() - began)


def main() -> None:
    """Print one table per size."""
    folder = Path(tempfile.mkdtemp(prefix="bench-s3-", dir=harness.STATE))
    source = folder / "source"
    with source.open("wb") as out:
        block = bytes(range(256)) * 4096
        for _ in range(1024):
            out.write(block)
    systems: dict[str, Callable[[], Any]] = {"Sagewright": harness.sagewright, "moto": moto, "ministack": ministack}
    figures: dict[tuple[str, str], list[tuple[float, float]]] = {}
    try:
        for name, start in systems.items():
            with ExitStack() as stack:
                try:
                    running = stack.enter_context(start())
                except RuntimeError as error:
                    harness.say(f"{name} did not start: {error}")
                    continue
                s3 = harness.client("s3", running if isinstance(running, str) else f"http://localhost:{running.port}")
                s3.create_bucket(Bucket="bench", CreateBucketConfiguration={"LocationConstraint": harness.REGION})
                for label, (size, count) in SIZES.items():
                    for _ in range(ROUNDS):
                        harness.say(f"{name}, {label}")
                        try:
                            figures.setdefault((name, label), []).append(measure(s3, size, count, source, folder))
                        except Exception as error:  # noqa: BLE001 - a peer may fail on large objects: say so, go on
                            harness.say(f"{name}, {label}: {type(error).__name__}: {error}")
                            break
        copies = {(label, durable): [copy_rate(size, count, source, folder, durable) for _ in range(ROUNDS)]
                  for label, (size, count) in SIZES.items() for durable in (True, False)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _report(figures, copies)


def _report(figures: dict[tuple[str, str], list[tuple[float, float]]],
            copies: dict[tuple[str, bool], list[float]]) -> None:
    rows = []
    for label in SIZES:
        own = figures["Sagewright", label]
        put, get = harness.middle([p for p, _ in own]), harness.middle([g for _, g in own])
        row: list[Any] = [label, put, get]
        for name in ("moto", "ministack"):
            found = figures.get((name, label))
            row += [put / harness.middle([p for p, _ in found]), get / harness.middle([g for _, g in found])] if found \
                else ["-", "-"]
        durable, copy = harness.middle(copies[label, True]), harness.middle(copies[label, False])
        rows.append([*row, put / durable, put / copy, get / copy])
    harness.table("(c) S3, one boto3 client, one object after the other", [
        "object", "puts/s", "gets/s", "put / moto's", "get / moto's", "put / ministack's", "get / ministack's",
        "put / durable copy", "put / file copy", "get / file copy"], rows)


if __name__ == "__main__":
    sys.exit(main())
