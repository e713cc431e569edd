"""The guards of conftest.py work; a guard that cannot fail guards nothing."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests import conftest
from tests.support.skips import NO_HARDWARE, NO_PERMISSION, unexpected_skips

pytest_plugins = ["pytester"]


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("2001:db8::1", 80)])
def test_connecting_elsewhere_is_refused_and_remembered(address):
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as client, pytest.raises(OSError, match="tests are offline"):
        client.connect(address)
    assert conftest._network_attempts
    conftest._network_attempts.clear()


def test_resolving_a_name_is_refused_and_remembered():
    with pytest.raises(OSError, match="tests are offline"):
        socket.getaddrinfo("example.org", 443)
    assert conftest._network_attempts == ["socket.getaddrinfo 'example.org'"]
    conftest._network_attempts.clear()


def test_loopback_and_unix_sockets_are_allowed(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))


def test_home_is_empty_and_not_the_developers():
    home = Path.home()
    assert home.name.startswith("codecarbon-home-")
    assert os.environ["HOME"] == str(home)


def test_settings_of_the_developer_are_forgotten():
    assert [name for name in os.environ if name.startswith("CODECARBON_")] in ([], ["CODECARBON_SANITIZED"])


def test_known_reasons_are_expected():
    skips = [("a", f"Skipped: {NO_HARDWARE}an NVIDIA card"), ("b", f"Skipped: {NO_PERMISSION}perf needs root")]
    assert unexpected_skips(skips, in_ci=False) == []


def test_lack_of_permission_is_unexpected_in_ci():
    assert unexpected_skips([("b", f"Skipped: {NO_PERMISSION}perf")], in_ci=True) == [
        f"unexpected skip of b: Skipped: {NO_PERMISSION}perf"
    ]


def test_any_other_reason_is_unexpected():
    assert unexpected_skips([("c", "Skipped: flaky")], in_ci=False) == ["unexpected skip of c: Skipped: flaky"]
