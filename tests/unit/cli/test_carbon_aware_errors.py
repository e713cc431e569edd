"""The lines and the exit code of each kind of error, and flags with a value."""

from __future__ import annotations

import pytest

from codecarbon.carbon_aware.names import BINDING_DETAIL
from codecarbon.cli.carbon_aware import _plain_flags
from codecarbon.cli.carbon_aware_commands import tell_error
from codecarbon.errors import (
    CapabilityError,
    ConfigError,
    DiscontinuousData,
    InvalidParameters,
    MissingExtraError,
    NotConfigured,
    NotCovered,
    ProviderDataError,
    ProviderRejected,
    ProviderUnavailable,
    UnknownLocation,
)

BOTH = (("locations", "{locations} is not set"), ("start", "{start} must be before {end}"))


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (
            InvalidParameters(BOTH),
            2,
            [
                "Invalid parameters",
                "MultipleLocations: MultipleLocations is not set",
                "Start: Start must be before End",
            ],
        ),
        (
            InvalidParameters((("start", "one"), ("start", "two"))),
            2,
            ["Invalid parameters", "Start: one", "two"],
        ),
        (
            InvalidParameters((("window_size", "{window_size} is too much"),), BINDING_DETAIL),
            2,
            [BINDING_DETAIL, "--window-size: --window-size is too much"],
        ),
        (UnknownLocation("atlantis"), 2, ["Unknown Location: 'atlantis' not found"]),
        (NotConfigured("ForecastDataSource"), 2, ["ForecastDataSource is not configured"]),
        (NotCovered("Period out of range."), 2, ["Period out of range."]),
        (
            ProviderRejected("too many", "electricity_maps", "x", 429, "slow down"),
            3,
            ["ElectricityMapsClientHttpException", "429", "too many: slow down"],
        ),
        (DiscontinuousData("there is a gap"), 1, ["there is a gap", ""]),
        (CapabilityError("not implemented", "electricity_maps"), 1, ["not implemented", ""]),
        (ProviderUnavailable("no answer", "watttime"), 1, ["no answer", ""]),
        (ProviderDataError("nonsense", "watttime"), 1, ["nonsense", ""]),
        (ConfigError("x", "y", "a file", "z"), 1, ["x='y' (from a file) cannot be used: expected z", ""]),
    ],
)
def test_an_errors_lines_and_exit_code(capsys, error, code, lines):
    assert tell_error(error) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "\n".join(lines) + "\n"


def test_the_cause_stands_on_the_second_line(capsys):
    error = ProviderUnavailable("no answer", "watttime")
    error.__cause__ = TimeoutError("15 s are over")
    assert tell_error(error) == 1
    assert capsys.readouterr().err == "no answer\n15 s are over\n"


def test_a_cause_that_is_in_the_message_is_not_said_again(capsys):
    error = ConfigError("urls", "http://x", "settings", "a port that is free (Address already in use)")
    error.__cause__ = OSError(98, "Address already in use (while attempting to bind)")
    assert tell_error(error) == 1
    assert capsys.readouterr().err == f"{error}\n\n"


def test_a_missing_extra_is_told_with_its_pip_line(capsys):
    assert tell_error(MissingExtraError("carbon-aware", "The Carbon Aware WebApi")) == 1
    assert "pip install 'codecarbon[carbon-aware]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        (["-b"], ["-b"]),
        (["--best", "true", "-l", "x"], ["--best", "-l", "x"]),
        (["--best", "FALSE", "-l", "x"], ["-l", "x"]),
        (["--best=false"], []),
        (["-a", "true"], ["-a"]),
        (["-v", "false", "-b"], ["-b"]),
        (["--best=maybe"], ["--best=maybe"]),
        (["-l", "true"], ["-l", "true"]),
        (["-l", "x", "-b"], ["-l", "x", "-b"]),
        ([], []),
    ],
)
def test_flags_with_a_value_become_flags_or_nothing(given, plain):
    assert _plain_flags(given) == plain


def test_a_number_that_is_none_is_refused_in_words(capsys):
    from codecarbon.cli.carbon_aware import program

    with pytest.raises(SystemExit) as ended:
        program(["emissions-forecasts", "-l", "eastus", "-w", "abc"])
    assert ended.value.code == 1
    assert "'abc' is not a whole number" in capsys.readouterr().err


def test_the_text_of_the_error_itself_has_no_marks_for_names():
    assert str(InvalidParameters(BOTH)) == "Invalid parameters: locations is not set; start must be before end"
    assert str(InvalidParameters((), "nothing to ask")) == "nothing to ask"
