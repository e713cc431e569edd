"""The questions of the table that the program `carbon-aware` can be asked too; it answers with the same values.

Its error keys are the SDK's internal ones in either profile, and its exit codes tell wrong usage from wrong questions.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from typer.testing import CliRunner

from codecarbon.cli.carbon_aware import program
from tests.web.blackbox.cases import AVERAGE, AVERAGES, BINDING, BY, CURRENT, EMISSIONS, FORECASTS, MIDNIGHT, PROFILES
from tests.web.blackbox.sites import make_site

COMMANDS = {
    "/emissions/bylocation": ("emissions",),
    BY: ("emissions",),
    BY + "/best": ("emissions", "--best"),
    AVERAGE: ("emissions", "--average"),
    CURRENT: ("emissions-forecasts",),
}
OPTIONS = {
    "location": "-l",
    "time": "-s",
    "toTime": "-e",
    "startTime": "-s",
    "endTime": "-e",
    "dataStartAt": "-s",
    "dataEndAt": "-e",
    "windowSize": "-w",
}
FAILURE, WRONG_QUESTION = 1, 2
# What the program names by its options instead.
NAMED_BY_OPTION = {"windowSize": "--window-size", "startTime": "--start-time", "endTime": "--end-time"}


def arguments_of(case):
    """The command for a case; None for what only a query can spell."""
    parts = urlsplit(case.path)
    pairs = parse_qsl(parts.query)
    if case.body is not None or parts.path not in COMMANDS or any(name not in OPTIONS for name, _ in pairs):
        return None
    return [*COMMANDS[parts.path], *(word for name, value in pairs for word in (OPTIONS[name], value))]


CASES = [
    pytest.param(case, arguments, profile, id=f"{case.number}-{position}-{profile}")
    for position, case in enumerate([*EMISSIONS, *AVERAGES, *FORECASTS])
    if (arguments := arguments_of(case)) is not None
    for profile in PROFILES
]


@pytest.mark.parametrize(("case", "arguments", "profile"), CASES)
def test_command_answers_as_the_server_does(tmp_path, case, arguments, profile):
    site = make_site(case.site, tmp_path)
    done = CliRunner().invoke(
        program, [arguments[0], "--config", str(site.write(profile)), "--profile", profile, *arguments[1:]]
    )
    expected = getattr(case, profile)
    shown = f"{arguments} -> {done.exit_code} {done.stdout[:500]} {done.stderr[:500]}"
    if expected.status >= 400:
        is_usage = expected.title == BINDING or "-l" not in arguments
        is_failure = is_usage or expected.title == "InvalidOperationException"
        assert done.exit_code == (FAILURE if is_failure else WRONG_QUESTION), shown
        keys = [] if is_usage else [NAMED_BY_OPTION.get(key, f"{key}: ") for key in case.strict.errors or ()]
        assert [key for key in keys if key not in done.stderr] == [], shown
        assert done.stdout == "" or is_usage, shown  # wrong usage shows the help
        return
    assert done.exit_code == 0, shown
    rows = json.loads(done.stdout)
    if expected.status == 204:
        assert rows == [], shown
    if expected.values is not None:
        assert [row["Rating"] for row in rows] == pytest.approx(expected.values, rel=1e-9), shown
    if expected.points is not None:
        assert pairs(rows[0]["ForecastData"]) == [pytest.approx(point, rel=1e-9) for point in expected.points], shown
    if expected.optimal is not None:
        assert [minute for minute, _ in pairs(rows[0]["OptimalDataPoints"])] == list(expected.optimal), shown


def pairs(points):
    """Minutes after the forecast's begin, and values."""
    starts = [datetime.fromisoformat(point["Time"]) for point in points]
    minutes = [(start - MIDNIGHT) / timedelta(minutes=1) for start in starts]
    return [(minute, point["Rating"]) for minute, point in zip(minutes, points, strict=True)]
