"""The calls that other packages make today, each written as its integrator writes it."""

from __future__ import annotations

import csv
import functools
import importlib.util
import json
import logging
from dataclasses import asdict
from pathlib import Path

import pytest

from codecarbon.config import forget_warnings
from tests.support.fake_session import FakeClock, FakeSession


@pytest.fixture
def clock():
    forget_warnings()
    return FakeClock()


@pytest.fixture
def fake(clock):
    """Keywords that replace the sensors, and nothing else."""
    return {"_session_factory": lambda _settings: FakeSession(clock), "log_level": "error"}


def rows(folder: Path, name: str = "emissions.csv") -> list[dict[str, str]]:
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_transformers_callback(tmp_path, clock, fake):
    assert importlib.util.find_spec("codecarbon") is not None
    import codecarbon

    folder = tmp_path / "not" / "there" / "yet"
    tracker = codecarbon.EmissionsTracker(output_dir=str(folder), **fake)
    tracker.start()
    clock.pass_s(1)
    tracker.stop()
    assert len(rows(folder)) == 1


def test_sentence_transformers_model_card(tmp_path, clock, fake):
    from codecarbon import EmissionsTracker

    tracker = EmissionsTracker(output_dir=tmp_path, **fake)
    assert tracker._start_time is None
    before = tracker._prepare_emissions_data()
    assert before.emissions == 0.0
    tracker.start()
    assert tracker._start_time is not None
    clock.pass_s(36)
    data = tracker._prepare_emissions_data()
    assert data.emissions > 0
    assert data.energy_consumed == pytest.approx(110 * 36 / 3.6e6)
    assert data.on_cloud in ("Y", "N")
    assert (data.cpu_model, data.ram_total_size, data.gpu_model) == ("Fake CPU", 16.0, "")
    assert data.duration == pytest.approx(36)
    tracker.stop()
    assert tracker._prepare_emissions_data().duration == pytest.approx(36)


@pytest.mark.parametrize(
    "call", [lambda t: t._prepare_emissions_data(delta=True), lambda t: t._prepare_emissions_data(True)]
)
def test_research_code_reads_differences(tmp_path, clock, fake, call):
    from codecarbon.emissions_tracker import EmissionsData, EmissionsTracker

    tracker = EmissionsTracker(output_dir=tmp_path, **fake)
    tracker.start()
    clock.pass_s(2)
    tracker._measure_power_and_energy()
    assert isinstance(call(tracker), EmissionsData)
    clock.pass_s(3)
    tracker.flush()
    assert call(tracker).duration == pytest.approx(3)
    tracker.stop()


def test_comet_finds_complete_files_when_stop_returns(tmp_path, clock, fake):
    from codecarbon import EmissionsTracker

    tracker = EmissionsTracker(project_name="comet", output_dir=str(tmp_path), **fake)
    tracker.start()
    clock.pass_s(1)
    tracker.stop()
    (row,) = rows(tmp_path)
    assert row["project_name"] == "comet"
    assert len(row) == 38
    assert None not in row


def test_mteb_context_with_a_plain_logger(tmp_path, monkeypatch, clock, fake):
    from codecarbon import EmissionsTracker

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with (
        pytest.warns(DeprecationWarning, match="deprecated"),
        EmissionsTracker(
            save_to_file=False,
            save_to_api=False,
            logging_logger=logging.getLogger("mteb"),
            allow_multiple_runs=False,
            **fake,
        ) as tracker,
    ):
        clock.pass_s(1)
    assert tracker.final_emissions > 0
    assert not (tmp_path / "emissions.csv").exists()


def test_optimum_benchmark(tmp_path, clock, fake):
    from codecarbon import OfflineEmissionsTracker
    from codecarbon.output import EmissionsData

    fake.pop("log_level")
    tracker = OfflineEmissionsTracker(
        log_level="warning",
        tracking_mode="machine",
        gpu_ids=[0],
        allow_multiple_runs=True,
        output_file="codecarbon.csv",
        output_dir=tmp_path,
        measure_power_secs=1,
        country_iso_code="FRA",
        **fake,
    )
    tracker.start_task(task_name="forward")
    clock.pass_s(2)
    data = tracker.stop_task()
    assert isinstance(data, EmissionsData)
    assert asdict(data)["energy_consumed"] == pytest.approx(220 / 3.6e6)
    assert tracker._total_energy.kWh == pytest.approx(220 / 3.6e6)
    assert tracker._total_cpu_energy.kWh == pytest.approx(200 / 3.6e6)
    assert tracker._total_ram_energy.kWh == pytest.approx(20 / 3.6e6)
    assert tracker._total_gpu_energy.kWh == 0.0
    tracker.stop()
    assert len(rows(tmp_path, "codecarbon.csv")) == 1


