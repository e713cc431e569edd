"""What a value may look like, whoever gives it."""

from __future__ import annotations

import contextlib
import math
import uuid
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecarbon.config import SETTINGS, OutputMethod, Secret, parsers
from codecarbon.config.values import Noted


@pytest.mark.parametrize("word", ["1", "true", "yes", "on", "TRUE", " Yes ", "oN", True, 1, np.True_])
def test_words_for_true(word):
    assert parsers.boolean(word) is True


@pytest.mark.parametrize("word", ["0", "false", "no", "off", "FALSE", " No ", "oFF", False, 0, np.False_])
def test_words_for_false(word):
    assert parsers.boolean(word) is False


@pytest.mark.parametrize("word", ["", "maybe", "2", 2, -1, 1.0, [], object()])
def test_other_words_are_no_truth_value(word):
    with pytest.raises(ValueError, match="1, true, yes, on, 0, false, no or off"):
        parsers.boolean(word)


@pytest.mark.parametrize(("given_value", "value"), [("2", 2.0), (" 2.5e1 ", 25.0), (7, 7.0), (np.float32(0.5), 0.5)])
def test_numbers(given_value, value):
    assert parsers.number(above=0)(given_value) == value


@pytest.mark.parametrize("bad", ["", "x", "nan", "inf", math.nan, math.inf, -1, 0, True, None, [1], 10**400, 2 + 0j])
def test_what_is_no_number_above_zero(bad):
    with pytest.raises(ValueError, match=r"^a number above 0$"):
        parsers.number(above=0)(bad)


def test_a_range_is_named_in_full():
    parse = parsers.number(above=0, at_most=10)
    assert parse(10) == 10
    with pytest.raises(ValueError, match=r"^a number above 0 and of at most 10$"):
        parse(10.5)
    with pytest.raises(ValueError, match=r"^a number of at least 0$"):
        parsers.number(at_least=0)(-0.1)
    with pytest.raises(ValueError, match=r"^a number$"):
        parsers.number()("x")


def test_a_pue_below_one_is_used_and_remarked_upon():
    noted = parsers.pue("0.5")
    assert isinstance(noted, Noted)
    assert noted.value == 0.5
    assert parsers.pue(1) == 1.0
    with pytest.raises(ValueError, match="above 0"):
        parsers.pue(0)


@pytest.mark.parametrize(("given_value", "value"), [(-1, -1), ("-1", -1), (1, 1), ("8", 8), (8.0, 8)])
def test_live_intervals(given_value, value):
    assert parsers.live_interval(given_value) == value


@pytest.mark.parametrize("bad", [0, -2, 1.5, "x", math.inf, math.nan, True])
def test_what_is_no_live_interval(bad):
    with pytest.raises(ValueError, match="a whole number of at least 1, or -1 for never"):
        parsers.live_interval(bad)


@pytest.mark.parametrize(("given_value", "value"), [("auto", "auto"), (" AUTO ", "auto"), ("9", 9.0), (10_000, 1e4)])
def test_sampling_rates(given_value, value):
    assert parsers.sampling_hz(given_value) == value


@pytest.mark.parametrize("bad", [0, -1, 10_001, "often", None])
def test_what_is_no_sampling_rate(bad):
    with pytest.raises(ValueError, match=r"^auto, or a number above 0 and of at most 10000$"):
        parsers.sampling_hz(bad)


@pytest.mark.parametrize(
    ("given_value", "value"), [("INFO", "info"), ("warn", "warn"), (20, 20), ("10", 10), (0, 0), ("NotSet", "notset")]
)
def test_log_levels(given_value, value):
    assert parsers.log_level(given_value) == value


@pytest.mark.parametrize("bad", ["loud", -1, True, None, 1.5, ""])
def test_what_is_no_log_level(bad):
    with pytest.raises(ValueError, match="a level name"):
        parsers.log_level(bad)


