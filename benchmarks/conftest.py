"""The report that every benchmark writes its rows into, and the fake machine they run on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks import table
from benchmarks.machine import FakeMachine
from benchmarks.peers import Peer, prepare


class Report:
    """Rows of one run of the benchmarks."""

    def __init__(self, *, smoke: bool, peers: tuple[Peer, ...]) -> None:
        self.smoke = smoke
        self.peers = peers
        self.rows: list[table.Row] = []

    def judge(
        self, name: str, measured: float, *, baseline: float, baseline_name: str, baseline_unit: str | None = None
    ) -> None:
        """Add a row and fail the benchmark when its target is missed."""
        row = table.judge(
            name,
            measured,
            baseline=baseline,
            baseline_name=baseline_name,
            baseline_unit=baseline_unit,
            smoke=self.smoke,
        )
        self.rows.append(row)
        if not row.is_ok:
            raise table.MissedTargetError(f"{row.title}: {table.show(row.measured, row.unit)}, limit {row.limit}")

    def note(self, name: str, measured: float, *, unit: str, baseline: float, baseline_name: str) -> None:
        """Add a row that no target asks for."""
        self.rows.append(table.compare(name, measured, baseline=baseline, baseline_name=baseline_name, unit=unit))

    def peer(self, name: str, measure: Callable[[Peer], float | None]) -> None:
        """Add a row per peer that can be measured in the same way; None means that it cannot."""
        ours = next(row for row in self.rows if row.name == name and row.limit is not None)
        for peer in self.peers:
            theirs = measure(peer)
            if theirs is not None:
                row = table.compare(name, ours.measured, baseline=theirs, baseline_name=peer.title)
                self.rows.append(row)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that `python -m benchmarks` passes on."""
    parser.addoption("--smoke", action="store_true", help="few rounds, wide limits")
    parser.addoption("--peers", action="store_true", help="measure the peers too, from environments of their own")
    parser.addoption("--rows", type=Path, default=None, help="where to write the rows, as JSON")


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Iterator[Report]:
    """Collect rows, and save them at the end."""
    peers = prepare() if request.config.getoption("--peers") else ()
    collected = Report(smoke=request.config.getoption("--smoke"), peers=peers)
    yield collected
    if path := request.config.getoption("--rows"):
        table.save(collected.rows, path)


@pytest.fixture(autouse=True)
def _settings_are_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Forget the user's settings and work in an empty folder."""
    for name in [name for name in os.environ if name.startswith("CODECARBON_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def fake_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    """A machine with two packages and their memory, as files; the package under test reads it instead of /sys."""
    made = FakeMachine(tmp_path / "sys")
    monkeypatch.setenv("CODECARBON_SYSFS_ROOT", str(made.root))
    return made