def test_janus_core(tmp_path, clock, fake):
    from codecarbon import OfflineEmissionsTracker
    from codecarbon.output import LoggerOutput

    records = []

    class Keep(logging.Handler):
        def emit(self, record):
            records.append(record.getMessage())

    logger = logging.getLogger("janus")
    logger.setLevel(logging.INFO)
    logger.addHandler(Keep())
    fake.pop("log_level")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        tracker = OfflineEmissionsTracker(
            country_iso_code="GBR",
            save_to_logger=True,
            save_to_file=False,
            logging_logger=LoggerOutput(logger),
            project_name="janus",
            log_level="Critical",
            measure_power_secs=1,
            **fake,
        )
    for handler in list(logging.getLogger("codecarbon").handlers):
        logging.getLogger("codecarbon").removeHandler(handler)
    assert hasattr(tracker, "_emissions")
    tracker.start_task("md")
    clock.pass_s(1)
    assert tracker.stop_task().emissions > 0
    tracker.flush()
    tracker.stop()
    assert [json.loads(text)["project_name"] for text in records] == ["janus", "janus"]


def test_fmriprep(tmp_path, clock, fake):
    from codecarbon import OfflineEmissionsTracker

    tracker = OfflineEmissionsTracker(output_dir=Path(tmp_path), country_iso_code="USA", **fake)
    tracker.start()
    clock.pass_s(1)
    assert isinstance(tracker.stop(), float)
    assert rows(tmp_path)[0]["country_iso_code"] == "USA"


def test_autointent(tmp_path, clock, fake):
    from codecarbon import EmissionsTracker

    tracker = EmissionsTracker(output_dir=tmp_path, **fake)
    tracker.start()
    tracker.start_task("node")
    clock.pass_s(1)
    assert json.loads(tracker.stop_task("node").toJSON())["duration"] == pytest.approx(1)
    tracker.stop()
    assert json.loads(tracker.final_emissions_data.toJSON())["energy_consumed"] > 0


def test_pytest_codecarbon_restarts_one_tracker_per_test(tmp_path, clock, fake):
    from codecarbon import EmissionsTracker

    tracker = EmissionsTracker(output_dir=tmp_path, **fake)
    for number in range(3):
        tracker._project_name = f"test_{number}"
        tracker.start()
        clock.pass_s(number + 1)
        tracker.stop()
        clock.pass_s(10)
    found = rows(tmp_path)
    assert [row["project_name"] for row in found] == ["test_0", "test_1", "test_2"]
    durations = [float(row["duration"]) for row in found]
    assert [b - a for a, b in zip([0.0, *durations], durations, strict=False)] == [
        pytest.approx(1),
        pytest.approx(2),
        pytest.approx(3),
    ]


def test_megatron_deepspeed_keywords_that_are_long_gone(tmp_path, clock, fake):
    from codecarbon import OfflineEmissionsTracker

    tracker = OfflineEmissionsTracker(
        output_dir=tmp_path,
        output_file="e.csv",
        logger_preamble="rank 0",
        misfire_grace_time=6,
        max_instances=2,
        country_iso_code="FRA",
        **fake,
    )
    tracker.start()
    clock.pass_s(1)
    assert tracker.flush() > 0
    tracker.stop()


def test_amltk_wraps_a_function_in_a_worker(tmp_path, clock, fake):
    from codecarbon import EmissionsTracker

    def work(x, *, tracker_options):
        with EmissionsTracker(**tracker_options) as tracker:
            clock.pass_s(1)
            with EmissionsTracker(**tracker_options):
                clock.pass_s(1)
        return x, tracker.final_emissions

    result, emissions_kg = functools.partial(work, 3, tracker_options={"output_dir": tmp_path, **fake})()
    assert (result, emissions_kg > 0) == (3, True)
    assert len(rows(tmp_path)) == 2


def test_attributes_that_research_code_reads(tmp_path, clock, fake):
    from codecarbon import EmissionsTracker
    from codecarbon.external.hardware import POWER_CONSTANT

    tracker = EmissionsTracker(output_dir=tmp_path, **fake)
    assert POWER_CONSTANT == 85
    assert tracker._conf["output_file"] == "emissions.csv"
    assert tracker._tasks == {}
    assert not tracker._another_instance_already_running
    tracker.start()
    clock.pass_s(1)
    assert [finding.name for finding in tracker._hardware] == ["package-0"]
    assert tracker._conf["cpu_model"] == "Fake CPU"
    assert tracker._conf["hardware"] == ["package-0 (powercap)"]
    tracker.stop()
    assert tracker._measure_power_secs == 15
    with pytest.raises(AttributeError):
        _ = tracker._no_such_thing
