"""Add up the test reports of a run: one closing line, and failure when a report is missing or empty."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path


def main(folder: Path) -> int:
    """Print the totals; return 1 when something failed or no test ran."""
    ran = failed = skipped = 0
    for path in sorted(folder.glob("*.xml")):
        for suite in ET.parse(path).getroot().iter("testsuite"):  # noqa: S314 (our own report)
            ran += int(suite.get("tests", 0))
            failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            skipped += int(suite.get("skipped", 0))
    print(f"{ran - failed - skipped} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or ran == skipped else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
