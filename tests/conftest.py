"""Guards for every test: no network, no home folder, nothing left in the tree, no silent skip."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.logger_state import restored_logger
from tests.support.skips import unexpected_skips

ROOT = Path(__file__).parent.parent
LOOPBACK = ("127.", "::1", "localhost")
# What test tools themselves may make in the tree.
OWN_FILES = {".pytest_cache", ".hypothesis", ".benchmarks", "build", ".nox", "__pycache__", ".coverage"}

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True, database=None)
settings.register_profile("dev", deadline=None)
settings.register_profile(
    "explore", deadline=None, max_examples=5000, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
# A red CI must mean that the change broke a law, so CI tries the same examples every time.
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev"))

_network_attempts: list[str] = []


def _names() -> set[str]:
    """Names in the root folder of the repository."""
    return {path.name for path in ROOT.iterdir()}


def _refuse_network(event: str, arguments: tuple[object, ...]) -> None:
    """Audit hook: sockets may reach this machine only."""
    if event in {"socket.connect", "socket.sendto", "socket.bind"}:
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None
        # A path or bytes is a Unix socket; an empty host binds to all interfaces, which loopback tests do not need.
        if host is None or (isinstance(host, str) and host.startswith(LOOPBACK)):
            return
    elif event == "socket.getaddrinfo":
        host = arguments[0]
        if host is None or str(host).startswith(LOOPBACK):
            return
    else:
        return
    _network_attempts.append(f"{event} {host!r}")
    raise OSError(f"tests are offline: {event} {host!r}")


def pytest_configure(config: pytest.Config) -> None:
    """Move the home folder away and forget the developer's settings, before anything reads them."""
    home = tempfile.mkdtemp(prefix="codecarbon-home-")
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    for name in [name for name in os.environ if name.startswith(("CODECARBON_", "XDG_", "GRID_"))]:
        if name != "CODECARBON_SANITIZED":
            del os.environ[name]
    os.environ["HOME"] = home
    # Children inherit this: a client that ignores the guard above reaches a closed port instead of the network.
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        os.environ[name] = os.environ[name.upper()] = "http://127.0.0.1:9"
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1,localhost"
    if not hasattr(sys, "_codecarbon_offline"):
        sys._codecarbon_offline = True  # type: ignore[attr-defined]  # an audit hook cannot be removed: add one only
        sys.addaudithook(_refuse_network)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_TreeGuard(config), "tree-guard")


@pytest.fixture(autouse=True)
def _offline() -> object:
    """Fail a test that tried to leave the machine, even when the code under test swallowed the error."""
    _network_attempts.clear()
    yield
    assert not _network_attempts, f"network access in a test: {_network_attempts}"


@pytest.fixture(autouse=True)
def _speaking_logger() -> object:
    """Begin with a logger that speaks, whatever a tracker of an earlier test told it, and leave it as it was."""
    with restored_logger() as logger:
        logger.setLevel(logging.NOTSET)
        logger.propagate = True
        yield


class _TreeGuard:
    """Looks at the whole run, once: files left in the tree, and skips that nobody expects."""

    def __init__(self, config: pytest.Config) -> None:
        self.before = _names()
        self.skips: list[tuple[str, str]] = []
        self.faults: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail") and isinstance(report.longrepr, tuple):
            self.skips.append((report.nodeid, report.longrepr[2]))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped and isinstance(report.longrepr, tuple):
            self.skips.append((report.nodeid, report.longrepr[2]))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.faults += [f"left in the tree: {name}" for name in sorted(_names() - self.before - OWN_FILES)]
        self.faults += unexpected_skips(self.skips, in_ci="CI" in os.environ)
        if self.faults and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for fault in self.faults:
            terminalreporter.write_line(f"RUN GUARD: {fault}", red=True)
