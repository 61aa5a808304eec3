"""The data directory's CA, the certificates it mints, and the environment that makes programs trust it."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

from sagewright.gateway import certificates


def leaf(data: Path) -> x509.Certificate:
    (path,) = (data / "tls/hosts").iterdir()
    return x509.load_pem_x509_certificate(path.read_bytes())


def names_of(certificate: x509.Certificate) -> set[str]:
    covered = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(one.value) for one in covered}


def test_the_ca_is_made_once_with_a_private_key_of_its_own(tmp_path: Path) -> None:
    path = certificates.ensure_ca(tmp_path)
    before = path.read_bytes()
    assert certificates.ensure_ca(tmp_path).read_bytes() == before
    assert (tmp_path / "tls/ca-key.pem").stat().st_mode & 0o777 == 0o600
    ca = x509.load_pem_x509_certificate(before)
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert (ca.not_valid_after_utc - ca.not_valid_before_utc).days == 3650


def test_servers_that_start_together_share_one_ca(tmp_path: Path) -> None:
    code = ("import sys, pathlib; from sagewright.gateway import certificates as c; d = pathlib.Path(sys.argv[1]);"
            "c.Authority(d).context('sts.amazonaws.com'); sys.stdout.write(c.ensure_ca(d).read_text())")
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) for _ in range(4)]
    said = {process.communicate(timeout=60)[0] for process in running}
    assert len(said) == 1 and b"BEGIN CERTIFICATE" in said.pop()
    assert {process.returncode for process in running} == {0}


@pytest.mark.parametrize(("host", "names"), [
    ("sts.us-west-2.amazonaws.com", {"*.us-west-2.amazonaws.com", "us-west-2.amazonaws.com"}),
    ("sts.amazonaws.com", {"*.amazonaws.com", "amazonaws.com"}),
    ("my.dotted.bucket.s3.amazonaws.com", {"*.dotted.bucket.s3.amazonaws.com", "dotted.bucket.s3.amazonaws.com"}),
    ("bucket.localhost", {"bucket.localhost"}), ("10.1.2.3", {"10.1.2.3"}), ("localhost", {"localhost"})])
def test_a_certificate_covers_its_host_and_siblings(tmp_path: Path, host: str, names: set[str]) -> None:
    certificates.Authority(tmp_path).context(host.upper())
    certificate = leaf(tmp_path)
    assert names_of(certificate) == names
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 397


def test_minted_certificates_are_kept_on_disk_until_they_age_or_the_ca_changes(tmp_path: Path) -> None:
    def mint() -> int:
        certificates.Authority(tmp_path).context("sts.amazonaws.com")
        return leaf(tmp_path).serial_number
    first = mint()
    assert mint() == first
    (path,) = (tmp_path / "tls/hosts").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    os.utime(path, (0, 0))
    second = mint()
    assert second != first
    (tmp_path / "tls/ca.pem").unlink()
    certificates.Authority(tmp_path).context("sts.amazonaws.com")
    assert len(list((tmp_path / "tls/hosts").iterdir())) == 2


def test_a_killed_start_leaves_nothing_that_hinders_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    folder.mkdir()
    (folder / "ca-key.pem").write_text("half a ke")
    context = ssl.create_default_context(cafile=str(certificates.ensure_ca(tmp_path)))
    assert context.cert_store_stats()["x509_ca"] == 1
    certificates.Authority(tmp_path).local_context()


def test_the_number_of_kept_certificates_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "_MOST_ON_DISK", 5)
    authority = certificates.Authority(tmp_path)
    for at in range(12):
        authority.context(f"x.n{at}.amazonaws.com")
    assert len(list((tmp_path / "tls/hosts").iterdir())) == 5


def test_the_bundle_adds_our_ca_to_the_roots_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = certificates.ensure_ca(tmp_path / "corporate")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
    path = certificates.bundle(tmp_path / "data")
    roots = path.read_bytes()
    assert other.read_bytes().strip() in roots
    assert certificates.ensure_ca(tmp_path / "data").read_bytes().strip() in roots
    assert ssl.create_default_context(cafile=str(path)).cert_store_stats()["x509_ca"] > 50
    # Under its own environment the bundle neither grows nor loses the roots.
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    assert len(certificates.bundle(tmp_path / "data").read_bytes()) <= len(roots)
    assert path.stat().st_mode & 0o777 == 0o644


def test_the_environment_keeps_a_users_own_wgetrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").write_text("tries = 3\n")
    monkeypatch.setenv("WGETRC", str(tmp_path / "mine"))
    environment = certificates.proxy_environment(tmp_path / "data", "http://127.0.0.1:4567", ["algo-1"])
    assert environment["https_proxy"] == environment["HTTPS_PROXY"] == "http://127.0.0.1:4567"
    assert environment["NO_PROXY"] == "localhost,127.0.0.1,::1,algo-1"
    lines = Path(environment["WGETRC"]).read_text().splitlines()
    assert lines == ["tries = 3", f"ca_certificate = {environment['SSL_CERT_FILE']}"]
