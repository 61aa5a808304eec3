"""Which hosts the proxy answers, passes and refuses, as a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from sagewright.gateway import egress
from sagewright.gateway.egress import GATEWAY, PASS, REFUSE, TELEMETRY, Egress

INDEXES = frozenset({"pypi.org", "files.pythonhosted.org"})


@pytest.mark.parametrize(("host", "refuse", "registries", "allow"), [
    ("sts.us-west-2.amazonaws.com", GATEWAY, GATEWAY, GATEWAY), ("amazonaws.com", GATEWAY, GATEWAY, GATEWAY),
    ("b.s3.cn-north-1.amazonaws.com.cn", GATEWAY, GATEWAY, GATEWAY),
    ("s3.us-east-1.api.aws", GATEWAY, GATEWAY, GATEWAY),
    ("us-west-2.experiments.sagemaker.aws", GATEWAY, GATEWAY, GATEWAY), ("b.localhost", GATEWAY, GATEWAY, GATEWAY),
    ("sm-pysdk-t-us-west-2.s3.us-west-2.amazonaws.com", TELEMETRY, TELEMETRY, TELEMETRY),
    ("dev-exp-t-us-west-2.s3.us-west-2.amazonaws.com", TELEMETRY, TELEMETRY, TELEMETRY),
    ("evilamazonaws.com", REFUSE, REFUSE, PASS), ("amazonaws.com.evil.org", REFUSE, REFUSE, PASS),
    ("docs.aws", REFUSE, REFUSE, PASS), ("pypi.org", REFUSE, PASS, PASS), ("evil.pypi.org", REFUSE, REFUSE, PASS),
    ("listed.org", PASS, PASS, PASS), ("a.below.org", PASS, PASS, PASS), ("below.org", REFUSE, REFUSE, PASS),
    ("127.0.0.1", REFUSE, REFUSE, REFUSE), ("::1", REFUSE, REFUSE, REFUSE), ("0.0.0.0", REFUSE, REFUSE, REFUSE),
    ("::ffff:127.0.0.1", REFUSE, REFUSE, REFUSE), ("169.254.169.254", REFUSE, REFUSE, REFUSE),
    ("10.0.0.7", REFUSE, REFUSE, PASS), ("", REFUSE, REFUSE, REFUSE)])
def test_hosts_are_decided_by_policy(host: str, refuse: str, registries: str, allow: str) -> None:
    got = [Egress(policy, ("listed.org", ".below.org"), INDEXES).decide(host) for policy in egress.POLICIES]
    assert got == [refuse, registries, allow]


def test_a_listed_aws_host_is_the_real_one_and_only_it() -> None:
    listed = Egress("refuse", ("open-data.s3.amazonaws.com", ".com"))
    assert listed.decide("open-data.s3.amazonaws.com") == PASS
    assert listed.decide("other.s3.amazonaws.com") == GATEWAY


def test_a_name_may_not_lead_to_this_machine_unless_it_is_listed() -> None:
    assert not Egress("allow").may_connect("rebound.example.org", "127.0.0.1")
    assert Egress("allow").may_connect("fine.example.org", "93.184.216.34")
    assert Egress("refuse", ("devpi.local",)).may_connect("devpi.local", "127.0.0.1")


def test_index_hosts_come_from_what_pip_and_uv_are_told(tmp_path: Path) -> None:
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/uv").mkdir()
    (tmp_path / ".config/pip/pip.conf").write_text(
        "[global]\nindex-url = https://user:pw@One.Example/simple\n[install]\nextra-index-url =\n  https://two.example/s\n"
        "  https://three.example/s\n")
    (tmp_path / ".config/uv/uv.toml").write_text(
        'index-url = "https://four.example/s"\n[[index]]\nurl = "https://five.example/s"\n[pip]\n'
        'extra-index-url = ["https://six.example/s"]\n')
    environment = {"PIP_INDEX_URL": "https://seven.example:8443/s", "UV_INDEX": "inner=https://eight.example/s file:///x"}
    found = egress.index_hosts(environment, tmp_path)
    numbers = {f"{word}.example" for word in ("one", "two", "three", "four", "five", "six", "seven", "eight")}
    assert found >= numbers | INDEXES and "" not in found


def test_unreadable_index_settings_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".config/uv").mkdir(parents=True)
    (tmp_path / ".config/uv/uv.toml").write_text("index = [[[")
    (tmp_path / ".pip").mkdir()
    (tmp_path / ".pip/pip.conf").write_bytes(b"\xff\xfe no section")
    assert egress.index_hosts({}, tmp_path) >= INDEXES


@pytest.mark.parametrize(("url", "want"), [
    ("http://proxy.example:3128", ("proxy.example", 3128, False, "")),
    ("proxy.example:3128", ("proxy.example", 3128, False, "")),
    ("https://proxy.example", ("proxy.example", 443, True, "")),
    ("http://u:p%40@proxy.example:1", ("proxy.example", 1, False, "Basic dTpwQA==")),
    ("http://127.0.0.1:4567", None), ("http://localhost:4567", None), ("socks5://x:1", None),
    ("http://x:99999999", None)])
def test_the_machines_own_proxy_is_used_unless_it_is_this_one(url: str, want: tuple | None,
                                                             monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", url)
    monkeypatch.setenv("no_proxy", "inside.example")
    got = egress.upstream_for("pypi.org", "https", 4567)
    assert (got and (got.host, got.port, got.secure, got.authorization)) == want
    assert egress.upstream_for("inside.example", "https", 4567) is None
