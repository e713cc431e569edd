"""Check the changelog fragments: a known kind, one sentence for users."""

from __future__ import annotations

import re
import sys
from pathlib import Path

NAME = re.compile(r"[a-z0-9][a-z0-9-]*\.(added|changed|fixed)\.md")


def faults(folder: Path) -> list[str]:
    """Return what is wrong with the fragments in a folder, one line each."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.name == "README.md":
            continue
        text = path.read_text(encoding="utf-8").strip()
        if not NAME.fullmatch(path.name):
            found.append(f"{path}: the name must be slug.added.md, slug.changed.md or slug.fixed.md")
        if "\n" in text or not text.endswith("."):
            found.append(f"{path}: one sentence on one line, with a full stop")
    return found


if __name__ == "__main__":
    FAULTS = faults(Path(sys.argv[1]))
    print("\n".join(FAULTS), end="\n" if FAULTS else "")
    sys.exit(1 if FAULTS else 0)
