"""What every built-in output handler keeps to."""

from __future__ import annotations

import logging
from dataclasses import asdict

import pytest

from codecarbon.handlers import BaseOutput, Dispatcher, FileOutput, GoogleCloudLoggerOutput, LoggerOutput, RunView
from codecarbon.handlers.offset.handler import OffsetOutput
from tests.support.offsets import ScriptedProvider, make_plan
from tests.support.records import emissions_data, task_data


class Cloud:
    """Stands in for a logger of Google Cloud."""

    def log_struct(self, info, *, severity):
        info.clear()


def silent_logger():
    logger = logging.getLogger("tests.contract.handlers")
    logger.handlers[:] = [logging.NullHandler()]
    logger.propagate = False
    return logger


MAKERS = {
    "base": lambda folder: BaseOutput(),
    "csv": lambda folder: FileOutput("emissions.csv", str(folder)),
    "csv update": lambda folder: FileOutput("emissions.csv", str(folder), "update"),
    "logger": lambda folder: LoggerOutput(silent_logger()),
    "offset": lambda folder: OffsetOutput(make_plan(ScriptedProvider(), folder / "ledger.sqlite3")),
    "google cloud": lambda folder: GoogleCloudLoggerOutput(Cloud()),
}


@pytest.fixture(params=MAKERS, ids=str)
def make(request, tmp_path):
    return lambda: MAKERS[request.param](tmp_path)


def test_making_one_writes_nothing(make, tmp_path):
    make()
    assert list(tmp_path.iterdir()) == []


def test_all_methods_take_positional_arguments_and_return_nothing(make):
    handler = make()
    if hasattr(handler, "run_begins"):
        assert handler.run_begins(RunView("run", "machine", lambda: 0.1)) is None
    assert handler.live_out(emissions_data(), emissions_data()) is None
    assert handler.out(emissions_data(), emissions_data()) is None
    assert handler.task_out([task_data("a")], "base") is None
    assert handler.task_out([], "base") is None
    assert handler.exit() is None


def test_records_are_not_changed(make):
    handler = make()
    total, delta, task = emissions_data(), emissions_data(emissions=0.5), task_data("a")
    before = [asdict(record) for record in (total, delta, task)]
    handler.live_out(total, delta)
    handler.out(total, delta)
    handler.task_out([task], "base")
    assert [asdict(record) for record in (total, delta, task)] == before


def test_a_run_may_start_again_after_exit(make):
    handler = make()
    for _ in range(2):
        handler.out(emissions_data(), emissions_data())
        handler.exit()
        handler.exit()


def test_nothing_is_printed(make, capfd):
    handler = make()
    handler.out(emissions_data(), emissions_data())
    handler.exit()
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("project_name", ["%s", "a,b", 'q"q', "l1\nl2", "\ud800", "nul\0", "ünïcode ☃"])
def test_any_text_is_taken(make, project_name):
    data = emissions_data(project_name=project_name)
    dispatcher = Dispatcher([make()])
    dispatcher.live_out(data, data)
    dispatcher.out(data, data)
    dispatcher.task_out([task_data("t", project_name=project_name)], project_name)
    dispatcher.exit()
    assert dispatcher.faults == ()
