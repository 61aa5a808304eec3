"""Keeps the workers of a model server: binds the sockets, forks, restarts what crashes, stops in order.

Called by `serve`. The first worker that fails before it ever became ready ends the server: a model that cannot be
loaded will not load a second time.
"""

from __future__ import annotations

import mmap
import os
import signal
import socket
import struct
import sys
import time
import traceback
from typing import Any

from sagewright_kit.servers.front import Front
from sagewright_kit.servers.worker import Worker

BACKLOG = 1024
STOP_SECONDS = 28.0
_SLOT = struct.Struct("<qqd")


class Board:
    """Numbers that the workers share: per worker its connections, whether it is ready, since when it is busy."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.memory = mmap.mmap(-1, max(_SLOT.size * workers, mmap.PAGESIZE))

    def _get(self, number: int) -> tuple[int, int, float]:
        return _SLOT.unpack_from(self.memory, number * _SLOT.size)

    def _set(self, number: int, connections: int, ready: int, since: float) -> None:
        _SLOT.pack_into(self.memory, number * _SLOT.size, connections, ready, since)

    def clear(self, number: int) -> None:
        self._set(number, 0, 0, 0.0)

    def ready(self, number: int) -> None:
        self._set(number, 0, 1, 0.0)

    def is_ready(self, number: int) -> bool:
        return bool(self._get(number)[1])

    def connected(self, number: int, count: int) -> None:
        struct.pack_into("<q", self.memory, number * _SLOT.size, count)

    def begin(self, number: int, now: float) -> None:
        struct.pack_into("<d", self.memory, number * _SLOT.size + 16, now)

    def end(self, number: int) -> None:
        struct.pack_into("<d", self.memory, number * _SLOT.size + 16, 0.0)

    def all_busy(self) -> bool:
        """Whether no ready worker is free."""
        return all(since for _, ready, since in map(self._get, range(self.workers)) if ready)

    def busy_seconds(self, number: int) -> float:
        since = self._get(number)[2]
        return time.monotonic() - since if since else 0.0

    def is_ahead(self, number: int) -> bool:
        """Whether another ready worker has fewer connections than this one."""
        if self.workers == 1:
            return False
        mine = self._get(number)[0]
        return any(ready and count < mine for count, ready, _ in map(self._get, range(self.workers)))


def bind(address: str, port: int, path: str) -> list[socket.socket]:
    """Listening sockets: TCP always, a Unix socket where `path` names one."""
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tcp.bind((address, port))
    sockets = [tcp]
    if path:
        if os.path.exists(path):
            os.unlink(path)
        unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        unix.bind(path)
        os.chmod(path, 0o666)
        sockets.append(unix)
    for one in sockets:
        one.listen(BACKLOG)
        one.setblocking(False)
    return sockets


class Supervisor:
    """The parent of the workers."""

    def __init__(self, front: Front, sockets: list[socket.socket], workers: int, timeout: float = 0.0) -> None:
        self.front, self.sockets, self.timeout = front, sockets, timeout
        self.board = Board(workers)
        self.children: dict[int, int] = {}
        self.stopping = False
        self.failures = 0
        self.failed_to_load = False

    def run(self) -> int:
        """Serve until SIGTERM; the process's exit code."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        # Blocked, so that a child's end wakes the wait in `_reap` and is never lost between two of them.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        for number in range(self.board.workers):
            self._fork(number)
        while self.children:
            self._reap()
        return 1 if self.failed_to_load else 0

    def _fork(self, number: int) -> None:
        self.board.clear(number)
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            self.children[pid] = number
            return
        code = 1
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
            Worker(self.front, self.sockets, self.board, number).run()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        """Wait for a child's end, or for the time to look whether one hangs."""
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            self._end_hanging()
            signal.sigtimedwait([signal.SIGCHLD], 0.5)
            return
        number = self.children.pop(pid, None)
        if number is None or self.stopping:
            return
        words = "signal %d" % os.WTERMSIG(status) if os.WIFSIGNALED(status) else "code %d" % os.WEXITSTATUS(status)
        print("Worker %d ended with %s" % (pid, words), file=sys.stderr, flush=True)
        if not self.board.is_ready(number) and not any(map(self.board.is_ready, range(self.board.workers))):
            self.failed_to_load = True
            self._stop()
            return
        self.failures += 1
        if self.failures > 1:
            time.sleep(min(0.1 * self.failures, 5.0))
        self._fork(number)

    def _end_hanging(self) -> None:
        if not self.timeout:
            return
        for pid, number in self.children.items():
            if self.board.busy_seconds(number) > self.timeout:
                print("Worker %d took longer than %g s" % (pid, self.timeout), file=sys.stderr, flush=True)
                os.kill(pid, signal.SIGKILL)

    def _stop(self, *_: Any) -> None:
        if self.stopping:
            return
        self.stopping = True
        for pid in list(self.children):
            _send(pid, signal.SIGTERM)
        signal.signal(signal.SIGALRM, self._kill)
        signal.setitimer(signal.ITIMER_REAL, STOP_SECONDS)

    def _kill(self, *_: Any) -> None:
        for pid in list(self.children):
            _send(pid, signal.SIGKILL)


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
