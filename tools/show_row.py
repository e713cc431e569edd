"""Print the last row of an emissions file as a column of names and values."""

from __future__ import annotations

import csv
import sys
from pathlib import Path


def main(path: Path) -> None:
    """Print one line per column."""
    with path.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    if not rows:
        raise SystemExit(f"{path} holds no row")
    print(f"\n{path}: {len(rows)} row, {len(rows[-1])} columns")
    width = max(len(name) for name in rows[-1])
    for name, value in rows[-1].items():
        print(f"  {name:<{width}}  {value}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
