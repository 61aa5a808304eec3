"""One worker: one process, one copy of the model, one request at a time.

Called by `supervisor` after fork. User code runs in the main thread, where it may do all that a script may, directly
on the event loop; `health` answers /ping when that takes long. Workers share the listening sockets; one that has more
connections than another lets the other accept first.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
import traceback
from collections import deque
from typing import Any

from sagewright_kit.servers.front import Answer, Front, Request
from sagewright_kit.servers.health import Health
from sagewright_kit.servers.http import Connection

LIMIT = int(os.environ.get("SAGEMAKER_MODEL_JOB_QUEUE_SIZE") or 100)
YIELD_SECONDS = 0.002
GRACE_SECONDS = 25.0
USER_PATHS = ("/invocations", "/execution-parameters")


class Worker:
    """The worker number `number`; `board` is shared with the others."""

    def __init__(self, front: Front, sockets: list[socket.socket], board: Any, number: int) -> None:
        self.front, self.sockets, self.board, self.number = front, sockets, board, number
        self.parent = os.getppid()
        self.connections = 0
        self.open: set[Connection] = set()
        self.waiting: deque[tuple[Request, Connection]] = deque()
        self.streaming = False
        self.stopping = 0.0
        self.loop: Any = None
        self.health: Any = None

    def run(self) -> None:
        """Load the model, serve until SIGTERM."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.front.load()
        self.loop = new_loop()
        asyncio.set_event_loop(self.loop)
        self.loop.add_signal_handler(signal.SIGTERM, self._stop)
        pong = Connection(self._handle, self._closed).render(self.front.ping)
        self.health = Health(self, pong, LIMIT)
        self.health.start()
        for listener in self.sockets:
            self.loop.add_reader(listener.fileno(), self._accept, listener)
        self.loop.call_soon(self._tick)
        self.board.ready(self.number)
        self.loop.run_forever()
        sys.stdout.flush()
        sys.stderr.flush()
        # User code may have left threads that would keep the process.
        os._exit(0)

    # -- requests --
    def _handle(self, request: Request, connection: Connection) -> None:
        """Answer one request: at once, unless a streamed answer is under way."""
        path, method = request.path, request.method
        if path == "/ping":
            connection.respond(self.front.ping)
        elif path not in USER_PATHS:
            connection.respond(Answer("Not Found", "text/plain", 404))
        elif method != ("POST" if path == "/invocations" else "GET"):
            connection.respond(Answer("Method Not Allowed", "text/plain", 405))
        elif self.streaming:
            if len(self.waiting) >= LIMIT:
                connection.respond(Answer("The model server's queue is full", "text/plain", 503))
            else:
                self.waiting.append((request, connection))
        else:
            self._answer(request, connection)

    def _answer(self, request: Request, connection: Connection) -> None:
        self._begin()
        try:
            front = self.front
            answer = front.invoke(request) if request.path == "/invocations" else front.execution_parameters()
        except Exception as error:
            traceback.print_exc()
            answer = Answer(last_line(error), "text/plain", 500)
        finally:
            self._end()
        if isinstance(answer.body, (bytes, bytearray, memoryview)):
            connection.respond(answer)
        else:
            self.streaming = True
            self.loop.create_task(self._stream(answer, connection))

    def _begin(self) -> None:
        now = time.monotonic()
        self.board.begin(self.number, now)
        self.health.since = now

    def _end(self) -> None:
        health = self.health
        with health.lock:
            health.since = 0.0
        self.board.end(self.number)
        if health.accepted:
            taken, health.accepted = health.accepted, []
            for client in taken:
                self._adopt_soon(client)

    async def _stream(self, answer: Answer, connection: Connection) -> None:
        """Send each piece when user code yields it, no faster than the client takes them."""
        pieces: Any = iter(answer.body)  # type: ignore[arg-type]
        started = complete = False
        failure: Answer | None = None
        try:
            while connection.alive:
                piece = self._next_piece(pieces)
                if piece is None:
                    complete = True
                    break
                if not started:
                    connection.begin(answer)
                    started = True
                connection.chunk(piece)
                await asyncio.sleep(0)
                await connection.drained()
        except Exception as error:
            traceback.print_exc()
            failure = Answer(last_line(error), "text/plain", 500)
        finally:
            if hasattr(pieces, "close"):
                pieces.close()
            self.streaming = False
        if failure is not None and not started:
            connection.respond(failure)
        else:
            if not started:
                connection.begin(answer)
            connection.finish_stream(answer, complete)
        while self.waiting and not self.streaming:
            self._answer(*self.waiting.popleft())

    def _next_piece(self, pieces: Any) -> bytes | None:
        self._begin()
        try:
            piece = next(pieces, None)
        finally:
            self._end()
        return piece.encode("utf-8") if isinstance(piece, str) else None if piece is None else bytes(piece)

    # -- connections --
    def _accept(self, listener: socket.socket) -> None:
        if self.board.is_ahead(self.number):
            self.loop.remove_reader(listener.fileno())
            self.loop.call_later(YIELD_SECONDS, self._listen_again, listener)
        else:
            self._take(listener)

    def _listen_again(self, listener: socket.socket) -> None:
        if not self.stopping:
            self._take(listener)
            self.loop.add_reader(listener.fileno(), self._accept, listener)

    def _take(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            print("Could not accept a connection: %s" % error, file=sys.stderr, flush=True)
            return
        client.setblocking(False)
        self._adopt_soon(client)

    def _adopt_soon(self, client: socket.socket) -> None:
        if client.family == socket.AF_INET:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._count(1)
        self.loop.create_task(self._adopt(client))

    async def _adopt(self, client: socket.socket) -> None:
        connection = Connection(self._handle, self._closed)
        try:
            await self.loop.connect_accepted_socket(lambda: connection, client)
            self.open.add(connection)
        except OSError:
            client.close()
            self._count(-1)

    def _closed(self, connection: Connection) -> None:
        self.open.discard(connection)
        self._count(-1)

    def _count(self, change: int) -> None:
        self.connections += change
        self.board.connected(self.number, self.connections)

    def idle_descriptors(self) -> list[int]:
        """Connections on which no request has begun; `health` calls this under its lock."""
        return [one.transport.get_extra_info("socket").fileno() for one in self.open if one.is_idle()]

    def may_accept_busy(self) -> bool:
        """Whether new connections are this worker's to take though it is busy: the others are busy too."""
        return not self.stopping and self.board.all_busy()

    # -- the end --
    def _stop(self) -> None:
        """Accept nothing more, answer what is here, end."""
        if self.stopping:
            return
        self.stopping = time.monotonic()
        for listener in self.sockets:
            self.loop.remove_reader(listener.fileno())
        self.loop.call_later(0.05, self._end_if_idle)

    def _end_if_idle(self) -> None:
        over = time.monotonic() - self.stopping > GRACE_SECONDS
        if over or not any(one.busy or one.buffer for one in self.open):
            self.loop.stop()
        else:
            self.loop.call_later(0.05, self._end_if_idle)

    def _tick(self) -> None:
        """A worker whose supervisor was killed must not keep the port."""
        if os.getppid() != self.parent:
            os._exit(1)
        self.loop.call_later(1.0, self._tick)


def last_line(error: BaseException) -> str:
    """The last line of an exception's traceback."""
    return traceback.format_exception_only(type(error), error)[-1].strip()


def new_loop() -> Any:
    """uvloop where the environment has it."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
