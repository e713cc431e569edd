"""``codecarbon when``: options read, starts written for schedulers, and the text for people."""

from __future__ import annotations

import json
import re
import time

import pytest

from codecarbon.carbon_aware.decision import Decision, Wish
from codecarbon.carbon_aware.results import EmissionsRow, ScheduleOption
from codecarbon.cli import when
from codecarbon.errors import ConfigError
from codecarbon.model import TimeSpan
from codecarbon.units import US_PER_HOUR, US_PER_MIN, US_PER_S, us_from_iso

NOW_US = us_from_iso("2030-05-17T22:10:20.5Z")
START_US = us_from_iso("2030-05-18T02:30:15Z")


@pytest.fixture
def zone(monkeypatch):
    def use(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    use("UTC")
    yield use
    monkeypatch.undo()
    time.tzset()


def option(start_us: int, value: float = 100.0, **facts) -> ScheduleOption:
    spans = facts.pop("spans", (TimeSpan(start_us, start_us + US_PER_HOUR),))
    return ScheduleOption("eastus", spans, value, 400.0, 1 - value / 400.0, **facts)


def chosen(*alternatives: ScheduleOption, start_us: int = START_US, **facts) -> Decision:
    return Decision(
        **{
            "start_us": start_us,
            "decided_us": NOW_US,
            "is_now": False,
            "because": "it is so",
            "option": alternatives[0],
            "alternatives": alternatives,
            "signal": "average",
            "sources": ("sample",),
            "generated_us": NOW_US,
            **facts,
        }
    )


NOW = Decision(NOW_US, NOW_US, is_now=True, because="nobody answers")
WISH = Wish(3600.0, NOW_US + 24 * US_PER_HOUR, ("eastus",))


# --- options ----------------------------------------------------------------------------------------------------------


def test_options_become_a_wish():
    ask = when.Ask("3h", None, "24h", "2.5%", "eastus,westus", "0.3kW", "2", "5m", "4", "sample", None, False)
    wish = when.read_wish(ask, now_us=NOW_US)
    assert wish == Wish(
        duration_s=10800.0,
        latest_end_us=NOW_US + 27 * US_PER_HOUR,
        locations=("eastus", "westus"),
        power_w=300.0,
        pieces=2,
        resume_cost_s=300.0,
        alternatives=4,
        seed=None,
        allows_synthetic=True,
        min_saving_ratio=0.025,
    )


def test_waiting_has_to_save_one_percent_unless_told_otherwise():
    assert when.read_wish(when.Ask("3h"), now_us=NOW_US).min_saving_ratio == 0.01
    assert when.read_wish(when.Ask("3h", min_saving="0"), now_us=NOW_US).min_saving_ratio == 0


def test_starts_are_spread_differently_each_time():
    first, second = (when.read_wish(when.Ask("3h"), now_us=NOW_US).seed for _ in range(2))
    assert first
    assert first != second


def test_a_duration_is_needed_where_nothing_stands_in():
    with pytest.raises(ConfigError, match="option --duration"):
        when.read_wish(when.Ask(), now_us=NOW_US)
    assert when.read_wish(when.Ask(), now_us=NOW_US, default_duration="1h").duration_s == 3600


@pytest.mark.parametrize(
    ("ask", "name"),
    [
        (when.Ask("long"), "duration"),
        (when.Ask("3h", deadline="tomorrow"), "deadline"),
        (when.Ask("3h", within="soon"), "within"),
        (when.Ask("3h", min_saving="a bit"), "min-saving"),
        (when.Ask("3h", min_saving=""), "min-saving"),
        (when.Ask("3h", power="much"), "power"),
        (when.Ask("3h", pieces="0"), "pieces"),
        (when.Ask("3h", pieces="two"), "pieces"),
        (when.Ask("3h", resume_cost="x"), "resume-cost"),
        (when.Ask("3h", alternatives="101"), "alternatives"),
    ],
)
def test_a_bad_option_is_named(ask, name):
    with pytest.raises(ConfigError, match=f"from option --{name}") as caught:
        when.read_wish(ask, now_us=NOW_US)
    assert caught.value.origin.startswith("option "), "so the program exits 2"


def test_an_unknown_format_is_refused():
    with pytest.raises(ConfigError, match="option --format"):
        when.when(when.Ask("3h"), "xml")


# --- schedulers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "tz", "text"),
    [
        ("epoch", "UTC", str(START_US // US_PER_S)),
        ("slurm", "UTC", "2030-05-18T02:30:15"),
        ("slurm", "America/New_York", "2030-05-17T22:30:15"),
        ("at", "UTC", "203005180230"),
        ("at", "Asia/Kolkata", "203005180800"),
        ("systemd", "America/New_York", "2030-05-18 02:30:15 UTC"),
    ],
)
def test_a_start_in_a_schedulers_words(zone, form, tz, text):
    zone(tz)
    assert when.write_start(START_US, form, now_us=NOW_US) == text


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("epoch", str(NOW_US // US_PER_S)),
        ("slurm", "now"),
        ("at", "203005172211"),
        ("systemd", "2030-05-17 22:10:25 UTC"),
    ],
)
def test_now_is_a_moment_that_the_scheduler_still_takes(zone, form, text):
    assert when.write_start(NOW_US, form, now_us=NOW_US) == text


def test_at_never_gets_a_minute_that_is_over(zone):
    for second in range(0, 180, 7):
        now_us = NOW_US + second * US_PER_S
        text = when.write_start(NOW_US + US_PER_MIN, "at", now_us=now_us)
        assert us_from_iso(f"2030-05-17T{text[8:10]}:{text[10:12]}Z") > now_us


@pytest.mark.parametrize("form", ["at", "slurm", "systemd", "epoch"])
def test_output_has_the_schedulers_syntax(zone, form):
    pattern = {
        "at": r"\d{12}",  # touch(1): [[CC]YY]MMDDhhmm
        "slurm": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
        "systemd": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC",
        "epoch": r"\d{10}",
    }[form]
    assert re.fullmatch(pattern, when.write_start(START_US, form, now_us=NOW_US))


def test_every_piece_has_its_start():
    spans = (TimeSpan(START_US, START_US + 1), TimeSpan(START_US + US_PER_HOUR, START_US + US_PER_HOUR + 1))
    assert when.starts_us(chosen(option(START_US, spans=spans))) == [START_US, START_US + US_PER_HOUR]
    assert when.starts_us(NOW) == [NOW_US]


# --- programs ---------------------------------------------------------------------------------------------------------


def test_json_has_the_choice_and_what_it_rests_on():
    document = json.loads(json.dumps(when.document(chosen(option(START_US), option(START_US + 1)), WISH)))
    assert document["schema"] == "codecarbon.when/1"
    assert (document["is_now"], document["because"]) == (False, "it is so")
    assert document["start_utc"] == "2030-05-18T02:30:15Z"
    assert document["start_epoch_s"] == START_US / 1e6
    assert document["latest_end_utc"] == "2030-05-18T22:10:20.500000Z"
    assert document["min_saving_ratio"] == 0.01
    assert (document["signal"], document["sources"], document["is_synthetic"]) == ("average", ["sample"], False)
    assert document["chosen"]["spans_utc"] == [["2030-05-18T02:30:15Z", "2030-05-18T03:30:15Z"]]
    assert document["chosen"]["saving_ratio"] == 0.75
    assert len(document["alternatives"]) == 2


def test_json_without_data_has_nulls_and_no_zeros():
    document = when.document(NOW, WISH)
    assert (document["is_now"], document["because"]) == (True, "nobody answers")
    for name in ("location", "signal", "forecast_generated_utc", "chosen"):
        assert document[name] is None


# --- people -----------------------------------------------------------------------------------------------------------


def test_one_line_explains(zone):
    assert when.explain(chosen(option(START_US))) == ("start Sat 18 May 02:30:15 UTC, in 4:19:54, because it is so")
    assert when.explain(NOW) == "run now, because nobody answers"
    assert when.explain(chosen(option(START_US), is_synthetic=True)).endswith("; the data are synthetic")


def test_text_has_line_picture_and_ranking(zone):
    points = tuple(EmissionsRow("eastus", START_US + at * US_PER_HOUR, 100.0, US_PER_HOUR) for at in range(2))
    other = option(START_US + US_PER_HOUR, 500.0, emissions_g=150.0)
    same = option(START_US + 2 * US_PER_HOUR, 400.0)
    decision = chosen(option(START_US, emissions_g=30.0), other, same, points=points)
    wish = Wish(3600.0, NOW_US + 24 * US_PER_HOUR, ("eastus", "westus"), power_w=300.0)
    lines = when._text(decision, wish).splitlines()
    assert lines[0] == "Start Sat 18 May 02:30:15 UTC, in 4:19:54, because it is so."
    assert lines[3].split() == ["Sat", "18", "May", "02:30", "100", "<"]
    assert lines[-3:] == [
        "  1. Sat 02:30 to Sat 03:30  eastus  100 g/kWh, 75 % less than now, 30.0 g CO2eq",
        "  2. Sat 03:30 to Sat 04:30  eastus  500 g/kWh, 25 % more than now, 150 g CO2eq",
        "  3. Sat 04:30 to Sat 05:30  eastus  400 g/kWh, as now",
    ]


def test_text_without_data_is_one_line(zone):
    assert when._text(NOW, WISH) == "Run now, because nobody answers.\n"


@pytest.mark.parametrize(("duration", "said"), [(None, "how long the job takes"), ("400d", "of a year at most")])
def test_a_duration_that_is_missing_or_too_long_is_told_as_such(duration, said):
    with pytest.raises(ConfigError, match=said):
        when.read_wish(when.Ask(duration=duration), now_us=0)
