from __future__ import annotations

import io

import pytest

from codecarbon import units
from codecarbon.cli import text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (413.24, "413"), (12345.6, "12,346"), (0.0001234, "0.000123"), (9.999, "10.00"), (-2.5, "-2.50")],
)
def test_number_has_three_digits_and_no_exponent(value, shown):
    assert text.number(value) == shown


def test_number_that_is_not_finite_is_shown_as_such():
    assert text.number(float("inf")) == "inf"


@pytest.mark.parametrize(
    ("energy_j", "shown"),
    [
        (0.0, "0 J"),
        (2e-6, "2.00 µJ"),
        (0.05, "50.0 mJ"),
        (0.5, "0.500 J"),
        (413.2, "413 J"),
        (999_999, "999,999 J"),
        (3.6e6, "1.000 kWh"),
    ],
)
def test_energy_turns_to_kwh_when_joules_get_long(energy_j, shown):
    assert text.energy(energy_j) == shown


@pytest.mark.parametrize(
    ("energy_j", "shown"),
    [(0.0, "0 kWh"), (36.0, "10.0 mWh"), (3600.0, "1.00 Wh"), (3.6e6, "1.00 kWh"), (1e-9, "0.000278 nWh")],
)
def test_watt_hours_have_the_prefix_that_is_easy_to_read(energy_j, shown):
    assert text.watt_hours(energy_j) == shown


def test_ends_of_an_interval_share_their_unit():
    assert text.energy_range(1.0, 7.2e6) == "0.0000002778 to 2.000 kWh"
    assert text.energy_range(0.001, 0.062) == "1.00 to 62.0 mJ"


@pytest.mark.parametrize(
    ("mass_g", "shown"),
    [(0.0, "0.0000 g CO2eq"), (0.0064, "0.00640 g CO2eq"), (6.4, "6.4000 g CO2eq"), (12_000, "12.00 kg CO2eq")],
)
def test_mass_has_at_least_four_decimals_in_grams(mass_g, shown):
    assert text.mass(mass_g) == shown


@pytest.mark.parametrize(
    ("ratio", "shown"), [(0.0, "0 %"), (0.001, "< 1 %"), (0.5, "50 %"), (0.9999, "> 99 %"), (1.0, "100 %")]
)
def test_percent_is_only_whole_when_the_ratio_is(ratio, shown):
    assert units.percent_from_ratio(ratio) == shown


@pytest.mark.parametrize(
    ("ratio", "shown"), [(0.0, "0.0 %"), (0.0004, "< 0.1 %"), (0.004, "0.4 %"), (0.9999, "> 99.9 %"), (1.0, "100.0 %")]
)
def test_percent_can_have_a_decimal(ratio, shown):
    assert units.percent_from_ratio(ratio, decimals=1) == shown


@pytest.mark.parametrize(
    ("duration_s", "shown"), [(0.0042, "0.00420 s"), (10.21, "10.2 s"), (125, "2:05 min"), (3725, "1:02:05 h")]
)
def test_duration_turns_to_clock_time(duration_s, shown):
    assert text.duration(duration_s) == shown


def test_wrapped_lines_stand_below_the_first_word():
    lines = text.wrap("  Scope:  ", "the whole machine, other programs included", 30)
    assert lines == ["  Scope:  the whole machine,", "          other programs", "          included"]


def test_attributes_take_no_columns():
    style = text.Style(is_coloured=True)
    assert text.width(style.bold("ab")) == 2
    assert text.wrap("", f"{style.bad('ab')} cd", 5) == [f"{style.bad('ab')} cd"]


def test_word_too_long_for_a_line_stays_whole():
    assert text.wrap("- ", "/a/very/long/path x", 8) == ["- /a/very/long/path", "  x"]


def test_plain_style_adds_nothing():
    assert text.Style(is_coloured=False).good("live") == "live"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_no_color_is_honoured(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert text.has_colour(_Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not text.has_colour(_Terminal())
    assert text.is_terminal(_Terminal())


def test_a_dumb_terminal_a_file_and_nothing_are_no_terminals(monkeypatch):
    closed = _Terminal()
    closed.close()
    monkeypatch.setenv("TERM", "xterm")
    assert not text.is_terminal(io.StringIO())
    assert not text.is_terminal(None)
    monkeypatch.setenv("TERM", "dumb")
    assert not text.is_terminal(_Terminal())
