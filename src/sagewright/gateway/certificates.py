"""A certificate authority of one data directory, the host certificates it mints, and the bundle that clients trust.

`gateway/proxy.py` asks for TLS contexts by host name; the CLI and the engine put `proxy_environment` (and so the
`bundle`) into the environment of programs that shall reach AWS host names here. Everything lies under `<data>/tls`:
`ca.pem` and `ca-key.pem` (mode 0600), `bundle.pem`, `wgetrc`, and `hosts/` with one file per minted name.

`cryptography` is imported only when something has to be minted: it takes longer to load than the rest of the gateway.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import hashlib
import importlib.util
import ipaddress
import os
import re
import secrets
import ssl
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_DAY = 86400
CA_DAYS, LEAF_DAYS = 3650, 397
_RENEW_LEAF, _RENEW_CA = 300 * _DAY, 3200 * _DAY  # a minted leaf never outlives its authority
_MOST_ON_DISK, _MOST_IN_MEMORY = 1024, 256
_SYSTEM_ROOTS = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem",
                 "/etc/ssl/ca-bundle.pem", "/usr/local/etc/openssl/cert.pem")
_BUNDLE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.S)
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*")


def ensure_ca(data_dir: Path) -> Path:
    """The CA's certificate, made on first use; safe against concurrent starts and kill -9 at any time."""
    folder = data_dir / "tls"
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "ca.pem", folder / "ca-key.pem"
    with _locked(folder / ".lock"):
        if not (key.exists() and _is_fresh(certificate, _RENEW_CA)):
            key_pem, certificate_pem = _mint_ca()
            # The certificate comes last: where it is, its key is.
            certificate.unlink(missing_ok=True)
            _write(key, key_pem, 0o600)
            _write(certificate, certificate_pem, 0o644)
    return certificate


class Authority:
    """TLS contexts for host names, minted by the CA of one data directory and cached in memory and on disk.

    `also` names what the default certificate shall cover besides localhost: an address the server listens on.
    """

    def __init__(self, data_dir: Path, also: Iterable[str] = ()) -> None:
        self._folder = data_dir / "tls"
        self._data_dir = data_dir
        self._also = tuple(name for name in also if name)
        self._contexts: OrderedDict[str, tuple[float, ssl.SSLContext]] = OrderedDict()

    def context(self, host: str) -> ssl.SSLContext:
        """A server context with a certificate for that host (and its siblings, by wildcard)."""
        name, names = _names_for(host.lower())
        made, context = self._contexts.get(name, (0.0, None))
        if context is not None and time.time() - made < _DAY:
            self._contexts.move_to_end(name)
            return context
        context = self._load(name, names)
        self._contexts[name] = (time.time(), context)
        while len(self._contexts) > _MOST_IN_MEMORY:
            self._contexts.popitem(last=False)
        return context

    def local_context(self) -> ssl.SSLContext:
        """The context for clients that connect to this server directly: localhost, its addresses and `*.localhost`.

        A client that names a host in its hello gets a certificate for that host.
        """
        context = self._load("localhost", ["localhost", "*.localhost", "127.0.0.1", "::1", *self._also])
        context.sni_callback = self._choose
        return context

    def _choose(self, connection: Any, name: str | None, _context: ssl.SSLContext) -> None:
        if name and name not in ("localhost", *self._also) and _HOST.fullmatch(name.lower()) and len(name) < 254:
            connection.context = self.context(name)

    def _load(self, name: str, names: list[str]) -> ssl.SSLContext:
        path = self._leaf(name, names)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(path)
        return context

    def _leaf(self, name: str, names: list[str]) -> Path:
        """The file with key and certificate for these names, minted if it is missing, old or of another CA."""
        ca = ensure_ca(self._data_dir)
        identity = hashlib.sha256(ca.read_bytes() + "\n".join(names).encode()).hexdigest()[:16]
        folder = self._folder / "hosts"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"{re.sub('[^a-z0-9.-]', '_', name)[:180]}-{identity}.pem"
        if not _is_fresh(path, _RENEW_LEAF):
            _prune(folder)
            _write(path, _mint_leaf(names, ca.read_bytes(), (self._folder / "ca-key.pem").read_bytes()), 0o600)
        return path


def bundle(data_dir: Path) -> Path:
    """A PEM file with the roots this machine trusts and our CA: for AWS_CA_BUNDLE, SSL_CERT_FILE and their kin."""
    ca = ensure_ca(data_dir)
    path = data_dir / "tls" / "bundle.pem"
    seen: dict[bytes, None] = dict.fromkeys(_PEM.findall(ca.read_bytes()))
    for source in _root_files(path):
        with contextlib.suppress(OSError):
            seen.update(dict.fromkeys(_PEM.findall(source.read_bytes())))
    content = b"\n".join(seen) + b"\n"
    if not path.exists() or path.read_bytes() != content:
        _write(path, content, 0o644)
    return path


