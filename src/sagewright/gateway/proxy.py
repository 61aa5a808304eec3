"""The front beside the gateway's port: a CONNECT proxy that answers AWS host names here, and the gateway over TLS.

`gateway/server.py` starts and stops a `Front` on its loop; `cli/assembly.py` makes it with `front_for`. One port takes
- a TLS hello: the gateway over https (`AWS_ENDPOINT_URL=https://localhost:PORT`);
- `CONNECT host:443`: AWS host names are answered with a certificate of the data directory's CA and piped to the gateway
  byte for byte, the SDK's telemetry hosts get an empty 200, others go by `egress.py`;
- `GET http://host/...`, as proxies get it, likewise; and a plain request, which goes to the gateway as it is.

Not covered: HTTP/2 to the proxy, proxy authentication, and WebSocket upgrades in `http://` proxy requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sagewright.core import log
from sagewright.gateway import egress as policy
from sagewright.gateway import relay
from sagewright.gateway.certificates import Authority
from sagewright.gateway.egress import Egress
from sagewright.gateway.relay import Head, Peer, Refused

if TYPE_CHECKING:
    from sagewright.core.config import Config

_TLS_HELLO = 0x16
_AUTHORITY = re.compile(r"(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9_.-]{1,253}))(?::([0-9]{1,5}))?")
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_TELEMETRY_CALLS = 1000


@dataclass(frozen=True)
class Limits:
    """connections: how many at once, further ones wait in the kernel's queue. Times in seconds."""

    connections: int = 1024
    head: float = 20.0
    handshake: float = 20.0
    dial: float = 15.0
    idle: float = 900.0
    grace: float = 2.0


def front_for(config: Config) -> Front:
    """The front of a server with these settings, on the port after the gateway's."""
    listed = tuple(name.lower().rstrip(".") for name in config.egress_allow)
    registries = policy.index_hosts() if config.egress == "registries" else frozenset()
    also = () if config.host in ("127.0.0.1", "localhost", "0.0.0.0", "::") else (config.host,)  # noqa: S104
    inside = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.host, config.host)  # noqa: S104
    return Front(config.host, config.port + 1, (inside, config.port), Authority(config.data_dir, also),
                 Egress(config.egress, listed, registries))


