"""How a table of ``codecarbon.data`` is written, described and compared, for the scripts that build them."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DATA = Path(__file__).resolve().parent.parent / "src" / "codecarbon" / "data"
ABOUT_FILE = "tables.json"


def read_about() -> dict[str, dict[str, Any]]:
    """Read what is said of each table, by its name."""
    about: dict[str, dict[str, Any]] = json.loads((DATA / ABOUT_FILE).read_text(encoding="utf-8"))
    return about


def write_about(about: dict[str, dict[str, Any]]) -> str:
    """Return the text that says it."""
    return json.dumps(about, indent=1, ensure_ascii=False) + "\n"


def write_table(
    name: str, header: Sequence[str], rows: Sequence[Sequence[str]], about: dict[str, str]
) -> tuple[str, dict[str, Any]]:
    """Return the text of a table, and what is said of it.

    Args:
        name: What to call it when it is wrong.
        header: The names of its columns.
        rows: Its cells.
        about: What is said of it, beside what follows from the text.
    """
    text = "".join("\t".join(row) + "\n" for row in [header, *rows])
    if [len(line.split("\t")) for line in text.splitlines()] != [len(header)] * (len(rows) + 1):
        raise SystemExit(f"{name}: a cell holds a separator, or a row is too short")
    return text, {**about, "rows": len(rows), "sha256": hashlib.sha256(text.encode()).hexdigest()}


def run(build: Callable[[Path], dict[str, str]], doc: str, *, folder: str) -> None:
    """Write the files, or with ``--check`` say which would change, and end the program.

    Args:
        build: Makes the text of each file of ``codecarbon.data``, from the input folder.
        doc: What the script does, in its first line.
        folder: What the input folder holds.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("folder", type=Path, help=f"folder with {folder}")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a shipped file differs")
    options = parser.parse_args()
    stale = 0
    for name, text in build(options.folder).items():
        path = DATA / name
        same = path.exists() and path.read_text(encoding="utf-8") == text
        stale += not same
        if not options.check:
            path.write_text(text, encoding="utf-8", newline="\n")
        print(f"{'same   ' if same else 'differs' if options.check else 'written'} {name}")
    sys.exit(1 if options.check and stale else 0)
