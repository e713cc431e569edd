"""Which live sources a run asks, and on which thread."""

from __future__ import annotations

import json
import threading
import time

import pytest

from codecarbon import EmissionsTracker, OfflineEmissionsTracker
from codecarbon.config import resolve
from codecarbon.errors import ConfigError
from codecarbon.intensity import BUILT_IN_PROVIDERS, get_provider_class, get_signal
from codecarbon.model import Intensity, Location
from codecarbon.tracker.live import THREAD_NAME, LiveIntensity
from codecarbon.tracker.pricing import Pricer
from codecarbon.tracker.sources import check_sources, make_live, source_names
from codecarbon.units import iso_from_us, us_from_s
from tests.support.fake_provider import FakeProvider
from tests.support.fake_session import FakeSession
from tests.support.fresh_python import run_python

FRANCE = Location(country_iso_code="FRA")
MEAN = Intensity(56.0, "tables", 2023, "FRA")


def said(offline=False, **given):
    return resolve(given, offline=offline, environ={}, cwd="/nowhere", home="/nowhere")


def names(offline=False, **given):
    return source_names(said(**given), offline=offline)


# --- which -----------------------------------------------------------------------------------------------------------


def test_without_a_word_nothing_live_is_asked():
    assert names() == ()
    assert make_live(said(), FRANCE, MEAN, offline=False) is None


def test_a_token_asks_electricity_maps():
    assert names(electricitymaps_api_token="t") == ("electricity_maps",)
    assert names(co2_signal_api_token="t") == ("electricity_maps",)


def test_named_sources_are_asked_in_their_order_up_to_the_tables():
    assert names(intensity_providers="uk_carbon_intensity, electricity_maps") == (
        "uk_carbon_intensity",
        "electricity_maps",
    )
    assert names(intensity_providers="energy_charts,static,watttime") == ("energy_charts",)
    assert names(intensity_providers="static", electricitymaps_api_token="t") == ()


def test_a_forced_value_wins():
    assert names(electricitymaps_api_token="t", force_carbon_intensity_g_co2e_kwh=0) == ()


def test_an_offline_tracker_asks_files_only():
    assert names(offline=True, electricitymaps_api_token="t") == ()
    assert names(offline=True, intensity_providers="watttime,json_file") == ("json_file",)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"intensity_providers": "electricitymap"}, "intensity_providers='electricitymap'.*watttime, electricity_maps"),
        ({"intensity_providers": "sample"}, "made up"),
        ({"intensity_providers": "constant"}, "force_carbon_intensity_g_co2e_kwh"),
        ({"intensity_providers": "electricity_maps"}, "electricitymaps_api_token=None.*electricity_maps needs it"),
        ({"intensity_providers": "watttime", "watttime_username": "x"}, "watttime_password=None.*watttime needs it"),
        ({"intensity_providers": "json_file"}, "intensity_file=None"),
        (
            {"intensity_providers": "watttime", "watttime_username": "x", "watttime_password": "y"},
            "watttime=CAISO_NORTH",
        ),
        (
            {
                "intensity_providers": "uk_carbon_intensity,watttime",
                "watttime_username": "x",
                "watttime_password": "y",
                "intensity_zones": "watttime=CAISO_NORTH",
            },
            "uk_carbon_intensity is average and watttime is marginal",
        ),
        ({"intensity_zones": "electricitymap=FR"}, "intensity_zones='electricitymap'"),
        ({"intensity_urls": "nobody=http://x"}, "intensity_urls='nobody'"),
        ({"intensity_urls": "electricity_maps=ftp://x"}, "https://host/"),
        ({"intensity_urls": "http://x"}, "https://host/"),
    ],
)
@pytest.mark.parametrize("tracker", [EmissionsTracker])
def test_what_cannot_be_used_is_said_at_construction(given, message, tracker, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        tracker(output_methods=[], **given)


def test_addresses_do_not_come_from_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / ".codecarbon.config").write_text(
        "[codecarbon]\nintensity_urls = electricity_maps=http://127.0.0.1:1/\n"
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="home folder"):
        EmissionsTracker(output_methods=[])


def test_the_signals_that_names_tell_are_those_of_the_classes():
    for name in BUILT_IN_PROVIDERS:
        if name not in {"constant", "watttime"}:  # theirs are arguments
            assert get_provider_class(name).signal == get_signal(name), name
    assert get_signal("watttime") == "marginal"
    with pytest.raises(ConfigError):
        get_signal("nobody")


