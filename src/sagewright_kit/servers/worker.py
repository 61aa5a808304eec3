"""One worker: one process, one copy of the model, one request at a time.

Called by `supervisor` after fork. User code runs in the main thread, where it may do all that a script may; the
event loop runs in a second thread, so that /ping is answered while a prediction takes its time. Workers share the
listening sockets; one that has more connections than another lets the other accept first.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import signal
import socket
import sys
import threading
import time
import traceback
from typing import Any

from sagewright_kit.servers.front import Answer, Front, Request
from sagewright_kit.servers.http import Connection

QUEUE = int(os.environ.get("SAGEMAKER_MODEL_JOB_QUEUE_SIZE") or 100)
YIELD_SECONDS = 0.002
GRACE_SECONDS = 25.0


class Worker:
    """The worker number `number`; `board` is shared with the others."""

    def __init__(self, front: Front, sockets: list[socket.socket], board: Any, number: int) -> None:
        self.front, self.sockets, self.board, self.number = front, sockets, board, number
        self.jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.waiting = 0
        self.stopping = False
        self.loop: Any = None
        self.parent = os.getppid()

    def run(self) -> None:
        """Load the model, serve until SIGTERM."""
        signal.signal(signal.SIGTERM, lambda *_: self.jobs.put(None))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.front.load()
        self.loop = new_loop()
        thread = threading.Thread(target=self._run_loop, daemon=True)
        thread.start()
        self.board.ready(self.number)
        while True:
            job = self.jobs.get()
            if job is None:
                break
            self._answer(*job)
        self._drain()

    # -- the main thread: user code --
    def _answer(self, request: Request, connection: Connection) -> None:
        self.board.begin(self.number)
        try:
            if request.path == "/execution-parameters":
                answer = self.front.execution_parameters()
            else:
                answer = self.front.invoke(request)
            if not isinstance(answer.body, (bytes, bytearray, memoryview)):
                self._stream(answer, connection)
                return
        except Exception as error:
            traceback.print_exc()
            answer = Answer(last_line(error), "text/plain", 500)
        finally:
            self.board.end(self.number)
        self._call(self._respond, connection, answer)

    def _stream(self, answer: Answer, connection: Connection) -> None:
        """Send each piece when user code yields it, no faster than the client takes them."""
        pieces = iter(answer.body)  # type: ignore[arg-type]
        started = complete = False
        try:
            for piece in pieces:
                if not started:
                    self._call(connection.begin, answer)
                    started = True
                data = piece.encode("utf-8") if isinstance(piece, str) else bytes(piece)
                connection.writable.wait()
                if not connection.alive:
                    break
                self._call(connection.chunk, data)
            complete = True
        except Exception as error:
            traceback.print_exc()
            if not started:
                self._call(self._respond, connection, Answer(last_line(error), "text/plain", 500))
                return
        finally:
            close = getattr(pieces, "close", None)
            if close:
                close()
        if not started:
            self._call(connection.begin, answer)
        self._call(self._end, connection, answer, complete)

    def _call(self, function: Any, *arguments: Any) -> None:
        self.loop.call_soon_threadsafe(function, *arguments)

    def _drain(self) -> None:
        """Answer what was taken on, accept nothing more, end."""
        self.stopping = True
        deadline = time.monotonic() + GRACE_SECONDS
        while self.waiting and time.monotonic() < deadline:
            try:
                job = self.jobs.get(timeout=0.1)
            except queue.Empty:
                continue
            if job is not None:
                self._answer(*job)
        written = threading.Event()
        self._call(written.set)
        written.wait(1)
        sys.stdout.flush()
        sys.stderr.flush()
        # User code may have left threads that would keep the process.
        os._exit(0)

    # -- the loop's thread: connections --
    def _run_loop(self) -> None:
        asyncio.set_event_loop(self.loop)
        for listener in self.sockets:
            self.loop.add_reader(listener.fileno(), self._accept, listener)
        self._watch_parent()
        self.loop.run_forever()

    def _watch_parent(self) -> None:
        """A worker whose supervisor was killed must not keep the port."""
        if os.getppid() != self.parent:
            os._exit(1)
        self.loop.call_later(1.0, self._watch_parent)

    def _accept(self, listener: socket.socket) -> None:
        if self.stopping:
            self.loop.remove_reader(listener.fileno())
            return
        if self.board.is_ahead(self.number):
            self.loop.remove_reader(listener.fileno())
            self.loop.call_later(YIELD_SECONDS, self._listen_again, listener)
            return
        self._take(listener)

    def _listen_again(self, listener: socket.socket) -> None:
        self._take(listener)
        if not self.stopping:
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
        if client.family == socket.AF_INET:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.board.connected(self.number, 1)
        self.loop.create_task(self._adopt(client))

    async def _adopt(self, client: socket.socket) -> None:
        try:
            await self.loop.connect_accepted_socket(lambda: Connection(self._handle, self._closed), client)
        except OSError:
            client.close()
            self._closed()

    def _closed(self) -> None:
        self.board.connected(self.number, -1)

    def _handle(self, request: Request, connection: Connection) -> None:
        """Answer at once what needs no user code; queue the rest, or say that there is too much of it."""
        path = request.path
        if path == "/invocations" and request.method == "POST":
            pass
        elif path == "/ping":
            connection.respond(self.front.ping)
            return
        elif path == "/execution-parameters" and request.method == "GET":
            pass
        elif path in ("/invocations", "/execution-parameters"):
            connection.respond(Answer("Method Not Allowed", "text/plain", 405))
            return
        else:
            connection.respond(Answer("Not Found", "text/plain", 404))
            return
        if self.waiting >= QUEUE or self.stopping:
            connection.respond(Answer("The model server's queue is full", "text/plain", 503))
            return
        self.waiting += 1
        self.jobs.put((request, connection))

    def _respond(self, connection: Connection, answer: Answer) -> None:
        self.waiting -= 1
        connection.respond(answer)

    def _end(self, connection: Connection, answer: Answer, complete: bool) -> None:
        self.waiting -= 1
        connection.end(answer, complete)


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


def as_json(value: Any, status: int = 200) -> Answer:
    return Answer(json.dumps(value), "application/json", status)
