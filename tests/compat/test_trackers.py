"""What codecarbon 3's own tests assert about trackers, as far as it needs no network and no sensor."""

from __future__ import annotations

import csv
import json
import logging

import pytest

from codecarbon import EmissionsTracker, OfflineEmissionsTracker, OutputMethod
from codecarbon.config import forget_warnings
from tests.support.fake_session import FakeClock, FakeSession, RecordingHandler
from tests.support.logger_state import KeptLog


@pytest.fixture
def clock():
    forget_warnings()
    return FakeClock()


@pytest.fixture
def fake(clock, tmp_path):
    return {
        "_session_factory": lambda _settings: FakeSession(clock),
        "log_level": "error",
        "output_dir": tmp_path,
    }


def rows(folder, name="emissions.csv"):
    with (folder / name).open(newline="") as file:
        return list(csv.reader(file))


def test_offline_country_in_the_file(tmp_path, clock, fake):
    with OfflineEmissionsTracker(country_iso_code="USA", **fake) as tracker:
        clock.pass_s(1)
    header, row = rows(tmp_path)
    cells = dict(zip(header, row, strict=True))
    assert "United States" in cells["country_name"]
    assert cells["country_iso_code"] == "USA"
    assert isinstance(tracker.final_emissions, float)


def test_offline_without_a_country_takes_the_world_average(tmp_path, clock, fake):
    tracker = OfflineEmissionsTracker(**fake)
    tracker.start_task("t")
    clock.pass_s(3600)
    data = tracker.stop_task("t")
    assert tracker.stop() > 0
    assert data.country_name is None
    header, row = rows(tmp_path)
    cells = dict(zip(header, row, strict=True))
    assert (cells["country_name"], cells["country_iso_code"]) == ("", "")
    assert "unknown place, world average" in tracker.final_record.priced[0].intensity.note


def test_unknown_country_is_an_error_in_the_log(clock, fake):
    kept = KeptLog()
    logging.getLogger("codecarbon").addHandler(kept)
    with OfflineEmissionsTracker(country_iso_code="XYZ", **fake) as tracker:
        clock.pass_s(1)
    assert "Does not support country" in kept.text
    assert tracker.final_emissions > 0


def test_start_flush_stop_write_two_rows(tmp_path, clock, fake):
    tracker = OfflineEmissionsTracker(country_iso_code="FRA", **fake)
    tracker.start()
    clock.pass_s(1)
    tracker.flush()
    clock.pass_s(1)
    tracker.stop()
    assert len(rows(tmp_path)) == 3


def test_foreign_file_is_moved_away(tmp_path, clock, fake):
    (tmp_path / "emissions.csv").write_text("a,b\n1,2\n")
    with OfflineEmissionsTracker(country_iso_code="FRA", **fake):
        clock.pass_s(1)
    assert len(rows(tmp_path)) == 2
    assert (tmp_path / "emissions.csv.bak").read_text() == "a,b\n1,2\n"


def test_second_run_appends_and_leaves_the_first_row(tmp_path, clock, fake):
    for _ in range(2):
        with OfflineEmissionsTracker(country_iso_code="FRA", **fake):
            clock.pass_s(1)
        first = rows(tmp_path)[1]
    header, *found = rows(tmp_path)
    assert found[0] == first
    assert [len(row) for row in found] == [len(header)] * 2 == [38, 38]


def test_output_methods_decide(fake):
    assert EmissionsTracker(**fake)._output_methods == (OutputMethod.CSV,)
    assert EmissionsTracker(output_methods="csv,logger", **fake)._conf["save_to_logger"]
    assert EmissionsTracker(output_methods=[], **fake)._output_handlers == []


def test_custom_handlers_get_one_live_report(clock, fake):
    handlers = [RecordingHandler(), RecordingHandler()]
    tracker = EmissionsTracker(
        project_name="live",
        output_methods=[],
        output_handlers=handlers,
        api_call_interval=2,
        measure_power_secs=999,
        **fake,
    )
    tracker.start()
    clock.pass_s(1)
    tracker.stop()
    for handler in handlers:
        ((total, _),) = handler.lives
        assert total.project_name == "live"
        assert total.emissions > 0


def test_logger_output_is_one_json_line(clock, fake, caplog):
    logger = logging.getLogger("json lines")
    with (
        caplog.at_level(logging.INFO, logger="json lines"),
        OfflineEmissionsTracker(
            project_name="lines", country_iso_code="FRA", output_methods=["logger"], logging_logger=logger, **fake
        ),
    ):
        clock.pass_s(1)
    (record,) = [record for record in caplog.records if record.name == "json lines"]
    assert json.loads(record.getMessage())["project_name"] == "lines"


def test_detected_hardware_has_seven_keys(fake):
    tracker = OfflineEmissionsTracker(**fake)
    expected = {
        "ram_total_size": 16.0,
        "cpu_count": 8,
        "cpu_physical_count": 1,
        "cpu_model": "Fake CPU",
        "gpu_count": 0,
        "gpu_model": "",
        "gpu_ids": None,
    }
    assert tracker.get_detected_hardware() == expected
    tracker.start()
    assert tracker.get_detected_hardware() == expected
    tracker.stop()


def test_four_tasks_are_four_rows_in_order(tmp_path, clock, fake):
    tracker = OfflineEmissionsTracker(country_iso_code="FRA", experiment_name="exp", **fake)
    for name in ("load", "split", "fit", "score"):
        tracker.start_task(name)
        clock.pass_s(1)
        tracker.stop_task(name)
    tracker.stop()
    header, *found = rows(tmp_path, f"emissions_exp_{tracker.run_id}.csv")
    assert [dict(zip(header, row, strict=True))["task_name"] for row in found] == ["load", "split", "fit", "score"]
    assert len(tracker._tasks) == 4


def test_utilisation_is_there(tmp_path, clock, fake):
    with OfflineEmissionsTracker(country_iso_code="FRA", **fake) as tracker:
        clock.pass_s(1)
    data = tracker.final_emissions_data
    assert 0 <= data.cpu_utilization_percent <= 100
    assert data.gpu_utilization_percent == 0.0
    assert data.ram_used_gb >= 0


def test_graphics_card_without_a_figure_leaves_zero_in_the_file(tmp_path, clock, fake):
    with OfflineEmissionsTracker(country_iso_code="FRA", **fake):
        clock.pass_s(1)
    header, row = rows(tmp_path)
    cells = dict(zip(header, row, strict=True))
    assert (float(cells["gpu_energy"]), float(cells["gpu_power"])) == (0.0, 0.0)


def test_percent_signs_in_the_environment_are_harmless(monkeypatch, clock, fake):
    monkeypatch.setenv("CODECARBON_PROJECT_NAME", "100%s %(x)s %")
    with OfflineEmissionsTracker(country_iso_code="FRA", **fake) as tracker:
        clock.pass_s(1)
    assert tracker.final_emissions_data.project_name == "100%s %(x)s %"


def test_forced_intensity_is_a_public_attribute(fake):
    assert EmissionsTracker(force_carbon_intensity_g_co2e_kwh=0, **fake).force_carbon_intensity_g_co2e_kwh == 0
    assert EmissionsTracker(**fake).force_carbon_intensity_g_co2e_kwh is None
