"""The logger: what is attached to it, how loud it is, and that it says each thing once."""

from __future__ import annotations

import io
import logging
import re
import sys
import warnings

import pytest

from codecarbon.config import (
    announce,
    forget_warnings,
    set_logger_format,
    set_logger_level,
    set_up_logging,
    warn_once,
)
from codecarbon.config.log import ConsoleHandler

logger = logging.getLogger("codecarbon")


@pytest.fixture(autouse=True)
def fresh_logger():
    """Give each test the logger as the import leaves it."""
    before = (logger.handlers[:], logger.level, logger.propagate)
    logger.handlers[:] = [logging.NullHandler()]
    logger.setLevel(logging.NOTSET)
    logger.propagate = True
    forget_warnings()
    yield
    logger.handlers[:], logger.level, logger.propagate = before
    logger.setLevel(before[1])
    forget_warnings()


@pytest.fixture
def stderr(capsys):
    """Give what was written to standard error since the test began."""
    return lambda: capsys.readouterr().err


def test_lines_have_the_known_format(said, stderr):
    set_up_logging(said())
    logger.info("hello %s", "you")
    logging.getLogger("codecarbon.handlers").warning("a child speaks too")
    first, second = stderr().splitlines()
    assert re.fullmatch(r"\[codecarbon INFO @ \d\d:\d\d:\d\d\] hello you", first)
    assert re.fullmatch(r"\[codecarbon WARNING @ \d\d:\d\d:\d\d\] a child speaks too", second)


def test_the_preamble_stands_in_each_line_even_with_a_per_cent_sign(said, stderr):
    set_up_logging(said({"logger_preamble": "50% of rank 3"}))
    logger.info("hello")
    assert re.fullmatch(r"\[codecarbon INFO @ [\d:]+\]\[50% of rank 3\] hello\n", stderr())


def test_a_second_tracker_replaces_the_format_and_adds_no_handler(said, stderr):
    set_up_logging(said({"logger_preamble": "one"}))
    set_up_logging(said({"logger_preamble": "two"}))
    logger.info("hello")
    (line,) = stderr().splitlines()
    assert "[two] hello" in line


def test_the_root_logger_is_never_touched(said, stderr):
    root = logging.getLogger()
    before = (root.level, root.handlers[:])
    set_up_logging(said({"log_level": "debug"}))
    assert (root.level, root.handlers[:]) == before


def test_handlers_of_the_user_survive(said, stderr, tmp_path):
    file = logging.FileHandler(tmp_path / "log")
    own = logging.NullHandler()
    file.setFormatter(logging.Formatter("mine: %(message)s"))
    logger.addHandler(file)
    logger.addHandler(own)
    set_up_logging(said())
    set_up_logging(said({"logger_preamble": "x"}))
    logger.info("hello")
    logger.removeHandler(file)
    file.close()
    assert own in logger.handlers
    assert (tmp_path / "log").read_text() == "mine: hello\n"
    assert stderr().count("hello") == 1


def test_no_second_console_beside_the_users(said, stderr):
    mine = logging.StreamHandler(io.StringIO())
    logger.addHandler(mine)
    set_up_logging(said())
    assert not [handler for handler in logger.handlers if isinstance(handler, ConsoleHandler)]


def test_d52_a_level_that_the_program_set_survives_a_new_tracker(said, stderr):
    logger.setLevel(logging.ERROR)
    set_up_logging(said())
    assert logger.level == logging.ERROR


def test_d52_the_default_of_a_second_tracker_does_not_reset_the_first_ones_level(said, stderr):
    set_up_logging(said({"log_level": "error"}))
    set_up_logging(said())
    assert logger.level == logging.ERROR


def test_d52_propagation_that_the_program_switched_on_stays_on(said, stderr):
    set_up_logging(said())
    assert logger.propagate is False
    logger.propagate = True
    set_up_logging(said())
    assert logger.propagate is True


def test_a_level_that_somebody_gave_is_set(said, stderr):
    logger.setLevel(logging.ERROR)
    set_up_logging(said({"log_level": "info"}))
    assert logger.level == logging.INFO
    set_up_logging(said(env={"CODECARBON_LOG_LEVEL": "10"}))
    assert logger.level == logging.DEBUG


@pytest.mark.parametrize(("given", "level"), [("WARN", 30), ("fatal", 50), (20, 20), ("notset", 0), ("15", 15)])
def test_known_levels(given, level):
    set_logger_level(given)
    assert logger.level == level


def test_an_unknown_level_is_logged_and_changes_nothing(stderr):
    set_logger_format()
    logger.setLevel(logging.WARNING)
    set_logger_level("loud")
    assert logger.level == logging.WARNING
    assert "Unknown log level 'loud'" in stderr()
    set_logger_level(None)
    assert logger.level == logging.WARNING


def test_one_cause_is_said_once(stderr):
    set_logger_format()
    assert warn_once("cause", "it is %s", "so") is True
    assert warn_once("cause", "it is %s", "different") is False
    assert warn_once("other", "and") is True
    assert [line.rsplit("] ")[-1] for line in stderr().splitlines()] == ["it is so", "and"]


def test_one_cause_can_be_said_again_after_a_while(stderr):
    set_logger_format()
    assert warn_once("cause", "it is so", again_after_s=3600) is True
    assert warn_once("cause", "it is so", again_after_s=3600) is False
    assert warn_once("cause", "it is so", again_after_s=0) is True
    assert stderr().count("it is so") == 2


def test_notices_are_said_once_per_process_in_the_level_of_the_log(said, stderr):
    for _ in range(2):
        settings = said({"colour": "100%"})
        set_up_logging(settings)
        announce(settings)
    assert stderr().count("colour is ignored") == 1
    set_up_logging(said({"log_level": "error"}))
    announce(said({"shape": 1}))
    assert "shape" not in stderr()


def test_a_deprecated_argument_warns_at_the_callers_line(said):
    settings = said({"save_to_file": False})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        announce(settings)
    (warning,) = caught
    assert warning.category is DeprecationWarning
    assert warning.filename == __file__
    assert "save_to_file is deprecated" in str(warning.message)


def test_a_replaced_standard_error_is_followed(said, monkeypatch):
    set_up_logging(said())
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logger.info("hello")
    assert "hello" in stream.getvalue()


def test_a_missing_standard_error_is_no_error(said, monkeypatch):
    set_up_logging(said())
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logger.info("hello")
