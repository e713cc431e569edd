"""Run every benchmark and print one table.

``python -m benchmarks`` measures in full; ``--smoke`` runs briefly with wide limits; ``--peers`` measures codecarbon 3
and Zeus as well, from environments that it makes; ``--json PATH`` keeps the figures with facts about the machine.

A smoke run looks for what got much slower, on machines that may stop for a moment: a target that it misses is measured
once more, and only a second miss fails.
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import table

if TYPE_CHECKING:
    import pytest

NEEDED = ("codecarbon", "pytest", "pytest_benchmark")
ROOT = Path(__file__).parent.parent


class Failures:
    """A pytest plugin that notes which benchmarks failed, and which of them only missed a target."""

    def __init__(self) -> None:
        self.failed: set[str] = set()
        self.missed: set[str] = set()

    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """Sort a failure."""
        if call.excinfo is not None:
            is_miss = call.excinfo.errisinstance(table.MissedTargetError)
            (self.missed if is_miss else self.failed).add(item.nodeid)


def main() -> int:
    """Run and print; the exit code is not 0 when a benchmark failed, a missed target among them."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="few rounds, wide limits")
    parser.add_argument("--peers", action="store_true", help="measure codecarbon 3 and Zeus too")
    parser.add_argument("--only", metavar="NAME", help="run the benchmarks whose names hold this word")
    parser.add_argument(
        "--json", type=Path, default=ROOT / "build" / "benchmarks.json", help="where to keep the figures"
    )
    options = parser.parse_args()
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        parser.error(f"{', '.join(missing)} not installed here: `make bench` makes an environment and runs this in it")

    path = options.json.resolve()
    path.unlink(missing_ok=True)
    flags = [f"--{name}" for name in ("smoke", "peers") if getattr(options, name)]
    first = Failures()
    chosen = ["-k", options.only] if options.only else []
    status = measure([str(ROOT / "benchmarks"), *chosen], path, flags, first)
    if options.smoke and first.missed and not first.failed:
        print("\nA target was missed; measuring once more, in case the machine stood still.\n")
        status = measure_again(sorted(first.missed), path, flags)
    if path.exists():
        facts, rows = table.load(path)
        note = "\n\nA smoke run: few rounds, and limits that a busy machine meets." if options.smoke else ""
        print(f"\n{table.describe(facts)}\n\n{table.render(rows)}{note}\n\nwritten to {path}")
    return status


def measure(what: list[str], path: Path, flags: list[str], failures: Failures) -> int:
    """Run benchmarks in this process, in order: two at once would measure each other."""
    import pytest

    arguments = ["--override-ini=python_files=bench_*.py", f"--rootdir={ROOT}", "--quiet", f"--rows={path}", *flags]
    arguments += ["-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider", "--benchmark-quiet"]
    return int(pytest.main([*what, *arguments], plugins=[failures]))


def measure_again(missed: list[str], path: Path, flags: list[str]) -> int:
    """Run some benchmarks again; their rows replace those of the first time."""
    _, before = table.load(path)
    status = measure([str(ROOT / name) for name in missed], path, flags, Failures())
    _, after = table.load(path)
    names = {row.name for row in after}
    kept = [row for row in before if row.name not in names]
    table.save([*kept, *after], path)
    return status


if __name__ == "__main__":
    sys.exit(main())
