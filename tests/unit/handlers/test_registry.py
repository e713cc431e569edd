"""From settings to handlers."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from codecarbon.config import resolve
from codecarbon.errors import OutputPathError
from codecarbon.handlers import BaseOutput, FileOutput, LoggerOutput, build_handlers


@pytest.fixture
def handlers_for(tmp_path):
    def run(**arguments):
        places = {"cwd": str(tmp_path), "home": str(tmp_path)}
        return build_handlers(resolve({"output_dir": str(tmp_path), **arguments}, environ={}, **places))

    return run


def test_the_default_is_a_csv_file(handlers_for, tmp_path):
    (handler,) = handlers_for(on_csv_write="update", output_file="x.csv")
    assert isinstance(handler, FileOutput)
    assert (handler.save_file_path, handler.on_csv_write) == (str(tmp_path / "x.csv"), "update")


def test_own_handlers_come_first_and_the_named_ones_in_their_fixed_order(handlers_for):
    own = [BaseOutput(), BaseOutput()]
    handlers = handlers_for(output_handlers=own, output_methods="logger,csv")
    assert handlers[:2] == own
    assert [type(handler) for handler in handlers[2:]] == [FileOutput, LoggerOutput]
    assert len(own) == 2


def test_no_method_no_handler(handlers_for):
    assert handlers_for(output_methods=[]) == []
    assert handlers_for(save_to_file=False) == []


def test_the_logger_method_wraps_a_plain_logger_or_takes_ours(handlers_for):
    mine = logging.getLogger("mine")
    assert handlers_for(output_methods="logger", logging_logger=mine)[0].logger is mine
    wrapped = LoggerOutput(mine)
    assert handlers_for(output_methods="logger", logging_logger=wrapped) == [wrapped]
    assert handlers_for(output_methods="logger")[0].logger is logging.getLogger("codecarbon")


def test_a_logger_alone_asks_for_nothing(handlers_for):
    assert handlers_for(save_to_file=False, logging_logger=logging.getLogger("mine")) == []


def test_methods_that_do_not_exist_yet_make_no_handler(handlers_for):
    assert handlers_for(output_methods="api,prometheus,logfire,boamps") == []


def test_a_folder_that_is_a_file_names_the_origin(tmp_path):
    (tmp_path / "taken").touch()
    settings = resolve(
        {}, environ={"CODECARBON_OUTPUT_DIR": str(tmp_path / "taken")}, cwd=str(tmp_path), home=str(tmp_path)
    )
    with pytest.raises(OutputPathError) as caught:
        build_handlers(settings)
    assert caught.value.origin == "environment variable CODECARBON_OUTPUT_DIR"


PLUGIN = """
from codecarbon.config import resolve
from codecarbon.errors import ConfigError
from codecarbon.handlers import build_handlers
(handler,) = build_handlers(resolve({"output_methods": "Teletype", "project_name": "p"}))
print(type(handler).__name__, handler.settings.project_name)
try:
    resolve({"output_methods": "telegraph"})
except ConfigError as error:
    print(error.field)
"""


def test_another_distribution_can_announce_a_handler(tmp_path):
    (tmp_path / "teletype.py").write_text(
        "class Teletype:\n    def __init__(self, settings):\n        self.settings = settings\n"
    )
    info = tmp_path / "teletype-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: teletype\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[codecarbon.handlers]\nteletype = teletype:Teletype\n")
    child = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{PLUGIN}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert child.stdout.split() == ["Teletype", "p", "output_methods"], child.stderr
