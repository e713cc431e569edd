"""The logger as programs written for version 3 know it."""

from __future__ import annotations

import logging
import re

import pytest

from codecarbon.external.logger import logger, set_logger_format, set_logger_level


@pytest.fixture(autouse=True)
def put_back():
    before = (logger.handlers[:], logger.level, logger.propagate)
    yield
    logger.handlers[:], logger.propagate = before[0], before[2]
    logger.setLevel(before[1])


def test_it_is_the_standard_one():
    assert logger is logging.getLogger("codecarbon")


def test_a_file_handler_survives_a_new_format(tmp_path, capsys):
    handler = logging.FileHandler(tmp_path / "log")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    set_logger_format("first")
    set_logger_format("second")
    logger.info("hello")
    logger.removeHandler(handler)
    handler.close()
    assert (tmp_path / "log").read_text() == "hello\n"
    assert re.fullmatch(r"\[codecarbon INFO @ \d\d:\d\d:\d\d\]\[second\] hello\n", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("given", "level"), [("CRITICAL", 50), ("fatal", 50), ("Error", 40), ("warn", 30), ("WARNING", 30), ("debug", 10)]
)
def test_level_names_in_any_case(given, level):
    set_logger_level(given)
    assert logger.level == level


def test_an_unknown_level_changes_nothing():
    set_logger_level(30)
    set_logger_level("shout")
    assert logger.level == 30
