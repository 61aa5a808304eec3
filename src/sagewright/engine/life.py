"""The steps that batch jobs and servers share: directories, inputs, the box, its links to the gateway, its output.

Called by `batch.py` and `server.py`.
"""

from __future__ import annotations

import os
import secrets
import select
import shutil
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sagewright.engine import archive, boxfiles, channels, credentials, metrics, network, stage, tail, transfer
from sagewright.engine.caller import CallError
from sagewright.engine.host import Failure, Host
from sagewright.engine.runtimes import choose, docker
from sagewright.engine.runtimes.runtime import Bind, Box, Handle, NotStarted, Runtime

SERVE_SOCKET = "/run/sagewright/serve.sock"
_WRITABLE = ("ml", "tmp", "home")
_DIRECTORIES = ("ml/input/config", "ml/input/data", "ml/model", "ml/output/data", "ml/code", "ml/checkpoints")
_LAST_LINE = 1024
_PIDS_PER_CPU, _PIDS = 1024, 4096


def make_directories(host: Host) -> None:
    """The job's writable directories, its files, all owned by the job."""
    host.directory.chmod(0o711)
    for name in _WRITABLE:
        (host.directory / name).mkdir(exist_ok=True)
        own(host, host.directory / name)
    (host.directory / "tmp").chmod(0o1777)
    for name in _DIRECTORIES:
        transfer.make_directories(host.directory / name, host.directory, host.uid)
    for path, text in host.plan["files"].items():
        place = below_ml(host, path)
        transfer.make_directories(place.parent, host.directory, host.uid)
        place.write_text(text)
        own(host, place)


def own(host: Host, path: Path) -> None:
    """Give a path to the job."""
    if host.uid is not None:
        os.chown(path, host.uid, host.uid, follow_symlinks=False)


def below_ml(host: Host, path: str) -> Path:
    """Where a path of the container lies on the host."""
    normal = os.path.normpath(path)
    if normal != "/opt/ml" and not normal.startswith("/opt/ml/"):
        raise Failure("client", f"{path} is not below /opt/ml.")
    return host.directory / "ml" / normal[len("/opt/ml/"):]


def left_by_job(host: Host, path: str) -> Path | None:
    """The same, after the job had its hands on it: None where a link leads elsewhere or nothing is there."""
    place = below_ml(host, path)
    return place if place.exists() and os.path.realpath(place) == os.path.realpath(host.directory) + str(place)[
        len(str(host.directory)):] else None


def bring_inputs(host: Host) -> None:
    """Every channel to its path, and archives unpacked."""
    transfers = transfer.Transfers(lambda: host.caller(patient=False), host.plan["region"], host.plan["role_arn"])
    total = 0
    try:
        for channel in host.plan["inputs"]:
            if channel.get("mode") == "Pipe":
                raise Failure("client", f"Channel {channel['name']}: input mode Pipe is not supported here; use File.")
            fetches = transfers.plan(channel, host.number, host.placement["hosts"])
            total += sum(max(fetch.size, 0) for fetch in fetches)
            if total > host.volume:
                raise Failure("client", f"Data download failed: the input data is larger than the volume "
                                        f"({host.plan['volume_gb']} GiB).")
            place = below_ml(host, channel["path"])
            transfer.make_directories(place, host.directory, host.uid)
            if channel.get("extract"):
                _extract(host, transfers, fetches, place)
            else:
                transfers.fetch(fetches, place, host.uid)
    except (transfer.Lost, channels.Unsafe) as lost:
        raise Failure("client", str(lost)) from lost
    except archive.Rejected as rejected:
        raise Failure("client", f"Data download failed: {channel['source']}: {rejected}") from rejected
    except CallError as error:
        blame = "client" if 400 <= error.status < 500 else "platform"
        raise Failure(blame, f"Data download failed: {error}") from error
    except OSError as error:
        raise Failure("client", f"Data download failed: {error.strerror or error}") from error


def _extract(host: Host, transfers: transfer.Transfers, fetches: list[channels.Fetch], place: Path) -> None:
    scratch = host.directory / "scratch"
    scratch.mkdir(exist_ok=True)
    for fetch in fetches:
        if len(fetches) > 1 and not fetch.path.endswith((".tar.gz", ".tgz", ".tar")):
            transfers.fetch([fetch], place, host.uid)
            continue
        packed = fetch._replace(path="packed")
        transfers.fetch([packed], scratch, None)
        archive.unpack(scratch / "packed", place, host.volume, host.check)
        (scratch / "packed").unlink()
    for path in archive.walk(place):
        own(host, path)
    shutil.rmtree(scratch)


