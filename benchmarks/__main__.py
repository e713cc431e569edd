"""Run every benchmark and print one table.

``python -m benchmarks`` measures in full; ``--smoke`` runs briefly with wide limits; ``--peers`` measures codecarbon 3
and Zeus as well, from environments that it makes; ``--json PATH`` keeps the figures with facts about the machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib.util import find_spec
from pathlib import Path

from benchmarks import table

NEEDED = ("codecarbon", "pytest", "pytest_benchmark")
ROOT = Path(__file__).parent.parent


def main() -> int:
    """Run and print; the exit code is not 0 when a benchmark failed, a missed target among them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="few rounds, wide limits")
    parser.add_argument("--peers", action="store_true", help="measure codecarbon 3 and Zeus too")
    parser.add_argument("--only", metavar="NAME", help="run the benchmarks whose names hold this word")
    parser.add_argument(
        "--json", type=Path, default=ROOT / "build" / "benchmarks.json", help="where to keep the figures"
    )
    options = parser.parse_args()
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        parser.error(f"{', '.join(missing)} not installed here: `make bench` makes an environment and runs this in it")
    import pytest

    path = options.json.resolve()
    path.unlink(missing_ok=True)
    arguments = [str(ROOT / "benchmarks"), "--override-ini=python_files=bench_*.py", "--quiet", f"--rows={path}"]
    # One process, in order: two benchmarks at once would measure each other.
    arguments += ["-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider", "--benchmark-quiet"]
    arguments += [f"--{name}" for name in ("smoke", "peers") if getattr(options, name)]
    arguments += ["-k", options.only] if options.only else []
    status = pytest.main(arguments)
    if path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
        rows = [table.Row(**{key: value for key, value in row.items() if key != "ratio"}) for row in kept["rows"]]
        note = "\n\nA smoke run: few rounds, and limits that a busy machine meets." if options.smoke else ""
        print(f"\n{table.describe(kept['machine'])}\n\n{table.render(rows)}{note}\n\nwritten to {path}")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