def proxy_environment(data_dir: Path, proxy_url: str, direct: Iterable[str] = ()) -> dict[str, str]:
    """The variables under which an unmodified program reaches AWS host names through the proxy at `proxy_url`.

    `direct` are further hosts to reach without it. Both spellings are set: wget reads only the lower-case ones, others
    only the upper-case ones. wget also ignores every CA variable, so it gets a file of its own.
    """
    roots = str(bundle(data_dir))
    wgetrc = data_dir / "tls" / "wgetrc"
    own = Path(os.environ.get("WGETRC") or Path.home() / ".wgetrc")
    before = own.read_text(errors="replace") if own != wgetrc and own.is_file() else ""
    _write(wgetrc, f"{before.rstrip()}\nca_certificate = {roots}\n".lstrip().encode(), 0o644)
    past = ",".join(["localhost", "127.0.0.1", "::1", *direct])
    return {
        "HTTPS_PROXY": proxy_url, "https_proxy": proxy_url, "HTTP_PROXY": proxy_url, "http_proxy": proxy_url,
        "NO_PROXY": past, "no_proxy": past,
        "AWS_CA_BUNDLE": roots, "REQUESTS_CA_BUNDLE": roots, "SSL_CERT_FILE": roots, "CURL_CA_BUNDLE": roots,
        "NODE_EXTRA_CA_CERTS": str(data_dir / "tls" / "ca.pem"), "WGETRC": str(wgetrc),
    }


def _root_files(own: Path) -> Iterator[Path]:
    """Where this machine keeps the roots it trusts: what its environment names, the system's, Python packages'."""
    for variable in _BUNDLE_VARIABLES:
        named = os.environ.get(variable)
        if named and Path(named) != own:
            yield Path(named)
    default = ssl.get_default_verify_paths().openssl_cafile
    system = [Path(name) for name in (default, *_SYSTEM_ROOTS) if Path(name).is_file()]
    yield from system[:1]
    for package in ("certifi", "botocore") if not system else ():
        found = importlib.util.find_spec(package)
        if found is not None and found.origin:
            yield Path(found.origin).parent / "cacert.pem"


def _names_for(host: str) -> tuple[str, list[str]]:
    """The name a certificate is cached under, and what it covers.

    Hosts of one parent share a wildcard, so that a bucket costs no certificate. OpenSSL wants two dots in a wildcard.
    """
    if _is_address(host):
        return host, [host]
    _, _, parent = host.partition(".")
    if parent.count(".") < 1:
        return host, [host]
    return parent, [f"*.{parent}", parent]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_fresh(path: Path, seconds: float) -> bool:
    try:
        return time.time() - path.stat().st_mtime < seconds
    except FileNotFoundError:
        return False


def _prune(folder: Path) -> None:
    """Keep the folder small whatever names clients ask for: the oldest certificates go."""
    with os.scandir(folder) as entries:
        files = [(entry.stat().st_mtime, entry.path) for entry in entries]
    for _, path in sorted(files)[:max(0, len(files) - _MOST_ON_DISK + 1)]:
        Path(path).unlink(missing_ok=True)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Atomically: a reader sees the old file or the new one."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _mint_ca() -> tuple[bytes, bytes]:
    """Key and certificate of a new authority."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"Sagewright local CA {secrets.token_hex(4)}"),
                      x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Sagewright")])
    usage = x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
                          key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
                          decipher_only=False)
    certificate = (
        _draft(name, name, key.public_key(), CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256()))
    return _pem(key), _pem(certificate)


def _mint_leaf(names: list[str], ca_pem: bytes, ca_key_pem: bytes) -> bytes:
    """Key and certificate for these host names, in one PEM text."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    authority = x509.load_pem_x509_certificate(ca_pem)
    authority_key: Any = serialization.load_pem_private_key(ca_key_pem, None)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0][:64])])
    covered = [x509.IPAddress(ipaddress.ip_address(name)) if _is_address(name) else x509.DNSName(name)
               for name in dict.fromkeys(names)]
    certificate = (
        _draft(subject, authority.subject, key.public_key(), LEAF_DAYS)
        .add_extension(x509.SubjectAlternativeName(covered), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256()))
    return _pem(key) + _pem(certificate)


def _draft(subject: Any, issuer: Any, public_key: Any, days: int) -> Any:
    from cryptography import x509
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start).not_valid_after(start + datetime.timedelta(days=days)))


def _pem(thing: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization
    if hasattr(thing, "private_bytes"):
        return bytes(thing.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                         serialization.NoEncryption()))
    return bytes(thing.public_bytes(serialization.Encoding.PEM))