def test_a_place_gets_the_zones_that_were_given(tmp_path):
    path = tmp_path / "own.json"
    now_us = us_from_s(time.time())
    point = {"Location": "roof", "Time": iso_from_us(now_us - 600_000_000), "Rating": 12.5, "Duration": "01:00:00"}
    path.write_text(json.dumps({"Emissions": [point]}))
    settings = said(intensity_providers="json_file", intensity_file=str(path), intensity_zones="json_file=roof")
    check_sources(settings, offline=True)
    live = make_live(settings, FRANCE, MEAN, offline=True)
    live._spawn = lambda _run: None
    live.begin()
    live.ask()
    slot_s = int(now_us // 300_000_000 * 300)
    assert live.prices([slot_s])[slot_s] == Intensity(12.5, "json_file", None, "roof")


# --- threads ---------------------------------------------------------------------------------------------------------


def live_pricer(provider):
    def make(_settings, *, offline):
        del offline
        pricer = Pricer(FRANCE)
        pricer.live = LiveIntensity(lambda: [provider], FRANCE, MEAN)
        return pricer

    return make


def fake_tracker(provider, **options):
    return OfflineEmissionsTracker(
        output_methods=[],
        measure_power_secs=999,
        _session_factory=lambda _settings: FakeSession(),
        _pricer_factory=live_pricer(provider),
        **options,
    )


@pytest.mark.timeout(60)
def test_a_hanging_source_holds_up_nobody(rig):
    provider = FakeProvider()
    provider.gate.clear()
    tracker = fake_tracker(provider, output_handlers=[rig.handler])
    tracker.start()
    assert provider.arrived.wait(10)
    tracker.start_task("t")
    tracker.stop_task("t")
    tracker.flush()
    begin_s = time.monotonic()
    kg = tracker.stop()
    stop_s = time.monotonic() - begin_s
    # The source is still being asked, and would be for another 20 s.
    assert not provider.gate.is_set()
    assert stop_s < 5.0
    assert kg == tracker.final_emissions
    assert len(rig.handler.outs) == 2
    assert {share.source for share in tracker.final_record.sources} == {"tables"}
    provider.gate.set()


def test_sources_are_asked_on_their_own_thread():
    provider = FakeProvider()
    tracker = fake_tracker(provider)
    tracker.start()
    assert provider.arrived.wait(10)
    tracker.flush()
    tracker.energy(tracker.mark())
    tracker.stop()
    assert provider.threads == {THREAD_NAME}
    assert threading.current_thread().name != THREAD_NAME


def test_the_thread_ends_with_the_run():
    provider = FakeProvider()
    before = threading.active_count()
    tracker = fake_tracker(provider)
    tracker.start()
    assert provider.arrived.wait(10)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]
    assert thread.daemon
    tracker.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert threading.active_count() <= before


def test_a_run_without_live_sources_loads_nothing_for_them(tmp_path):
    code = (
        "import sys, os; os.chdir(sys.argv[1])\n"
        "import codecarbon\n"
        "tracker = codecarbon.EmissionsTracker(country_iso_code='FRA', output_methods=[], log_level='error')\n"
        "tracker.start(); tracker.stop()\n"
        "new = ('codecarbon.tracker.live', 'codecarbon.tracker.sources', 'codecarbon.transport', 'requests',\n"
        "       'codecarbon.intensity.registry', 'codecarbon.intensity.chain', 'codecarbon.model.series')\n"
        "print([name for name in new if name in sys.modules])\n"
    )
    assert run_python(code, str(tmp_path)) == "[]"


def test_the_users_thread_imports_no_network_library(tmp_path):
    code = (
        "import sys, os, threading; os.chdir(sys.argv[1])\n"
        "import codecarbon\n"
        "from codecarbon.tracker import live\n"
        "live.LiveIntensity.begin = lambda self: None\n"
        "tracker = codecarbon.EmissionsTracker(country_iso_code='FRA', output_methods=[], log_level='error',\n"
        "                                      electricitymaps_api_token='t')\n"
        "tracker.start(); tracker.flush(); tracker.stop()\n"
        "print(tracker.final_record.sources[0].source.split(',')[0])\n"
        "print([name for name in ('codecarbon.transport', 'requests', 'sqlite3') if name in sys.modules])\n"
    )
    assert run_python(code, str(tmp_path)).splitlines() == ["Our World in Data", "[]"]
