"""No number of the list of behaviours is without a test."""

from __future__ import annotations

import re
from pathlib import Path

from tests.web.blackbox.cases import TABLE

LAST = 74
# Asked of every problem body that comes back; test_requests.check_problem and case 64 (VerboseApi) do it.
EVERYWHERE = {66}


def test_every_number_has_a_test():
    here = Path(__file__).parent
    sources = "".join(path.read_text(encoding="utf-8") for path in here.glob("test_*.py"))
    named = {int(number) for number in re.findall(r"^def test_case_(\d+)_", sources, re.MULTILINE)}
    asked = {case.number for case in TABLE}
    assert sorted(named | asked | EVERYWHERE) == list(range(1, LAST + 1))
