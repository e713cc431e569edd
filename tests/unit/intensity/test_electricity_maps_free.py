"""The free service under its old name: its latest point, its old address, and nothing else."""

from __future__ import annotations

import io
import logging

import pytest
from requests import Response
from requests.adapters import BaseAdapter

from codecarbon.errors import CapabilityError, ConfigError, ProviderDataError, ProviderRejected
from codecarbon.intensity.electricity_maps_free import ElectricityMapsFree
from codecarbon.model import Location, TimeSpan
from codecarbon.units import US_PER_HOUR, us_from_s
from tests.support.fakes.clock import NOON_S, FakeTime
from tests.support.fakes.electricity_maps import FakeElectricityMaps

LATEST = "/v3/carbon-intensity/latest"


class Recorder(BaseAdapter):
    """Stands at the edge, in place of the network."""

    def __init__(self):
        super().__init__()
        self.requests = []

    def send(self, request, **options):
        self.requests.append(request)
        response = Response()
        response.status_code = 200
        response.headers["Content-Type"] = "application/json"
        response.raw = io.BytesIO(b'{"zone": "FR", "carbonIntensity": 41.5, "datetime": "2026-11-20T12:00:00.000Z"}')
        return response

    def close(self):
        pass


@pytest.fixture
def time():
    return FakeTime(NOON_S + 7 * 60)


@pytest.fixture
def fake(time):
    with FakeElectricityMaps(clock=time.clock) as server:
        yield server


@pytest.fixture
def provider(fake, time):
    return ElectricityMapsFree(fake.token, base_url=fake.url + "/v3", **time.arguments)


def instant(time_s):
    return TimeSpan(us_from_s(time_s), us_from_s(time_s))


@pytest.mark.parametrize("base_url", ["https://api.co2signal.com/v1/", "http://API.co2signal.com/v1"])
def test_the_old_address_is_replaced_with_a_warning(time, caplog, base_url):
    recorder = Recorder()
    with caplog.at_level(logging.WARNING):
        provider = ElectricityMapsFree("a-free-token", base_url=base_url, adapter=recorder, **time.arguments)
    assert "out of service" in caplog.text
    points = provider.observed(Location(key="FR"), instant(time.now_s)).points
    assert [point.intensity_g_per_kwh for point in points] == [41.5]
    (request,) = recorder.requests
    assert request.url.startswith("https://api.electricitymaps.com/v3/carbon-intensity/latest?zone=FR&")
    assert request.headers["auth-token"] == "a-free-token"


def test_the_new_address_needs_no_warning(caplog):
    ElectricityMapsFree("a-free-token")
    assert caplog.text == ""


@pytest.mark.parametrize("token", ["", "  "])
def test_a_token_is_needed(token):
    with pytest.raises(ConfigError):
        ElectricityMapsFree(token)


def test_an_unknown_key_is_tried_as_a_zone(fake, time, provider):
    series = provider.observed(Location(key="GB"), instant(time.now_s))
    assert series.zone == "GB"
    assert dict(fake.seen(LATEST)[0].query)["zone"] == "GB"
    with pytest.raises(ProviderRejected):
        provider.observed(Location(key="westus"), instant(time.now_s))


def test_the_callers_zone_is_not_taken_for_an_unknown_one(fake, time, provider):
    fake.switches = set()
    with pytest.raises(ProviderDataError, match="asked for westus, got DE"):
        provider.observed(Location(key="westus"), instant(time.now_s))


def test_only_the_latest_point_is_there(fake, time, provider):
    series = provider.observed(
        Location(key="FR"), TimeSpan(us_from_s(NOON_S) - 24 * US_PER_HOUR, us_from_s(time.now_s))
    )
    assert [point.start_us for point in series.points] == [us_from_s(NOON_S)]
    assert series.note == "the latest point only"
    assert provider.observed(Location(key="FR"), instant(NOON_S - 1)).points == ()


def test_there_is_no_forecast(provider):
    assert provider.capabilities == {"observed"}
    with pytest.raises(CapabilityError):
        provider.forecast(Location(key="FR"))
