"""Targets, what was measured against them, and the table that shows both."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """One target and its measurement.

    Attributes:
        name: Key in ``budgets.toml``.
        title: The target in words.
        unit: Unit of ``measured`` and ``limit``; ``ratio`` is measured by baseline.
        measured: Our figure.
        limit: The target; None for a comparison that no target asks for.
        baseline: Figure of the baseline in the same run, in ``baseline_unit``.
        baseline_name: What the baseline is.
        is_ok: Whether the target is met.
        at_least: Whether more is better.
    """

    name: str
    title: str
    unit: str
    measured: float
    limit: float | None
    baseline: float
    baseline_name: str
    baseline_unit: str
    is_ok: bool
    at_least: bool = False

    @property
    def ratio(self) -> float | None:
        """Measured by baseline, where both have one unit."""
        if self.unit == "ratio":
            return self.measured
        return self.measured / self.baseline if self.unit == self.baseline_unit and self.baseline else None


class MissedTargetError(AssertionError):
    """A figure is beyond its limit; everything else that fails a benchmark is an error of another kind."""


def judge(
    name: str,
    measured: float,
    *,
    baseline: float,
    baseline_name: str,
    baseline_unit: str | None = None,
    smoke: bool = False,
) -> Row:
    """Compare a measurement with its budget.

    Args:
        name: Key in ``budgets.toml``.
        measured: Our figure; for a budget in ``ratio`` it is divided by the baseline here.
        baseline: Figure of the baseline in the same run.
        baseline_name: What the baseline is.
        baseline_unit: Its unit, if not the budget's.
        smoke: Whether the wide limits of a smoke run apply.
    """
    budget = load_budgets()[name]
    limit, at_least, room = budget["limit"], budget.get("at") == "least", budget.get("smoke", 1.0) if smoke else 1.0
    if budget["unit"] == "ratio":
        measured /= baseline
    is_ok = measured >= limit / room if at_least else measured <= limit * room
    unit = baseline_unit or budget["unit"]
    return Row(name, budget["title"], budget["unit"], measured, limit, baseline, baseline_name, unit, is_ok, at_least)


def compare(name: str, measured: float, *, baseline: float, baseline_name: str, unit: str | None = None) -> Row:
    """Make a row that shows another way beside ours; it has no limit of its own."""
    budget = load_budgets()[name]
    unit = unit or budget["unit"]
    return Row(name, budget["title"], unit, measured, None, baseline, baseline_name, unit, is_ok=True)


def load_budgets() -> dict[str, Any]:
    """Read the budgets."""
    return tomllib.loads((HERE / "budgets.toml").read_text(encoding="utf-8"))


def show(value: float, unit: str) -> str:
    """Write a figure with three digits, and its unit."""
    text = f"{value:.0f}" if unit == "count" or abs(value) >= 100 else f"{value:.3g}"
    return text + {"ratio": " ×", "count": ""}.get(unit, f" {unit}")


def render(rows: list[Row]) -> str:
    """Write the rows as one Markdown table: a line per target, with everything that was measured beside it."""
    targets = [row for row in rows if row.limit is not None]
    header = ["Target", "Limit", "Measured", "Met", "Baseline of the same run"]
    body = [
        [
            row.title,
            f"{'≥' if row.at_least else '≤'} {show(row.limit or 0.0, row.unit)}",
            show(row.measured, row.unit),
            "yes" if row.is_ok else "NO",
            f"{row.baseline_name}: {show(row.baseline, row.baseline_unit)}",
        ]
        for row in targets
    ]
    others = [[_beside(other) for other in rows if other.limit is None and other.name == row.name] for row in targets]
    if any(others):
        header.append("Others in the same run")
        body = [[*line, "; ".join(beside)] for line, beside in zip(body, others, strict=True)]
    widths = [max(len(line[column]) for line in (header, *body)) for column in range(len(header))]
    lines = [header, ["-" * width for width in widths], *body]
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)


def _beside(row: Row) -> str:
    factor = row.baseline / row.measured
    digits = f"{factor:.0f}" if factor >= 10 else f"{factor:.2g}"
    return f"{row.baseline_name}: {show(row.baseline, row.baseline_unit)} ({digits} × ours)"


def machine() -> dict[str, object]:
    """Describe the machine, without its name."""
    model = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "unknown"
    )
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "is_virtual": any("hypervisor" in line for line in _lines("/proc/cpuinfo")),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


def describe(facts: dict[str, object]) -> str:
    """Say what kind of machine it was, in a line."""
    kind = "virtual machine" if facts["is_virtual"] else "machine"
    return f"{facts['cores']}-core {kind}, {facts['cpu']}, Python {facts['python']}, Linux {facts['kernel']}"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def load(path: Path) -> tuple[dict[str, object], list[Row]]:
    """Read what ``save`` wrote: facts about the machine, and rows."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    rows = [Row(**{key: value for key, value in row.items() if key != "ratio"}) for row in kept["rows"]]
    return kept["machine"], rows


def save(rows: list[Row], path: Path) -> None:
    """Write rows and machine facts as JSON."""
    facts = {"machine": machine(), "rows": [asdict(row) | {"ratio": row.ratio} for row in rows]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
