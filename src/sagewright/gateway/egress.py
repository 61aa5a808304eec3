"""Which hosts the proxy answers itself, which it passes on, and which it refuses: the setting `egress`.

`gateway/proxy.py` asks `Egress.decide` for every host a client names. Programs behind the proxy include sandboxed jobs,
so this machine's own loopback and link-local addresses are never passed on unless they are listed, whatever the policy.
"""

from __future__ import annotations

import base64
import configparser
import contextlib
import ipaddress
import os
import sys
import tomllib
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

GATEWAY, TELEMETRY, PASS, REFUSE = "gateway", "telemetry", "pass", "refuse"
POLICIES = ("refuse", "registries", "allow")

# Where AWS's services, and nothing but them, have their names.
AWS_SUFFIXES = ("amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "api.aws", "sagemaker.aws", "on.aws")
_TELEMETRY = ("sm-pysdk-t-", "dev-exp-t-")
_INDEXES = ("pypi.org", "files.pythonhosted.org")
_INDEX_VARIABLES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX",
                    "UV_INDEX")
_INDEX_SETTINGS = ("index-url", "extra-index-url")


@dataclass(frozen=True)
class Egress:
    """policy: refuse, registries or allow. allow: host names that always pass; `.example.com` stands for all below it.

    An allow entry may also name an AWS host: then the real one is reached instead of this gateway.
    registries: the hosts that "registries" passes, see `index_hosts`.
    """

    policy: str = "refuse"
    allow: tuple[str, ...] = ()
    registries: frozenset[str] = frozenset()

    def decide(self, host: str) -> str:
        """GATEWAY, TELEMETRY, PASS or REFUSE for a lower-case host name or address."""
        if is_aws(host) and not any(_covers(name, host) and is_aws(name.lstrip(".")) for name in self.allow):
            return TELEMETRY if host.startswith(_TELEMETRY) else GATEWAY
        if host == "localhost" or host.endswith(".localhost"):
            return GATEWAY
        if self._listed(host):
            return PASS
        if is_own_address(host) or host == "":
            return REFUSE
        if self.policy == "allow" or (self.policy == "registries" and host in self.registries):
            return PASS
        return REFUSE

    def may_connect(self, host: str, address: str) -> bool:
        """May a passed host be dialled at that address? A name must not lead to this machine unless it is listed."""
        return self._listed(host) or not is_own_address(address)

    def _listed(self, host: str) -> bool:
        return any(_covers(name, host) for name in self.allow)


def _covers(name: str, host: str) -> bool:
    return host == name or (name.startswith(".") and host.endswith(name))


def is_aws(host: str) -> bool:
    """Does that host name belong to an AWS service?"""
    return any(host == suffix or host.endswith("." + suffix) for suffix in AWS_SUFFIXES)


def is_own_address(host: str) -> bool:
    """Is that a literal address of this machine or its link (loopback, unspecified, link-local and cloud metadata)?"""
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    return address.is_loopback or address.is_unspecified or address.is_link_local or address.is_multicast


def index_hosts(environment: Mapping[str, str] | None = None, home: Path | None = None) -> frozenset[str]:
    """The hosts of the package indexes that pip and uv are configured to use on this machine."""
    environment = os.environ if environment is None else environment
    home = Path.home() if home is None else home
    urls = [word for variable in _INDEX_VARIABLES for word in environment.get(variable, "").split()]
    for path in _pip_files(environment, home):
        urls += _pip_urls(path)
    for path in _uv_files(environment, home):
        urls += _uv_urls(path)
    # UV_INDEX and pip may name an index as `name=url`.
    hosts = {urlsplit(url.partition("=")[2] if "=" in url.partition("://")[0] else url).hostname for url in urls}
    return frozenset({host.lower() for host in hosts if host} | set(_INDEXES))


def _pip_files(environment: Mapping[str, str], home: Path) -> Iterator[Path]:
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    yield from (Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"), home / ".pip/pip.conf", config / "pip/pip.conf",
                Path(sys.prefix) / "pip.conf")
    if environment.get("PIP_CONFIG_FILE"):
        yield Path(environment["PIP_CONFIG_FILE"])


def _pip_urls(path: Path) -> list[str]:
    parser = configparser.RawConfigParser(strict=False)
    with contextlib.suppress(OSError, configparser.Error, UnicodeDecodeError):
        parser.read_string(path.read_text())
    return [url for section in parser.sections() for name in _INDEX_SETTINGS
            for url in parser.get(section, name, fallback="").split()]


def _uv_files(environment: Mapping[str, str], home: Path) -> Iterator[Path]:
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    yield from (Path("/etc/uv/uv.toml"), config / "uv/uv.toml")
    if environment.get("UV_CONFIG_FILE"):
        yield Path(environment["UV_CONFIG_FILE"])


def _uv_urls(path: Path) -> list[str]:
    try:
        settings = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return []
    urls: list[str] = []
    for table in (settings, settings.get("pip")):
        if isinstance(table, dict):
            urls += _texts(table.get(name) for name in _INDEX_SETTINGS)
            indexes = table.get("index")
            urls += _texts(one.get("url") for one in indexes if isinstance(one, dict)) \
                if isinstance(indexes, list) else []
    return urls


def _texts(values: Iterable[Any]) -> list[str]:
    flat = [one for value in values for one in (value if isinstance(value, list) else [value])]
    return [one for one in flat if isinstance(one, str)]


@dataclass(frozen=True)
class Upstream:
    """A proxy that this machine itself must use to get out. `authorization` is the header value, empty without one."""

    host: str
    port: int
    secure: bool = False
    authorization: str = ""


def upstream_for(host: str, scheme: str, own_port: int) -> Upstream | None:
    """The proxy that the environment sets for that host, unless that is this proxy itself."""
    # getproxies_environment reads both spellings; it is what urllib and requests go by.
    url = urllib.request.getproxies_environment().get(scheme, "")
    if not url or urllib.request.proxy_bypass_environment(host):  # type: ignore[attr-defined]
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
    if not parts.hostname or parts.scheme not in ("http", "https"):
        return None
    local = parts.hostname == "localhost" or is_own_address(parts.hostname)
    if local and port == own_port:
        return None
    words = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
    authorization = "Basic " + base64.b64encode(words.encode()).decode() if words else ""
    return Upstream(parts.hostname, port, parts.scheme == "https", authorization)
