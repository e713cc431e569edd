"""A run with a token or an account: priced over a socket, whatever the service does."""

from __future__ import annotations

import logging
import time

import pytest

from codecarbon import EmissionsTracker, OfflineEmissionsTracker
from codecarbon.core.electricitymaps_api import ElectricityMapsAPIError, get_emissions
from codecarbon.core.emissions import Emissions
from codecarbon.core.units import Energy
from codecarbon.external.geography import GeoMetadata
from codecarbon.input import DataSource
from tests.support.fake_session import FakeAnchors, FakeSession
from tests.support.fakes.electricity_maps import FakeElectricityMaps
from tests.support.fakes.values import g_per_kwh
from tests.support.fakes.watttime import PASSWORD, USER, FakeWattTime

ZONE = "FR"
KWH_J = 3.6e6
PRIVATE = GeoMetadata("FRA", country_2letter_iso_code="FR")


class NowAnchors(FakeAnchors):
    """The fake session's clock, laid upon the real one."""

    def __init__(self):
        # The begin of the present slot, so that ten seconds later it is still the same one.
        self.begin_ns = time.time_ns() // (300 * 10**9) * 300 * 10**9

    def unix_ns(self, t_ns):
        return self.begin_ns + t_ns


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def fake():
    with FakeElectricityMaps() as server:
        yield server


@pytest.fixture
def tracker_of(fake, rig):
    made = []

    def make(kind=EmissionsTracker, **options):
        session = FakeSession(power_w={"cpu": KWH_J / 10, "ram": 0.0, "gpu": None}, anchors=NowAnchors())
        session.clock.t_ns = 0
        settings = {
            "country_iso_code": "FRA",
            "electricitymaps_api_token": fake.token,
            "intensity_urls": f"electricity_maps={fake.url}/v3/",
            "output_methods": [],
            "output_handlers": [rig.handler],
            "measure_power_secs": 999,
            "_session_factory": lambda _settings: session,
            **options,
        }
        tracker = kind(**settings)
        made.append(tracker)
        return tracker, session

    yield make
    for tracker in made:
        tracker.stop()


def run_10_s(tracker, session, fake, *, asks=True):
    """Start, wait for the answer if one is to come, let 10 s pass on the session's clock, and stop."""
    tracker.start()
    slot_s = int(session.anchors.unix_ns(0) / 1e9) // 300 * 300
    if asks:
        live = tracker._run.pricer.live
        until_s = time.monotonic() + 20
        while not live.are_final([slot_s]) and not live.notes:
            assert time.monotonic() < until_s
            time.sleep(0.005)
    session.clock.pass_s(10)
    return tracker.stop()


def test_a_token_prices_a_run(tracker_of, fake):
    tracker, session = tracker_of()
    kg = run_10_s(tracker, session, fake)
    (share, *_) = tracker.final_record.sources
    assert (share.source, share.zone, share.signal) == ("electricity_maps", ZONE, "average")
    hour_s = int(session.anchors.unix_ns(0) / 1e9) // 3600 * 3600
    assert kg == pytest.approx(g_per_kwh(ZONE, hour_s) / 1000)
    assert "lifecycle" in share.note
    assert tracker.final_record.pricing_notes == ()


def test_the_token_is_nowhere_to_be_seen(tracker_of, fake, rig, caplog):
    tracker, session = tracker_of(log_level="debug")
    fake.fail_next(99, status=401, body={"error": "Invalid auth-token"})
    with caplog.at_level(logging.DEBUG):
        run_10_s(tracker, session, fake)
    everything = [
        caplog.text,
        repr(tracker.settings),
        repr(tracker.final_record),
        repr(rig.handler.outs),
        repr(tracker._conf),
    ]
    assert not [text for text in everything if fake.token in text]


def test_a_source_that_refuses_leaves_the_yearly_average_and_says_so(tracker_of, fake):
    tracker, session = tracker_of()
    fake.fail_next(99, status=401, body={"error": "Invalid auth-token"})
    kg = run_10_s(tracker, session, fake)
    assert kg == pytest.approx(0.056039)
    (share,) = tracker.final_record.sources
    assert share.source.startswith("Our World in Data")
    assert "no live value" in share.note
    assert "electricity_maps" in tracker.final_record.pricing_notes[0]


def test_a_source_that_hangs_does_not_hold_up_the_end(tracker_of, fake, rig):
    fake.latency_s = 30.0
    tracker, session = tracker_of()
    tracker.start()
    until_s = time.monotonic() + 10
    while not fake.log and time.monotonic() < until_s:
        time.sleep(0.005)
    session.clock.pass_s(10)
    begin_s = time.monotonic()
    kg = tracker.stop()
    assert time.monotonic() - begin_s < 5.0
    assert kg == pytest.approx(0.056039)
    assert len(rig.handler.outs) == 1


