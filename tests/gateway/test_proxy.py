"""The front: real clients (boto3, urllib, requests, curl, wget, raw sockets) through it to a real server behind it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import http.client
import http.server
import importlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sagewright.gateway import certificates, proxy
from sagewright.gateway.certificates import Authority
from sagewright.gateway.egress import Egress
from sagewright.gateway.proxy import Front, Limits

IDENTITY = (b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
            b"<Arn>arn:aws:iam::123456789012:root</Arn><UserId>1</UserId><Account>123456789012</Account>"
            b"</GetCallerIdentityResult></GetCallerIdentityResponse>")


class Gateway(http.server.BaseHTTPRequestHandler):
    """What stands behind the front: answers STS, and says of other requests how they arrived."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    seen: list[str] = []

    def do_GET(self) -> None:
        digest, size, left = hashlib.sha256(), 0, int(self.headers.get("Content-Length") or 0)
        while left > 0 and (block := self.rfile.read(min(left, 1 << 16))):
            digest.update(block)
            size, left = size + len(block), left - len(block)
        self.seen.append(self.headers.get("Host", ""))
        if self.headers.get("Host", "").startswith("sts."):
            answer = IDENTITY
        elif self.path.startswith("/big"):
            answer = bytes(int(self.path.rpartition("=")[2]))
        else:
            answer = json.dumps({"method": self.command, "path": self.path, "host": self.headers.get("Host"),
                                 "names": sorted(name.lower() for name in self.headers), "size": size,
                                 "sha256": digest.hexdigest()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_PUT = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the tests ask the answers."""


class Running:
    """A front on an event loop in a thread of its own."""

    def __init__(self, data: Path, gateway: tuple[str, int], egress: Egress, limits: Limits, uvloop: bool) -> None:
        self.data = data
        self.loop = importlib.import_module("uvloop").new_event_loop() if uvloop else asyncio.new_event_loop()
        self.front = Front("127.0.0.1", 0, gateway, Authority(data), egress, limits)
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.do(self.front.start())

    def do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def stop(self) -> None:
        self.do(self.front.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return {**kept, "HOME": str(self.data), "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s",
                "AWS_EC2_METADATA_DISABLED": "true", "PYTHONDONTWRITEBYTECODE": "1",
                **certificates.proxy_environment(self.data, self.front.url)}

    def open(self, url: str, data: bytes | None = None) -> Any:
        trust = ssl.create_default_context(cafile=self.environment["SSL_CERT_FILE"])
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({"http": self.front.url, "https": self.front.url}),
            urllib.request.HTTPSHandler(context=trust))
        return opener.open(url, data, timeout=20)

    def raw(self, sent: bytes) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.front.port), timeout=20)
        connection.sendall(sent)
        return connection


@pytest.fixture
def gateway() -> Iterator[tuple[str, int]]:
    Gateway.seen.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield ("127.0.0.1", server.server_address[1])
    server.shutdown()
    server.server_close()


Start = Callable[..., Running]


@pytest.fixture(params=["asyncio", "uvloop"])
def start(request: pytest.FixtureRequest, gateway: tuple[str, int], tmp_path: Path,
          monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    for name in [*os.environ]:
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    with contextlib.ExitStack() as running:
        def make(policy: str = "refuse", allow: tuple[str, ...] = (), limits: Limits | None = None) -> Running:
            one = Running(tmp_path, gateway, Egress(policy, allow), limits or Limits(grace=0.2),
                          request.param == "uvloop")
            running.callback(one.stop)
            return one
        yield make


def eventually(claim: Callable[[], bool], seconds: float = 20) -> bool:
    """Does that become true within bounded time?"""
    end = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > end:
            return False
        threading.Event().wait(0.01)
    return True


def everything(connection: socket.socket) -> bytes:
    parts = []
    with connection:
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


# -- AWS host names -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("uvloop", [False, True])
def test_boto3_reaches_a_hard_coded_sts_host_by_environment_alone(gateway: tuple[str, int], tmp_path: Path,
                                                                  uvloop: bool) -> None:
    running = Running(tmp_path, gateway, Egress("refuse"), Limits(grace=0.2), uvloop)
    code = ("import boto3; c = boto3.client('sts', region_name='us-west-2',"
            "endpoint_url='https://sts.us-west-2.amazonaws.com'); print(c.get_caller_identity()['Account'])")
    ran = subprocess.run([sys.executable, "-c", code], env=running.environment, capture_output=True, text=True,
                         check=False, timeout=60)
    running.stop()
    assert ran.stdout.strip() == "123456789012", ran.stderr[-2000:]
    assert Gateway.seen == ["sts.us-west-2.amazonaws.com"]


@pytest.mark.parametrize("host", ["bucket.s3.us-west-2.amazonaws.com", "s3.amazonaws.com", "bucket.localhost",
                                  "dotted.bucket.name.s3.amazonaws.com", "b.s3-us-west-2.amazonaws.com"])
def test_https_requests_arrive_byte_for_byte(start: Start, host: str) -> None:
    got = json.load(start().open(f"https://{host}/a%2Fb//c?x=%20&y", b"body"))
    assert (got["method"], got["path"], got["host"], got["size"]) == ("POST", "/a%2Fb//c?x=%20&y", host, 4)


def test_plain_http_proxy_requests_become_origin_requests(start: Start) -> None:
    got = json.load(start().open("http://bucket.s3.amazonaws.com/key%20a?versions", b"x" * 99999))
    assert (got["path"], got["host"], got["size"]) == ("/key%20a?versions", "bucket.s3.amazonaws.com", 99999)
    assert not {"proxy-connection", "proxy-authorization"} & set(got["names"])


def test_a_connect_to_port_80_carries_plain_http(start: Start) -> None:
    connection = start().raw(b"CONNECT s3.amazonaws.com:80 HTTP/1.1\r\n\r\n")
    assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
    connection.sendall(b"GET /k HTTP/1.1\r\nHost: s3.amazonaws.com\r\nConnection: close\r\n\r\n")
    assert b'"path": "/k"' in everything(connection)


def test_one_connection_carries_many_requests(start: Start) -> None:
    running = start()
    trust = ssl.create_default_context(cafile=running.environment["SSL_CERT_FILE"])
    client = http.client.HTTPSConnection("127.0.0.1", running.front.port, context=trust, timeout=20)
    client.set_tunnel("api.sagemaker.us-west-2.amazonaws.com", 443)
    for at in range(50):
        client.request("POST", f"/{at}", bytes(at * 1000))
        got = json.loads(client.getresponse().read())
        assert (got["path"], got["size"]) == (f"/{at}", at * 1000)
    client.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_large_bodies_pass_both_ways_whole(start: Start, scheme: str) -> None:
    running, body = start(), os.urandom(1 << 20) * 24
    got = json.load(running.open(f"{scheme}://b.s3.amazonaws.com/k", body))
    assert (got["size"], got["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
    with running.open(f"{scheme}://b.s3.amazonaws.com/big={len(body)}") as answer:
        assert len(answer.read()) == len(body)


def test_many_clients_at_once_get_their_own_answers(start: Start) -> None:
    running, got = start(), {}

    def ask(at: int) -> None:
        got[at] = json.load(running.open(f"https://h{at % 7}.s3.amazonaws.com/{at}"))["path"]
    threads = [threading.Thread(target=ask, args=(at,)) for at in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert got == {at: f"/{at}" for at in range(40)}


@pytest.mark.parametrize(("program", "arguments"), [("curl", ["-sS"]), ("wget", ["-q", "-O", "-"])])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_command_line_clients_trust_and_use_it(start: Start, program: str, arguments: list[str], scheme: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    ran = subprocess.run([program, *arguments, f"{scheme}://bucket.s3.amazonaws.com/data.csv"], check=False, timeout=60,
                         env=start().environment, capture_output=True)
    assert json.loads(ran.stdout or b"{}").get("path") == "/data.csv", ran.stderr


def test_requests_trusts_and_uses_it(start: Start) -> None:
    requests = pytest.importorskip("requests", reason="requests is not installed")
    running = start()
    got = requests.get("https://b.s3.amazonaws.com/k", proxies={"https": running.front.url}, timeout=20,
                       verify=running.environment["REQUESTS_CA_BUNDLE"]).json()
    assert got["host"] == "b.s3.amazonaws.com"


@pytest.mark.parametrize("prefix", ["sm-pysdk-t-us-west-2.s3.us-west-2", "dev-exp-t-eu-west-1.s3.eu-west-1"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_telemetry_is_answered_without_the_gateway(start: Start, scheme: str, prefix: str) -> None:
    running = start()
    for body in (None, b"x" * 1000):
        with running.open(f"{scheme}://{prefix}.amazonaws.com/telemetry?x-status=1", body) as answer:
            assert (answer.status, answer.read()) == (200, b"")
    assert Gateway.seen == []


# -- the gateway itself ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "bucket.localhost", "s3.amazonaws.com"])
def test_the_gateway_is_served_over_tls_directly(start: Start, name: str) -> None:
    running = start()
    trust = ssl.create_default_context(cafile=str(certificates.ensure_ca(running.data)))
    plain = socket.create_connection(("127.0.0.1", running.front.port), timeout=20)
    with trust.wrap_socket(plain, server_hostname=name) as connection:
        connection.sendall(f"GET /direct HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        assert b'"path": "/direct"' in connection.recv(65536) + connection.recv(65536)


def test_boto3_uses_the_tls_port_as_its_endpoint(start: Start) -> None:
    import boto3
    from botocore.config import Config
    running = start()
    client = boto3.client("sagemaker", "us-west-2", endpoint_url=f"https://localhost:{running.front.port}",
                          verify=running.environment["AWS_CA_BUNDLE"], aws_access_key_id="a", aws_secret_access_key="b",
                          config=Config(retries={"max_attempts": 0}))
    answer = client.list_models()
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert Gateway.seen == [f"localhost:{running.front.port}"]


def test_a_plain_request_to_the_front_goes_to_the_gateway(start: Start) -> None:
    got = json.load(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
        f"http://127.0.0.1:{start().front.port}/plain", timeout=20))
    assert got["path"] == "/plain"


def test_the_gateway_may_be_named_by_address_through_the_proxy(start: Start, gateway: tuple[str, int]) -> None:
    got = json.load(start().open(f"http://127.0.0.1:{gateway[1]}/by-address"))
    assert got["path"] == "/by-address"


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        front = Front("127.0.0.1", port, ("127.0.0.1", 1), Authority(tmp_path), Egress())
        with pytest.raises(OSError, match=f"front cannot listen on 127.0.0.1:{port}"):
            asyncio.run(front.start())


def test_a_gateway_that_is_down_is_said_to_be(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    running = Running(tmp_path, ("127.0.0.1", free), Egress(), Limits(grace=0.2), uvloop=False)
    assert everything(running.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 502 ")
    running.stop()


# -- other hosts ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("request_line", [b"CONNECT example.org:443", b"GET http://example.org/", b"CONNECT [::1]:443",
                                          b"CONNECT localhost:22", b"GET http://127.0.0.1:9/",
                                          b"CONNECT 169.254.169.254:80"])
def test_other_hosts_are_refused_with_the_name_of_the_setting(start: Start, request_line: bytes) -> None:
    answer = everything(start().raw(request_line + b" HTTP/1.1\r\n\r\n"))
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n") and b"egress" in answer.partition(b"\r\n\r\n")[2]


class Echo:
    """A TCP server that sends back what it got once the client has finished sending."""

    def __enter__(self) -> int:
        self._server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        return int(self._server.getsockname()[1])

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                got = b""
                while part := connection.recv(65536):
                    got += part
                connection.sendall(b"echo " + got)
                connection.close()

    def __exit__(self, *_: object) -> None:
        self._server.close()


def test_a_listed_host_is_tunnelled_blindly_with_half_close(start: Start) -> None:
    with Echo() as port:
        connection = start(allow=("127.0.0.1",)).raw(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode())
        assert connection.recv(1000) == proxy._ESTABLISHED
        connection.sendall(b"\x16 not tls at all")
        connection.shutdown(socket.SHUT_WR)
        assert everything(connection) == b"echo \x16 not tls at all"


def test_a_listed_host_gets_plain_http_as_an_origin_would(start: Start, gateway: tuple[str, int]) -> None:
    got = json.load(start(allow=("127.0.0.1",)).open(f"http://127.0.0.1:{gateway[1]}/far?a=1"))
    assert (got["path"], got["host"]) == ("/far?a=1", f"127.0.0.1:{gateway[1]}")


def test_a_name_that_resolves_to_this_machine_is_refused(start: Start) -> None:
    answer = everything(start("allow").raw(b"CONNECT 127.1:443 HTTP/1.1\r\n\r\n"))
    assert answer.startswith(b"HTTP/1.1 403 ")


def test_a_passed_host_that_does_not_exist_is_a_bad_gateway(start: Start) -> None:
    answer = everything(start("allow").raw(b"CONNECT nowhere.invalid:443 HTTP/1.1\r\n\r\n"))
    assert answer.startswith(b"HTTP/1.1 502 ") and b"nowhere.invalid" in answer


def test_the_machines_own_proxy_is_gone_through(start: Start, monkeypatch: pytest.MonkeyPatch,
                                                gateway: tuple[str, int]) -> None:
    # The outer proxy is a front too: it knows the name, and may reach the stand-in behind it.
    outer, inner = start(), start(allow=("registry.localtest", "sts.amazonaws.com"))
    monkeypatch.setenv("HTTPS_PROXY", outer.front.url)
    connection = inner.raw(b"CONNECT sts.amazonaws.com:443 HTTP/1.1\r\n\r\n")
    assert connection.recv(1000) == proxy._ESTABLISHED
    trust = ssl.create_default_context(cafile=str(certificates.ensure_ca(outer.data)))
    with trust.wrap_socket(connection, server_hostname="sts.amazonaws.com") as secure:
        secure.sendall(b"GET / HTTP/1.1\r\nHost: sts.amazonaws.com\r\nConnection: close\r\n\r\n")
        assert b"200 OK" in secure.recv(65536)
    answer = everything(inner.raw(b"CONNECT registry.localtest:443 HTTP/1.1\r\n\r\n"))
    assert answer.startswith(b"HTTP/1.1 502 ") and b"HTTP/1.1 403 Forbidden" in answer


# -- bad clients ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("sent", "status"), [
    (b"\r\n\r\n", b"400"), (b"HELLO\r\n\r\n", b"400"), (b"GET / HTTP/2.0\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", b"400"), (b"GET / HTTP/1.1\r\nA : b\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\n folded: b\r\n\r\n", b"400"), (b"CONNECT HTTP/1.1\r\n\r\n", b"400"),
    (b"CONNECT host:0 HTTP/1.1\r\n\r\n", b"400"), (b"CONNECT host:99999 HTTP/1.1\r\n\r\n", b"400"),
    (b"CONNECT a@b:443 HTTP/1.1\r\n\r\n", b"400"), (b"GET ftp://x/ HTTP/1.1\r\n\r\n", b"400"),
    (b"GET https://x/ HTTP/1.1\r\n\r\n", b"400"), (b"GET http:// HTTP/1.1\r\n\r\n", b"400"),
    (b"GET http://[::1/ HTTP/1.1\r\n\r\n", b"400"), (b"CONNECT \xff\xfe:443 HTTP/1.1\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\nA: " + b"b" * 200000 + b"\r\n\r\n", b"431"), (b"\x00" * 100000, b"431"),
    (b"CONNECT " + b"a" * 300 + b":443 HTTP/1.1\r\n\r\n", b"400")])
def test_what_is_no_request_is_refused_shortly(start: Start, sent: bytes, status: bytes) -> None:
    connection = start().raw(b"")
    with contextlib.suppress(ConnectionError):
        connection.sendall(sent)
    answer = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            answer += part
    connection.close()
    assert answer.split(b" ")[:2] == [b"HTTP/1.1", status]


def test_a_slow_head_is_given_up(start: Start) -> None:
    running = start(limits=Limits(head=0.2, grace=0.2))
    assert everything(running.raw(b"GET / HTTP/1.1\r\n")).startswith(b"HTTP/1.1 408 ")
    assert everything(running.raw(b"")) == b""


def test_a_client_that_shows_no_tls_after_connect_is_given_up(start: Start) -> None:
    running = start(limits=Limits(handshake=0.3, grace=0.2))
    connection = running.raw(b"CONNECT s3.amazonaws.com:443 HTTP/1.1\r\n\r\n")
    assert everything(connection) == proxy._ESTABLISHED
    broken = running.raw(b"CONNECT s3.amazonaws.com:443 HTTP/1.1\r\n\r\n")
    broken.recv(1000)
    broken.sendall(b"GET / HTTP/1.1\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        assert b"HTTP" not in everything(broken)
    assert eventually(lambda: not running.front._connections)


def test_an_idle_connection_is_given_up(start: Start) -> None:
    running = start(limits=Limits(idle=0.2, grace=0.2))
    connection = running.raw(b"CONNECT s3.amazonaws.com:80 HTTP/1.1\r\n\r\n")
    assert everything(connection) == proxy._ESTABLISHED


def test_connections_are_bounded_and_later_ones_wait_their_turn(start: Start) -> None:
    running = start(limits=Limits(connections=2, grace=0.2))
    held = [running.raw(b"GET") for _ in range(2)]
    assert eventually(lambda: len(running.front._connections) == 2)
    waiting = running.raw(b"GET /turn HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    waiting.settimeout(0.3)
    with pytest.raises(TimeoutError):
        waiting.recv(1)
    held[0].close()
    waiting.settimeout(20)
    assert b'"path": "/turn"' in everything(waiting)
    held[1].close()


def test_clients_that_vanish_leave_nothing_behind(start: Start) -> None:
    running = start(limits=Limits(handshake=1, grace=0.2))
    for sent in (b"", b"GET", b"\x16", b"\x16\x03\x01", b"CONNECT s3.amazonaws.com:443 HTTP/1.1\r\n\r\n",
                 b"POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\nx"):
        running.raw(sent).close()
    # Connections are taken in order: once this one is answered, those before it were taken too.
    assert json.load(running.open("https://s3.amazonaws.com/still"))["path"] == "/still"
    assert eventually(lambda: not running.front._connections)


def test_stopping_ends_open_tunnels_and_frees_the_port(start: Start) -> None:
    running = start()
    connection = running.raw(b"CONNECT s3.amazonaws.com:80 HTTP/1.1\r\n\r\n")
    assert connection.recv(1000) == proxy._ESTABLISHED
    running.do(running.front.stop())
    assert everything(connection) == b""
    with pytest.raises(ConnectionRefusedError):
        running.raw(b"")


def test_the_settings_make_a_front_on_the_next_port(tmp_path: Path) -> None:
    from sagewright.core.config import Config
    front = proxy.front_for(Config(data_dir=tmp_path, port=5000, egress="registries", egress_allow=("Listed.Org.",)))
    assert (front.port, front.gateway, front.url) == (5001, ("127.0.0.1", 5000), "http://127.0.0.1:5001")
    assert [front._egress.decide(host) for host in ("pypi.org", "listed.org", "example.org")] == \
        ["pass", "pass", "refuse"]