class Front:
    """One listening front. Port 0 takes a free port; `port` says which once it is started."""

    def __init__(self, host: str, port: int, gateway: tuple[str, int], authority: Authority, egress: Egress,
                 limits: Limits | None = None) -> None:
        self.host, self.port, self.gateway = host, port, gateway
        self._authority, self._egress, self._limits = authority, egress, limits or Limits()
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(self._limits.connections)
        self._local: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        """What HTTPS_PROXY is set to."""
        return f"http://{'127.0.0.1' if self.host in ('0.0.0.0', '::', 'localhost') else self.host}:{self.port}"

    async def start(self) -> None:
        """Listen."""
        self._local = self._authority.local_context()
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            self._listener = socket.create_server((self.host, self.port), family=family, backlog=1024)
        except OSError as error:
            raise OSError(error.errno, f"the TLS and CONNECT front cannot listen on {self.host}:{self.port}: "
                          f"{error.strerror}") from None
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._accepting = asyncio.create_task(self._accept(self._listener))

    async def stop(self) -> None:
        """Take no more connections, give those under way a moment, end them."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.gather(self._accepting, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()
        if self._connections:
            await asyncio.wait(self._connections, timeout=self._limits.grace)
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    # -- connections -----------------------------------------------------------------------------------------------
    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._room.acquire()
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as error:
                # Out of file descriptors, most likely: those in use will come free.
                self._room.release()
                log.warn("front cannot accept", error=error)
                await asyncio.sleep(0.1)
                continue
            except asyncio.CancelledError:
                self._room.release()
                raise
            task = asyncio.create_task(self._serve(connection))
            self._connections.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._connections.discard(task)
        self._room.release()
        if not task.cancelled() and task.exception() is not None:
            log.warn("front connection failed", error=repr(task.exception()))

    async def _serve(self, connection: socket.socket) -> None:
        peer: Peer | None = None
        broken = False
        try:
            connection.setblocking(False)
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            first = await _first_byte(connection, self._limits.head)
            if first is None:
                return
            secure = first == _TLS_HELLO
            peer = await _peer(connection, self._local if secure else None, self._limits.handshake)
            if secure:
                await self._to_gateway(peer)
            else:
                await self._plain(peer)
        except Refused as refusal:
            if peer is not None:
                await relay.answer(peer, refusal.status, refusal.text + "\n")
                await relay.linger(peer)
        except (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError):
            # The client went away, broke TLS or does not trust our CA: there is nobody to tell.
            if peer is not None:
                peer.writer.transport.abort()
                peer, broken = None, True
        finally:
            if peer is not None:
                await peer.close()
            elif not broken:
                connection.close()

    async def _plain(self, peer: Peer) -> None:
        """A connection that speaks HTTP: a proxy's client, or one of the gateway."""
        head = await relay.read_head(peer.reader, self._limits.head)
        if head is None:
            return
        if head.method == "CONNECT":
            await self._connect(peer, head)
        elif head.target.startswith("/") or head.target == "*":
            await self._to_gateway(peer, head.raw)
        else:
            await self._absolute(peer, head)

    async def _connect(self, peer: Peer, head: Head) -> None:
        host, port = _authority(head.target, 443)
        verdict = self._verdict(host, port)
        if verdict == policy.PASS:
            return await self._tunnel(peer, host, port)
        peer.writer.write(_ESTABLISHED)
        await peer.writer.drain()
        if peer.reader.at_eof():
            return None
        if port not in (80, self.gateway[1]):
            await peer.writer.start_tls(self._authority.context(host), ssl_handshake_timeout=self._limits.handshake)
        if verdict == policy.TELEMETRY:
            return await self._swallow(peer)
        return await self._to_gateway(peer)

    async def _absolute(self, peer: Peer, head: Head) -> None:
        """`GET http://host/path`. One request a connection, so that no later head needs rewriting."""
        try:
            parts = urlsplit(head.target)
        except ValueError:
            raise Refused(400, "The request does not name a URL.") from None
        if parts.scheme.lower() != "http" or not parts.netloc:
            raise Refused(400, "A proxy request must name an http:// URL, or use CONNECT.")
        host, port = _authority(parts.netloc.rpartition("@")[2], 80)
        origin = (parts.path or "/") + (f"?{parts.query}" if "?" in head.target else "")
        verdict = self._verdict(host, port)
        if verdict == policy.TELEMETRY:
            return await relay.answer(peer, 200)
        if verdict == policy.GATEWAY:
            return await self._to_gateway(peer, head.rewritten(origin, head.get("host") or parts.netloc))
        through = policy.upstream_for(host, "http", self.port)
        server = await self._dial(through.host, through.port) if through else await self._dial_checked(host, port)
        target, words = (head.target, through.authorization) if through else (origin, "")
        return await self._between(peer, server, head.rewritten(target, parts.netloc.rpartition("@")[2], words))

    def _verdict(self, host: str, port: int) -> str:
        """What becomes of a host. AWS hosts are served on any port, this machine only where this server is."""
        verdict, here = self._egress.decide(host), port in (self.gateway[1], self.port)
        if verdict == policy.REFUSE and here and policy.is_own_address(host):
            return policy.GATEWAY
        local = verdict == policy.GATEWAY and not policy.is_aws(host)
        if verdict == policy.REFUSE or (local and not here and port not in (80, 443)):
            raise self._refusal(host)
        return verdict

    def _refusal(self, host: str) -> Refused:
        return Refused(403, f"Sagewright's proxy does not pass {host} on: the setting egress is "
                       f'"{self._egress.policy}". Set egress to allow, or list the host in egress_allow.')

    # -- where the bytes go ----------------------------------------------------------------------------------------
    async def _to_gateway(self, peer: Peer, sent: bytes = b"") -> None:
        await self._between(peer, await self._dial(*self.gateway), sent)

    async def _between(self, peer: Peer, server: Peer, sent: bytes = b"") -> None:
        try:
            if sent:
                server.writer.write(sent)
                await server.writer.drain()
            await relay.relay(peer, server, self._limits.idle)
        finally:
            await server.close()

    async def _tunnel(self, peer: Peer, host: str, port: int) -> None:
        """A blind tunnel, through this machine's own proxy if it has one."""
        through = policy.upstream_for(host, "https", self.port)
        server = await self._dial_through(through, host, port) if through else await self._dial_checked(host, port)
        peer.writer.write(_ESTABLISHED)
        await self._between(peer, server)

    async def _swallow(self, peer: Peer) -> None:
        """Answer telemetry: whatever is asked, an empty 200."""
        for _ in range(_TELEMETRY_CALLS):
            head = await relay.read_head(peer.reader, self._limits.head)
            if head is None:
                return
            length = head.get("content-length")
            known = not head.get("transfer-encoding") and (not length or length.isdecimal())
            left = int(length or 0) if known else 0
            while left > 0 and (data := await peer.reader.read(min(left, relay.BLOCK))):
                left -= len(data)
            keep = known and head.version == "HTTP/1.1" and head.get("connection").lower() != "close"
            await relay.answer(peer, 200, keep=keep)
            if not keep:
                return

    async def _dial(self, host: str, port: int, secure: bool = False) -> Peer:
        try:
            async with asyncio.timeout(self._limits.dial):
                return Peer(*await asyncio.open_connection(host, port, limit=relay.LONGEST_HEAD, ssl=secure or None))
        except TimeoutError:
            raise Refused(504, f"{host}:{port} did not answer in time.") from None
        except (OSError, UnicodeError) as error:
            raise Refused(502, f"{host}:{port} cannot be reached: {error}.") from None

    async def _dial_checked(self, host: str, port: int) -> Peer:
        """Dial a host by an address that is not this machine's own."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._limits.dial):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, TimeoutError, UnicodeError) as error:
            raise Refused(502, f"{host} cannot be resolved: {error}.") from None
        addresses = [str(one[4][0]) for one in found if self._egress.may_connect(host, str(one[4][0]))]
        if not addresses:
            raise self._refusal(host)
        failure: Refused | None = None
        for address in addresses[:4]:
            try:
                return await self._dial(address, port)
            except Refused as refusal:
                failure = refusal
        assert failure is not None
        raise failure

    async def _dial_through(self, through: policy.Upstream, host: str, port: int) -> Peer:
        name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        words = f"Proxy-Authorization: {through.authorization}\r\n" if through.authorization else ""
        server = await self._dial(through.host, through.port, through.secure)
        try:
            server.writer.write(f"CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n{words}\r\n".encode())
            async with asyncio.timeout(self._limits.dial):
                said = await server.reader.readuntil(b"\r\n\r\n")
            status = said.split(b"\r\n", 1)[0].decode("latin-1")
            if status.split(" ")[1:2] != ["200"]:
                raise Refused(502, f"The proxy that this machine uses refused {name}: {status}.")
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            await server.close()
            raise Refused(502, f"The proxy that this machine uses did not open {name}.") from None
        except Refused:
            await server.close()
            raise
        return server


def _authority(text: str, default: int) -> tuple[str, int]:
    """Lower-case host and port of `host:port`; Refused if it is none."""
    found = _AUTHORITY.fullmatch(text)
    port = int(found[3] or default) if found else 0
    if found is None or not 0 < port < 65536:
        raise Refused(400, "The request does not name a host and port.")
    return (found[1] or found[2]).lower().rstrip("."), port


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _first_byte(connection: socket.socket, patience: float) -> int | None:
    """The first byte a client sends, left in the socket; None if it sends none."""
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()
    # A duplicate is watched, because uvloop ties a descriptor that it watched to that watcher.
    probe = connection.dup()
    loop.add_reader(probe, _settle, readable)
    try:
        async with asyncio.timeout(patience):
            await readable
    except TimeoutError:
        return None
    finally:
        loop.remove_reader(probe)
        probe.close()
    first = connection.recv(1, socket.MSG_PEEK)
    return first[0] if first else None


async def _peer(connection: socket.socket, context: ssl.SSLContext | None, patience: float) -> Peer:
    """Streams over an accepted socket, after the TLS handshake if there is a context."""
    loop = asyncio.get_running_loop()
    made: asyncio.Future[Peer] = loop.create_future()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.set_result(Peer(reader, writer))

    def protocol() -> asyncio.StreamReaderProtocol:
        # The callback is also what tells `start_tls` that this is the server's side.
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(limit=relay.LONGEST_HEAD), connected)

    await loop.connect_accepted_socket(protocol, connection, ssl=context,
                                       ssl_handshake_timeout=patience if context else None)
    return await made