class Output:
    """A box's output on its way: captured, scanned for metrics, shipped."""

    def __init__(self, host: Host) -> None:
        plan = host.plan
        self.spool = tail.Spool(host.directory / "log.spool")
        self.shipper: tail.Shipper | None = None
        self.publisher: metrics.Publisher | None = None
        self.capture: tail.Capture | None = None
        if plan["log_group"]:
            stream = plan["log_stream"].format(host=host.name)
            self.shipper = tail.Shipper(self.spool, host.caller(), plan["log_group"], stream)
            self.shipper.start()
        self.scanner = metrics.Scanner(plan["metrics"], self.say)
        if plan["metrics"] and plan["metric_namespace"]:
            self.publisher = metrics.Publisher(host.caller(), plan["metric_namespace"], plan["metric_dimensions"])
            self.publisher.start()

    def say(self, line: str) -> None:
        """A line of the platform's own."""
        if self.shipper:
            self.spool.append(tail.Renderer().feed(line.encode(), last=True), time.time())

    def follow(self, fd: int) -> None:
        """Capture from now on."""
        self.capture = tail.Capture(fd, self.spool if self.shipper else None, self.scanner.offer,
                                    lambda: self.shipper is not None and self.shipper.reachable)
        self.capture.start()

    def scan(self, seconds: float = 0.5) -> None:
        """Look for metrics in what came in; main thread only."""
        found = self.scanner.scan(seconds)
        if found and self.publisher:
            self.publisher.put(found)

    def end(self) -> None:
        """The box has exited: take in the rest of what it said."""
        if self.capture:
            self.capture.join(30.0)
        until = time.monotonic() + 10.0
        while self.scanner.behind and time.monotonic() < until:
            self.scan()

    def deliver(self, host: Host, patience: float) -> None:
        """Wait until logs and metrics have arrived, and note what was refused."""
        for thread, what in ((self.shipper, "Logs"), (self.publisher, "Metrics")):
            if thread is None:
                continue
            done = thread.finish(patience)
            if thread.refused or not done:
                host.notes.append(f"{what} could not be delivered: {thread.refused or 'the gateway did not answer'}.")

    @property
    def last_lines(self) -> list[str]:
        """The tail of the log, cut to what a reason can hold."""
        return [line[:_LAST_LINE] for line in self.capture.last] if self.capture else []


