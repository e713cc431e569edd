"""Results as log records."""

from __future__ import annotations

import json
import logging

from codecarbon.handlers import GoogleCloudLoggerOutput, LoggerOutput
from codecarbon.handlers.logger import as_output
from tests.support.records import emissions_data


class Sink(logging.Handler):
    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


def sink_logger():
    logger = logging.Logger("somewhere")  # noqa: LOG001 (belongs to this test alone)
    logger.addHandler(Sink())
    return logger, logger.handlers[0].records


def test_a_record_is_one_json_object_on_one_line_whatever_is_in_it():
    logger, records = sink_logger()
    data = emissions_data(project_name="100% %s\nnew line")
    LoggerOutput(logger).out(data, data)
    (record,) = records
    assert record.levelno == logging.INFO
    assert "\n" not in record.getMessage()
    assert json.loads(record.getMessage()) == data.values


def test_live_reports_are_logged_alike_at_the_level_asked_for():
    logger, records = sink_logger()
    LoggerOutput(logger, logging.ERROR).live_out(emissions_data(emissions=0.5), emissions_data())
    assert json.loads(records[0].getMessage())["emissions"] == 0.5
    assert records[0].levelno == logging.ERROR


def test_google_cloud_gets_a_structure():
    class Cloud:
        def log_struct(self, info, *, severity):
            self.entry = (info, severity)

    cloud = Cloud()
    data = emissions_data()
    GoogleCloudLoggerOutput(cloud, logging.WARNING).live_out(data, data)
    assert cloud.entry == (data.values, "WARNING")
    assert isinstance(as_output(cloud), GoogleCloudLoggerOutput)


def test_a_plain_logger_is_wrapped_and_an_output_is_not():
    logger, _ = sink_logger()
    output = as_output(logger)
    assert type(output) is LoggerOutput
    assert output.logger is logger
    assert as_output(output) is output
