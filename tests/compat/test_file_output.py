"""The CSV handler as programs written for version 3 know it."""

from __future__ import annotations

import csv
import inspect

import pytest

import codecarbon.output
import codecarbon.output_methods.base_output
import codecarbon.output_methods.emissions_data
import codecarbon.output_methods.file
import codecarbon.output_methods.logger
from codecarbon.output import BaseOutput, EmissionsData, FileOutput, OutputMethod, TaskEmissionsData
from tests.support.records import emissions_data, task_data


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_old_paths_lead_to_the_same_classes():
    methods = codecarbon.output_methods
    assert methods.file.FileOutput is FileOutput
    assert methods.base_output.BaseOutput is BaseOutput
    assert methods.base_output.OutputMethod is OutputMethod
    assert methods.emissions_data.EmissionsData is EmissionsData
    assert methods.emissions_data.TaskEmissionsData is TaskEmissionsData
    assert methods.logger.LoggerOutput is codecarbon.output.LoggerOutput
    assert methods.logger.GoogleCloudLoggerOutput is codecarbon.output.GoogleCloudLoggerOutput


def test_output_methods_are_texts():
    values = {method.name: method.value for method in OutputMethod}
    assert values == {name: name.lower() for name in ("CSV", "API", "LOGGER", "PROMETHEUS", "LOGFIRE", "BOAMPS")}
    assert OutputMethod("csv") == "csv"
    with pytest.raises(ValueError, match="not a valid OutputMethod"):
        OutputMethod("fax")


def test_signature():
    assert list(inspect.signature(FileOutput).parameters) == ["output_file_name", "output_dir", "on_csv_write"]
    for name, arguments in (
        ("out", ["self", "total", "delta"]),
        ("live_out", ["self", "total", "delta"]),
        ("task_out", ["self", "data", "experiment_name"]),
        ("exit", ["self"]),
    ):
        assert list(inspect.signature(getattr(FileOutput, name)).parameters) == arguments


def test_bad_mode_and_bad_folder(tmp_path):
    with pytest.raises(ValueError, match="append or update"):
        FileOutput("emissions.csv", str(tmp_path), on_csv_write="overwrite")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        FileOutput("emissions.csv", str(tmp_path / "file"))


def test_flush_and_stop_leave_two_cumulative_rows(tmp_path):
    output = FileOutput("emissions.csv", str(tmp_path))
    for emissions in (1.0, 3.0):
        output.out(emissions_data(emissions=emissions), emissions_data(emissions=2.0))
    assert [row["emissions"] for row in read(tmp_path / "emissions.csv")] == ["1.0", "3.0"]


def test_live_reports_and_exit_write_nothing(tmp_path):
    output = FileOutput("emissions.csv", str(tmp_path))
    output.live_out(emissions_data(), emissions_data())
    output.exit()
    assert list(tmp_path.iterdir()) == []


def test_a_file_with_other_headers_is_kept_as_a_backup(tmp_path):
    (tmp_path / "emissions.csv").write_text("old,header\n1,2\n")
    FileOutput("emissions.csv", str(tmp_path)).out(emissions_data(), emissions_data())
    assert len((tmp_path / "emissions.csv.bak").read_text().splitlines()) == 2
    assert len(read(tmp_path / "emissions.csv")) == 1


def test_a_file_of_version_3_is_appended_to(tmp_path):
    output = FileOutput("emissions.csv", str(tmp_path))
    output.out(emissions_data(run_id="old"), emissions_data())
    before = (tmp_path / "emissions.csv").read_text()
    assert output.has_valid_headers(emissions_data())
    FileOutput("emissions.csv", str(tmp_path)).out(emissions_data(run_id="new"), emissions_data())
    assert (tmp_path / "emissions.csv").read_text().startswith(before)
    assert [row["run_id"] for row in read(tmp_path / "emissions.csv")] == ["old", "new"]
    assert not list(tmp_path.glob("*.bak"))


def test_runs_with_and_without_gpu_share_a_file(tmp_path):
    output = FileOutput("emissions.csv", str(tmp_path))
    output.out(emissions_data(gpu_count=2, gpu_model="2 x A100"), emissions_data())
    output.out(emissions_data(gpu_count=0, gpu_model=""), emissions_data())
    assert [row["gpu_model"] for row in read(tmp_path / "emissions.csv")] == ["2 x A100", ""]
    assert not list(tmp_path.glob("*.bak"))


def test_four_tasks_are_four_rows_in_order(tmp_path):
    names = ["load", "train", "test", "save"]
    output = FileOutput("emissions.csv", str(tmp_path))
    output.task_out([task_data(name, run_id="r") for name in names], "base")
    assert [row["task_name"] for row in read(tmp_path / "emissions_base_r.csv")] == names


def test_floats_are_in_shortest_form_and_missing_texts_empty(tmp_path):
    data = emissions_data(emissions=0.1 + 0.2, region=None, cloud_provider="")
    FileOutput("emissions.csv", str(tmp_path)).out(data, data)
    (row,) = read(tmp_path / "emissions.csv")
    assert (row["emissions"], row["region"], row["cloud_provider"]) == ("0.30000000000000004", "", "")
