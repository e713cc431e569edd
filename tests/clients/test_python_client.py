"""A generated Python client talks to the running server: all eight operations."""

from __future__ import annotations

import importlib
from datetime import datetime, timedelta, timezone

import pytest

from tests.web.blackbox.cases import PROFILES
from tests.web.blackbox.sites import MIDNIGHT

START = datetime(2021, 11, 17, tzinfo=timezone.utc)
END = START + timedelta(days=1)


@pytest.fixture(params=PROFILES)
def profile(request):
    return request.param


@pytest.fixture
def client(profile, base_of, generated, monkeypatch):
    name = f"caw_{profile}"
    monkeypatch.syspath_prepend(generated(profile, "python", packageName=name))
    package = importlib.import_module(name)
    with package.ApiClient(package.Configuration(host=base_of(profile))) as connection:
        yield package, package.CarbonAwareApi(connection), package.LocationsApi(connection)


def test_emissions(client):
    _, api, _ = client
    one = api.get_emissions_data_for_location_by_time("westus", START, END)
    assert [(row.location, row.rating, row.duration) for row in one] == [
        ("westus", value, "08:00:00") for value in (10, 20, 30)
    ]
    assert [row.time for row in one] == [START + timedelta(hours=8 * step) for step in range(3)]
    several = api.get_emissions_data_for_locations_by_time(["westus", "eastus"], START, START + timedelta(days=2))
    assert [row.rating for row in several] == [10, 20, 30, 40, 60]
    best = api.get_best_emissions_data_for_locations_by_time(["westus", "eastus"], START, START + timedelta(days=2))
    assert [(row.location, row.rating) for row in best] == [("westus", 10)]
    assert not api.get_emissions_data_for_location_by_time("westus", END, END + timedelta(hours=1))


def test_averages(client):
    package, api, _ = client
    average = api.get_average_carbon_intensity("westus", START, END)
    assert (average.location, average.start_time, average.end_time, average.carbon_intensity) == (
        "westus",
        START,
        END,
        20,
    )
    item = package.CarbonIntensityBatchParametersDTO(location="westus", start_time=START, end_time=END)
    answers = api.get_average_carbon_intensity_batch([item, item])
    assert [answer.carbon_intensity for answer in answers] == [20, 20]


def test_forecasts(client, profile):
    package, api, _ = client
    answers = api.get_current_forecast_data(["westus", "eastus"], MIDNIGHT, MIDNIGHT + timedelta(minutes=15), 10)
    assert [answer.location for answer in answers] == ["westus", "eastus"]
    for answer in answers:
        assert answer.generated_at == MIDNIGHT
        assert [(point.duration, point.value) for point in answer.forecast_data] == [(10, 15), (10, 25)]
        assert [point.timestamp for point in answer.optimal_data_points] == [MIDNIGHT]
        if profile == "documented":
            assert answer.optimal_data_point.value == 15
        else:
            assert not hasattr(answer, "optimal_data_point")
    item = package.EmissionsForecastBatchParametersDTO(requested_at=MIDNIGHT, location="eastus", window_size=20)
    (answer,) = api.batch_forecast_data_async([item])
    assert (answer.requested_at, answer.window_size, answer.forecast_data[0].value) == (MIDNIGHT, 20, 25)


def test_locations(client):
    _, _, locations = client
    places = locations.get_all_locations()
    assert len(places) == 55
    assert (places["eastus"].latitude, places["eastus"].longitude, places["eastus"].name) == (
        37.3719,
        -79.8164,
        "eastus",
    )


def test_error(client, profile):
    package, api, _ = client
    with pytest.raises(package.exceptions.BadRequestException) as caught:
        api.get_emissions_data_for_location_by_time("westus", END, START)
    assert caught.value.data.status == 400
    assert list(caught.value.data.errors) == ["time" if profile == "documented" else "Start"]
