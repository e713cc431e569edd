"""The Carbon Aware WebApi beside a bare FastAPI route of the same size: requests per second, and the slow hundredth.

Each server has one core and the load generator another; the two servers are loaded in turn.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from benchmarks import process
from benchmarks.conftest import Report
from tests.support.fakes.watttime import PASSWORD, USER, FakeWattTime

HERE = Path(__file__).parent
NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
CONNECTIONS = 16
REQUESTS_AT_ONCE = 1000
BY_LOCATION = "/emissions/bylocation?location=eastus&time=2026-02-28T12:00:00Z&toTime=2026-03-01T11:59:59Z"
ALWAYS_NEW = BY_LOCATION.replace("11:59:59Z", "11:59:59.{n}Z")
CURRENT = "/emissions/forecasts/current?location=eastus&windowSize=60"


def cores() -> tuple[list[int], list[int]]:
    """Return the core of the servers and the core of the load generator; one core is shared where there is only one."""
    found = sorted(os.sched_getaffinity(0))
    return [found[0]], [found[-1]]


@contextmanager
def serving(**task: Any) -> Iterator[int]:
    """Run a server in a process of its own; yields its port."""
    command = [sys.executable, str(HERE / "web_server.py"), json.dumps({"cores": cores()[0], **task})]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            yield json.loads(child.stdout.readline())["port"]
        finally:
            child.stdin.close()
            child.wait(timeout=30)


def load(port: int, path: str, seconds: float, *, connections: int = CONNECTIONS, asked: int = 0) -> dict[str, Any]:
    """Load a server from the other core; every answer must be a whole 200 of one size."""
    task = {"port": port, "path": path, "connections": connections, "seconds": seconds, "cores": cores()[1]}
    task["asked"] = asked
    said = process.run([sys.executable, str(HERE / "web_load.py"), json.dumps(task)]).said
    assert set(said["statuses"]) == {"200"}, said
    assert len(said["sizes"]) == 1, said
    assert not said["faults"], said
    return said


def write_settings(folder: Path, role: str, content: Mapping[str, Any]) -> str:
    """Write a data file and the configuration that names it."""
    data = folder / "data.json"
    data.write_text(json.dumps(content), encoding="utf-8")
    sources = {f"{role}DataSource": "file", "Configurations": {"file": {"Type": "JSON", "DataFileLocation": str(data)}}}
    path = folder / "appsettings.json"
    path.write_text(json.dumps({"DataSources": sources}), encoding="utf-8")
    return str(path)


def points(start: datetime, count: int, minutes: int) -> list[dict[str, object]]:
    """Make points of a wave with some noise, all different."""
    return [
        {
            "Time": (start + timedelta(minutes=minutes * step)).isoformat(),
            "Duration": f"{minutes // 60:02d}:{minutes % 60:02d}:00",
            "Rating": 300 + (step * 7919 % 1009) / 10,
        }
        for step in range(count)
    ]


def compare(report: Report, settings: str, path: str, new_path: str = "") -> dict[str, list[dict[str, Any]]]:
    """Load ours and the bare route of the same size, in turn; the first round warms up and is thrown away.

    Args:
        report: Says how long to measure.
        settings: The configuration of our server.
        path: The question that is asked again and again.
        new_path: The same question in a million spellings, so that no answer is known yet; empty to leave that out.
    """
    rounds, seconds = (3, 0.3) if report.smoke else (7, 2.0)
    runs: dict[str, list[dict[str, Any]]] = {"ours": [], "bare": [], "new": []}
    asked = 0  # by all rounds together, so that no round repeats the new questions of one before
    with serving(kind="ours", settings=settings, now_s=NOW.timestamp()) as ours:
        size = load(ours, path, 0)["sizes"][0]
        with serving(kind="bare", size=size) as bare:
            questions = [("ours", ours, path), ("bare", bare, "/bare")] + [("new", ours, new_path)] * bool(new_path)
            for turn in range(rounds + 1):
                for name, port, question in questions:
                    said = load(port, question, seconds, asked=asked)
                    assert said["sizes"] == [size]
                    asked = said["asked"]
                    if turn:
                        runs[name].append(said)
    return runs


def median(runs: list[dict[str, Any]], key: str) -> float:
    """Return the median of what the rounds said."""
    return statistics.median(run[key] for run in runs)


def test_emissions_by_location_is_nearly_as_fast_as_a_bare_route(report: Report, tmp_path: Path) -> None:
    rows = [{"Location": "eastus", **point} for point in points(NOW - timedelta(days=2), 48, 60)]
    runs = compare(report, write_settings(tmp_path, "Emissions", {"Emissions": rows}), BY_LOCATION, ALWAYS_NEW)
    for name, key, unit in (("web_by_location", "requests_per_s", "per s"), ("web_by_location_p99", "p99_ms", "ms")):
        report.judge(
            name,
            median(runs["ours"], key),
            baseline=median(runs["bare"], key),
            baseline_name="bare FastAPI route, same bytes",
            baseline_unit=unit,
        )
        report.note(
            name,
            median(runs["ours"], key),
            unit=unit,
            baseline=median(runs["new"], key),
            baseline_name="never asked before",
        )


def test_forecast_is_at_least_a_third_as_fast_as_a_bare_route(report: Report, tmp_path: Path) -> None:
    made = {"Location": "eastus", "GeneratedAt": NOW.isoformat(), "Points": points(NOW, 288, 5)}
    runs = compare(report, write_settings(tmp_path, "Forecast", {"Forecasts": [made]}), CURRENT)
    report.judge(
        "web_forecast",
        median(runs["ours"], "requests_per_s"),
        baseline=median(runs["bare"], "requests_per_s"),
        baseline_name="bare FastAPI route, same bytes",
        baseline_unit="per s",
    )


def test_a_thousand_equal_requests_are_one_provider_call(report: Report, tmp_path: Path) -> None:
    with FakeWattTime() as fake:
        fake.latency_s = 0.3  # so that all requests are there before the first answer
        credentials = {"Username": USER, "Password": PASSWORD}
        addresses = {"BaseUrl": f"{fake.url}/v3/", "AuthenticationBaseUrl": f"{fake.url}/"}
        entry = {"Type": "WattTime", **credentials, **addresses}
        sources = {"EmissionsDataSource": "provider", "Configurations": {"provider": entry}}
        settings = tmp_path / "appsettings.json"
        settings.write_text(json.dumps({"DataSources": sources}), encoding="utf-8")
        with serving(kind="ours", settings=str(settings)) as port:
            said = load(port, "/emissions/bylocation?location=eastus", 0, connections=REQUESTS_AT_ONCE)
        assert said["answers"] == REQUESTS_AT_ONCE
        calls = fake.count("/v3/historical")
    report.judge(
        "web_provider_calls", calls, baseline=REQUESTS_AT_ONCE, baseline_name="requests", baseline_unit="count"
    )
