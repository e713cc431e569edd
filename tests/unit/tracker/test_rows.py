"""The conversion to 38 columns."""

from __future__ import annotations

import dataclasses
from datetime import datetime

import pytest

from codecarbon.model import EMISSIONS_COLUMNS, EmissionsData, GpuFacts, Location
from codecarbon.tracker.merging import merge_windows
from codecarbon.tracker.rows import base_columns, component_joules, gpu_label, local_stamp
from tests.support.fake_session import FACTS, FakeSession

CONF = {
    "project_name": "p",
    "experiment_id": None,
    "codecarbon_version": "4",
    "tracking_mode": "machine",
    "pue": 1.0,
    "wue": 0.0,
}
CARD = GpuFacts(0, "GPU-1", "NVIDIA H100", None, None)


def columns(location: Location, gpus: tuple[GpuFacts, ...] = ()) -> EmissionsData:
    base = base_columns(CONF, "run", location, FACTS, gpus)
    assert tuple(base) == EMISSIONS_COLUMNS
    return EmissionsData(**base)


def test_private_machine():
    row = columns(Location("FRA", "France", "bretagne"))
    assert (row.country_iso_code, row.country_name, row.region) == ("FRA", "France", "bretagne")
    assert (row.on_cloud, row.cloud_provider, row.cloud_region) == ("N", "", "")
    assert (row.cpu_model, row.cpu_count, row.ram_total_size) == ("Fake CPU", 8, 16.0)
    assert (row.gpu_count, row.gpu_model) == (0, "")


def test_cloud():
    row = columns(Location("BEL", "Belgium", None, "gcp", "europe-west1"))
    assert (row.on_cloud, row.cloud_provider, row.cloud_region) == ("Y", "gcp", "europe-west1")


def test_d09_absent_experiment_is_empty_not_the_word_none():
    assert columns(Location()).experiment_id == ""


def test_d47_coordinates_are_rounded_to_a_tenth():
    row = columns(Location(longitude_deg=2.352219, latitude_deg=48.856614))
    assert (row.longitude, row.latitude) == (2.4, 48.9)


def test_d42_mixed_graphics_cards_are_told_apart():
    other = dataclasses.replace(CARD, name="NVIDIA A100")
    assert gpu_label([CARD, CARD, other]) == "2 x NVIDIA H100, 1 x NVIDIA A100"
    assert columns(Location(), (CARD, CARD)).gpu_count == 2


def test_stamp_is_local_time_without_zone_in_whole_seconds():
    for unix_s in (1_700_000_000, 1_700_000_000.9, 1_700_000_001):
        assert local_stamp(unix_s) == datetime.fromtimestamp(int(unix_s)).isoformat()  # noqa: DTZ006 (local on purpose)
    assert datetime.fromisoformat(local_stamp()).tzinfo is None


def test_platform_energy_is_booked_as_the_processors():
    session = FakeSession()
    begin = session.start()
    session.clock.pass_s(1)
    window = session.window([(begin, session.mark())])
    cpu = window.component("cpu")
    platform = dataclasses.replace(window, components=(dataclasses.replace(cpu, component="platform"),))
    assert component_joules(platform) == (100.0, None, None)


def test_run_rows_are_real_records(rig):
    tracker = rig.tracker()
    tracker.start()
    rig.pass_s(1)
    tracker.stop()
    row = tracker.final_emissions_data
    assert list(dataclasses.asdict(row)) == list(EMISSIONS_COLUMNS)
    assert dataclasses.replace(row) == row
    assert dataclasses.asdict(row) == row.values


def test_merged_windows_sum_and_weigh():
    session = FakeSession()
    begin = session.start()
    session.clock.pass_s(1)
    middle = session.mark()
    session.clock.pass_s(3)
    end = session.mark()
    first = session.window([(begin, middle)])
    session.power_w["ram"] = None
    session.cpu_percent = 90.0
    second = session.window([(middle, end)])
    merged = merge_windows(first, second)
    whole = FakeSession().window([(begin, end)])
    assert merged.duration_s == pytest.approx(4)
    assert merged.component("cpu").energy_j == pytest.approx(whole.component("cpu").energy_j)
    assert merged.component("cpu").channels == whole.component("cpu").channels
    assert merged.component("ram").energy_j == pytest.approx(10)
    assert merged.component("ram").coverage_ratio == pytest.approx(0.25)
    assert merged.missing == ("ram: no counter is live",)
    assert merged.utilisation.cpu_percent == pytest.approx(80)
    assert (merged.start_utc, merged.end_utc) == (first.start_utc, second.end_utc)
