"""What `codecarbon monitor` and `carbon-aware` add to the shortest command there is."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

from benchmarks.conftest import Report
from benchmarks.process import alternate, median_wall_ms

EMPTY_APP = """
import typer

app = typer.Typer()


@app.command()
def main() -> None:
    pass


app()
"""


def test_monitor_starts_like_an_empty_typer_app(report: Report, tmp_path: Path) -> None:
    empty = tmp_path / "empty.py"
    empty.write_text(EMPTY_APP, encoding="utf-8")
    command = [str(Path(sys.executable).parent / "codecarbon"), "monitor", "--offline", "--country-iso-code", "FRA"]
    rounds = 3 if report.smoke else 21
    runs = alternate(
        {
            "empty": [sys.executable, str(empty)],
            "ours": [*command, "--output-dir", str(tmp_path), "--", "true"],
        },
        rounds=rounds,
    )
    with (tmp_path / "emissions.csv").open(newline="", encoding="utf-8") as handle:
        assert [len(row) for row in csv.reader(handle)] == [38] * (rounds + 2)
    report.judge(
        "cli",
        median_wall_ms(runs["ours"]),
        baseline=median_wall_ms(runs["empty"]),
        baseline_name="empty Typer app",
        baseline_unit="ms",
    )


def test_carbon_aware_answers_soon_after_its_start(report: Report, tmp_path: Path) -> None:
    empty = tmp_path / "empty.py"
    empty.write_text(EMPTY_APP, encoding="utf-8")
    command = [str(Path(sys.executable).parent / "carbon-aware"), "emissions", "-l", "eastus"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert {row["Location"] for row in json.loads(answer.stdout)} == {"eastus"}
    runs = alternate({"empty": [sys.executable, str(empty)], "ours": command}, rounds=3 if report.smoke else 21)
    ours, baseline = median_wall_ms(runs["ours"]), median_wall_ms(runs["empty"])
    report.judge("cli_carbon_aware", ours, baseline=baseline, baseline_name="empty Typer app")
    report.judge("cli_carbon_aware_ratio", ours, baseline=baseline, baseline_name="empty Typer app", baseline_unit="ms")