def test_a_forced_value_asks_nobody(tracker_of, fake):
    tracker, session = tracker_of(force_carbon_intensity_g_co2e_kwh=0)
    assert run_10_s(tracker, session, fake, asks=False) == 0.0
    assert fake.log == []


def test_an_offline_tracker_asks_nobody(tracker_of, fake):
    tracker, session = tracker_of(OfflineEmissionsTracker)
    assert run_10_s(tracker, session, fake, asks=False) == pytest.approx(0.056039)
    assert fake.log == []


def test_a_second_run_on_the_machine_asks_nobody(tracker_of, fake):
    first = run_10_s(*tracker_of(), fake)
    asked = len(fake.log)
    second = run_10_s(*tracker_of(), fake)
    assert second == pytest.approx(first)
    assert len(fake.log) == asked


def test_marginal_values_price_a_run_and_are_called_so(tracker_of):
    with FakeWattTime() as watttime:
        tracker, session = tracker_of(
            electricitymaps_api_token=None,
            intensity_providers="watttime",
            intensity_zones="watttime=CAISO_NORTH",
            intensity_urls={"watttime": watttime.base_url},
            watttime_username=USER,
            watttime_password=PASSWORD,
        )
        kg = run_marginal(tracker, session)
    shares = tracker.final_record.sources
    assert {(share.source, share.zone, share.signal) for share in shares} == {("watttime", "CAISO_NORTH", "marginal")}
    assert kg == pytest.approx(sum(share.emissions_g for share in shares) / 1000)
    assert tracker.final_record.pricing_notes == ()


def run_marginal(tracker, session):
    tracker.start()
    slot_s = int(session.anchors.unix_ns(0) / 1e9)
    live = tracker._run.pricer.live
    until_s = time.monotonic() + 20
    # Its values are some minutes late, so that no slot has its own yet.
    while live.prices([slot_s])[slot_s].signal != "marginal" and not live.notes:
        assert time.monotonic() < until_s
        time.sleep(0.005)
    session.clock.pass_s(10)
    return tracker.stop()


# --- the path of codecarbon 3 ----------------------------------------------------------------------------------------


@pytest.fixture
def old_path(fake, monkeypatch):
    monkeypatch.setattr("codecarbon.core.electricitymaps_api.URL", f"{fake.url}/v3/carbon-intensity/latest")
    return fake


def latest_g_per_kwh():
    return g_per_kwh(ZONE, int(time.time()) // 3600 * 3600)


@pytest.mark.parametrize(
    "geo",
    [PRIVATE, GeoMetadata("FRA", latitude=48.8, longitude=2.3, country_2letter_iso_code="FR")],
    ids=["country", "at"],
)
def test_get_emissions(old_path, geo):
    before = latest_g_per_kwh()
    kg = get_emissions(Energy(2.0), geo, old_path.token)
    assert kg in (pytest.approx(2 * before / 1000), pytest.approx(2 * latest_g_per_kwh() / 1000))
    query = dict(old_path.seen("/v3/carbon-intensity/latest")[0].query)
    assert ("lat" in query) is (geo.latitude is not None)


@pytest.mark.parametrize("token", ["wrong", ""])
def test_get_emissions_has_its_own_error(old_path, token):
    with pytest.raises(ElectricityMapsAPIError):
        get_emissions(Energy(2.0), PRIVATE, token)


def test_get_emissions_takes_no_value_of_last_week(monkeypatch):
    with FakeElectricityMaps(clock=lambda: time.time() - 7 * 86_400) as old:
        monkeypatch.setattr("codecarbon.core.electricitymaps_api.URL", f"{old.url}/v3/carbon-intensity/latest")
        with pytest.raises(ElectricityMapsAPIError, match="No carbonIntensity data for FRA in the last 24 hours"):
            get_emissions(Energy(2.0), PRIVATE, old.token)


def test_the_engine_uses_the_token_and_falls_back_to_the_tables(old_path, caplog):
    engine = Emissions(DataSource(), electricitymaps_api_token=old_path.token)
    before = latest_g_per_kwh()
    kg = engine.get_private_infra_emissions(Energy(1.0), PRIVATE)
    assert kg in (pytest.approx(before / 1000), pytest.approx(latest_g_per_kwh() / 1000))
    old_path.fail_next(9, status=500)
    with caplog.at_level(logging.ERROR):
        assert engine.get_private_infra_emissions(Energy(1.0), PRIVATE) == pytest.approx(0.056039)
    assert "electricitymaps_api.get_emissions" in caplog.text
    forced = Emissions(DataSource(), electricitymaps_api_token="t", force_carbon_intensity_g_co2e_kwh=5)
    assert forced.get_private_infra_emissions(Energy(1.0), PRIVATE) == pytest.approx(0.005)