@pytest.mark.parametrize(
    ("given_value", "value"),
    [
        ("csv", ("csv",)),
        ("CSV, logger", ("csv", "logger")),
        (["csv", OutputMethod.LOGGER, "Csv"], ("csv", "logger")),
        (OutputMethod.CSV, ("csv",)),
        ("['csv', 'boamps']", ("csv", "boamps")),
        ([], ()),
        ("", ()),
        ("none", ()),
    ],
)
def test_output_methods(given_value, value):
    assert parsers.output_methods(given_value) == value


@pytest.mark.parametrize("bad", ["cvs", ["csv", 3], 3, [None]])
def test_unknown_output_methods(bad):
    with pytest.raises(ValueError, match="a list of csv, api, logger, prometheus, logfire, boamps"):
        parsers.output_methods(bad)


@pytest.mark.parametrize(
    ("given_value", "value"), [("a", "a"), (3, "3"), (Path("/x"), "/x"), (uuid.UUID(int=1), str(uuid.UUID(int=1)))]
)
def test_texts(given_value, value):
    assert parsers.text(given_value) == value


@pytest.mark.parametrize("bad", [b"a", ["a"], {"a": 1}])
def test_what_is_no_text(bad):
    with pytest.raises(ValueError, match=r"^a text$"):
        parsers.text(bad)


def test_places_are_texts_only():
    assert parsers.lower(" California ") == "california"
    assert parsers.upper("fra") == "FRA"
    with pytest.raises(ValueError, match=r"^a text$"):
        parsers.lower(5)


def test_paths(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert parsers.path("~/runs") == "/home/me/runs"
    assert parsers.path(Path("a/b")) == "a/b"
    assert parsers.path(b"a") == "a"
    for bad in (3, ["a"], "\ud800"):
        with pytest.raises(ValueError, match=r"^a path$"):
            parsers.path(bad)
    with pytest.raises(ValueError, match="NUL"):
        parsers.path("a\0b")


def test_a_secret_is_hidden_at_once():
    assert parsers.secret(" t ") == Secret("t")
    assert parsers.secret(Secret("t")) == Secret("t")
    with pytest.raises(ValueError, match=r"^a text$"):
        parsers.secret(3)


def test_an_address_can_be_switched_off():
    assert parsers.address(False) is None
    assert parsers.address("http://x/%20") == "http://x/%20"


class _Handler:
    def live_out(self, total, delta): ...


def test_handlers_are_objects_with_one_of_the_methods():
    handler = _Handler()
    mine = [handler]
    kept = parsers.handler_list(mine)
    mine.append(None)
    assert kept == (handler,)
    for bad in (handler, [_Handler], [3], "csv"):
        with pytest.raises(ValueError, match="output handler"):
            parsers.handler_list(bad)


def test_a_logger_is_an_object_that_logs():
    with pytest.raises(ValueError, match=r"a logging\.Logger or a LoggerOutput"):
        parsers.logger_object("root")


@pytest.mark.parametrize(
    ("given_value", "ids", "refused"),
    [
        (None, None, []),
        ("0, 1", ["0", "1"], []),
        ("[0, 1, 2", ["0", "1", "2"], []),
        ("GPU-4e81,MIG-f1e", ["GPU-4e81", "MIG-f1e"], []),
        ([0, "1", " MIG-f1e "], [0, "1", "MIG-f1e"], []),
        ([0, None, 1.5, True, ""], [0], [None, 1.5, True, ""]),
        (2, [2], []),
        (1.5, None, [1.5]),
        (True, None, [True]),
        ([], [], []),
        ("", [], []),
    ],
)
def test_gpu_ids_are_cleaned(given_value, ids, refused):
    assert parsers.clean_gpu_ids(given_value) == (ids, refused)


def test_no_gpu_and_any_gpu_are_not_the_same():
    assert parsers.gpu_ids([]) == ()
    assert parsers.gpu_ids("") is None
    noted = parsers.gpu_ids([0, None])
    assert (noted.value, "None" in noted.remark) == ((0,), True)
    assert parsers.gpu_ids({}).value is None


@given(st.one_of(st.text(), st.floats(), st.integers(), st.binary(), st.none(), st.lists(st.text(max_size=3))))
def test_parsers_refuse_with_nothing_but_a_value_error(value):
    for row in SETTINGS:
        with contextlib.suppress(ValueError):
            row.parse(value)