class Running:
    """A started box with its links; made by `start`."""

    def __init__(self, host: Host, output: Output) -> None:
        placement = host.placement
        self.host, self.output = host, output
        self.runtime: Runtime = choose.named(placement["runtime"], placement["container_engine"])
        self.network: network.Network = network.Shared()
        self.relay = network.Relay()
        self.token = secrets.token_hex(24)
        binds = [*placement["built"]["binds"], *(source for source, _ in placement["binds"])]
        serve = [placement["serve_dir"]] if placement["serve_dir"] else []
        if placement["runtime"] in ("docker", "plain"):  # the one has a mount namespace of its own, the other none
            self.find: Callable[[str], str] = lambda path: path
        else:
            self.find = stage.stage([str(host.directory), *serve, *binds])
        boxfiles.write_etc(host.directory, host.name, host.uid)

    def start(self) -> Handle:
        """Start the plan's command in its box."""
        if self.host.plan["isolated"] and not self.runtime.private_network:
            raise Failure("client", "Network isolation was asked for, and this machine offers no way to isolate a job.")
        try:
            handle = self.runtime.start(self._box(), self._link)
        except NotStarted as error:
            raise Failure("platform", str(error)) from error
        self.output.follow(self.runtime.logs(handle))
        return handle

    def _box(self) -> Box:
        host, plan, placement = self.host, self.host.plan, self.host.placement
        binds = [Bind(self.find(str(host.directory / name)), target, writable=True)
                 for name, target in (("home", "/root"), ("ml", "/opt/ml"), ("tmp", "/tmp"))]
        if placement["serve_dir"]:
            binds.append(Bind(self.find(placement["serve_dir"]), str(Path(SERVE_SOCKET).parent), writable=True))
        binds += [Bind(self.find(path), path) for path in placement["built"]["binds"]]
        binds += [Bind(self.find(source), target) for source, target in placement["binds"]]
        binds += [Bind(path, path, device=True) for path in placement["devices"]]
        cpus, argv = placement["cpus"], self._argv()
        return Box(
            name=placement["box"], directory=self.find(str(host.directory)),
            argv=argv, image=plan["image"]["uri"], environment=self._environment(), hostname=host.name,
            uid=host.uid, binds=tuple(binds), memory=placement["memory"], cpus=cpus, cores=tuple(placement["cores"]),
            pids=max(_PIDS, int(cpus * _PIDS_PER_CPU)), file_size=host.volume,
            private_network=self.runtime.private_network)

    def _argv(self) -> tuple[str, ...]:
        """The command. A container image's own entrypoint stays where the plan names none."""
        plan = self.host.plan
        entrypoint = plan["entrypoint"]
        if isinstance(self.runtime, docker.Docker) and not entrypoint:
            entrypoint = self.runtime.entrypoint(plan["image"]["uri"])
        prefix = self.host.placement["built"]["prefix"]
        if entrypoint and prefix:  # a bootstrap of the user's own installs packages, and the environment is read-only
            entrypoint = (f"{prefix}/bin/python", "-m", "sagewright_kit.contract.overlay", "--", *entrypoint)
        return (*entrypoint, *plan["command"])

    def _environment(self) -> dict[str, str]:
        plan, placement = self.host.plan, self.host.placement
        built = placement["built"]
        words = {"AWS_REGION": plan["region"], "AWS_DEFAULT_REGION": plan["region"], "HOSTNAME": self.host.name}
        if built["prefix"]:
            words |= {"PATH": f"{built['prefix']}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root",
                      "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", **built["env"]}
        if placement["serve_dir"]:
            words["SAGEWRIGHT_SERVE_SOCKET"] = SERVE_SOCKET
        if not plan["isolated"]:
            words["AWS_ENDPOINT_URL"] = placement["gateway"]
            words |= placement["environment"]
            words |= self._credentials()
        return {**words, **plan["environment"]}

    def _credentials(self) -> dict[str, str]:
        if not self.runtime.private_network:
            keys = self.host.wallet.keys()
            return {"AWS_ACCESS_KEY_ID": keys.access_key, "AWS_SECRET_ACCESS_KEY": keys.secret_key,
                    "AWS_SESSION_TOKEN": keys.token}
        return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{credentials.PORT}{credentials.PATH}",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN": self.token}

    def _link(self, pid: int) -> None:
        """Before the command runs: listeners in its network for the gateway, the proxy and the credentials."""
        self.network = network.of(pid)
        self.relay.start()
        with suppress(OSError):  # a kernel without virtual interfaces; few programs ask for one by name
            self.network.add_eth0()
        if self.host.plan["isolated"] or isinstance(self.network, network.Shared):
            return
        gateway = urlsplit(self.host.placement["gateway"])
        first = gateway.port or 80
        for port in (first, first + 1):
            self.relay.link(self.network.listen(port), partial(
                socket.create_connection, (gateway.hostname or "127.0.0.1", port), 5.0))
        endpoint = credentials.Endpoint(self.network.listen(credentials.PORT), self.host.wallet, self.token)
        endpoint.start()


class Volume(threading.Thread):
    """Watches how much the job has written; `trouble` says when that is too much."""

    def __init__(self, host: Host) -> None:
        super().__init__(daemon=True, name="volume")
        self.host, self.trouble = host, ""

    def run(self) -> None:
        while not self.trouble:
            began = time.monotonic()
            used = sum(disk_usage(self.host.directory / name) for name in _WRITABLE)
            room = shutil.disk_usage(self.host.directory)
            if used > self.host.volume:
                self.trouble = (f"No space left on device: the job has used more than its volume of "
                                f"{self.host.plan['volume_gb']} GiB.")
            elif room.free < min(256 << 20, room.total // 20):
                self.trouble = "No space left on device: the disk of the host is full."
            if self.trouble:
                self.host.wake()
            time.sleep(max(0.5, 10 * (time.monotonic() - began)))


def disk_usage(directory: Path) -> int:
    """Bytes that the files below a directory occupy; what vanishes meanwhile does not count."""
    total, todo = 0, [str(directory)]
    while todo:
        with suppress(OSError), os.scandir(todo.pop()) as entries:
            for entry in entries:
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total


def pause(host: Host, pidfd: int, seconds: float) -> None:
    """Wait until the box ends, somebody wakes us, or the time is over."""
    ready, _, _ = select.select([pidfd, host.wake_read], [], [], seconds)
    if host.wake_read in ready:
        os.read(host.wake_read, 4096)


def failure_text(host: Host) -> str:
    """The first 1024 characters of /opt/ml/output/failure."""
    place = left_by_job(host, "/opt/ml/output/failure")
    if place is None or not place.is_file():
        return ""
    with place.open("rb") as file:
        return file.read(4096).decode(errors="replace")[:1024]


Ending = dict[str, Any]
