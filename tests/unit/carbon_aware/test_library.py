"""The Carbon Aware questions from Python."""

from __future__ import annotations

import doctest
from datetime import datetime, timedelta, timezone

import pytest

import codecarbon
from codecarbon import CarbonAware
from codecarbon.carbon_aware import library
from codecarbon.carbon_aware.results import ScheduleRequest
from codecarbon.errors import InvalidParameters, NotCovered, UnknownLocation
from tests.support.carbon_aware import Clock, document_f, document_j, settings, write_json


def utc(*parts):
    return datetime(*parts, tzinfo=timezone.utc)


@pytest.fixture
def carbon_aware(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = settings(tmp_path, data=document_j(), forecast=document_f())
    with CarbonAware.from_config(given, clock=Clock("2022-01-01T00:01:00Z")) as made:
        yield made


def test_observed_values(carbon_aware):
    points = carbon_aware.emissions.get("westus", utc(2021, 11, 17), utc(2021, 11, 18))
    assert [point.rating_g_per_kwh for point in points] == [10, 20, 30]
    assert points[0] == ("westus", utc(2021, 11, 17), 10, timedelta(hours=8))
    best = carbon_aware.emissions.best(["westus", "eastus"], utc(2021, 11, 17), utc(2021, 11, 19))
    assert [point.rating_g_per_kwh for point in best] == [10]


def test_means(carbon_aware):
    period = (utc(2021, 11, 17, 4), utc(2021, 11, 17, 12))
    assert carbon_aware.emissions.average("westus", *period) == pytest.approx(15)
    assert carbon_aware.emissions.average_many([("westus", *period)] * 2) == pytest.approx([15, 15])
    with pytest.raises(NotCovered):
        carbon_aware.emissions.average("eastus", *period)


def test_forecasts(carbon_aware):
    found = carbon_aware.forecast.current("westus", window=timedelta(minutes=10))[0]
    assert [point.rating_g_per_kwh for point in found.emissions_data_points] == [15, 25, 35]
    assert (found.generated_at, found.requested_at) == (utc(2022, 1, 1), utc(2022, 1, 1, 0, 1))
    assert found.optimal_data_points == found.emissions_data_points[:1]
    past = carbon_aware.forecast.at("westus", utc(2022, 1, 1, 0, 30), window=20)
    assert [point.rating_g_per_kwh for point in past.emissions_data_points] == [25]
    assert past.requested_at == utc(2022, 1, 1, 0, 30)
    with pytest.raises(InvalidParameters, match="whole minutes"):
        carbon_aware.forecast.current("westus", window=timedelta(seconds=90))


def test_places(carbon_aware):
    assert carbon_aware.locations.all()["eastus"].latitude_deg == 37.3719
    assert carbon_aware.locations.resolve("EASTUS").key == "eastus"
    with pytest.raises(UnknownLocation):
        carbon_aware.locations.resolve("nowhere")


def test_schedule(carbon_aware):
    best = carbon_aware.schedule(ScheduleRequest(("westus",), 300.0)).best
    assert best.intensity_g_per_kwh == pytest.approx(14.0 - 2.0)


def test_naive_times_are_refused_or_utc(tmp_path):
    naive = datetime(2022, 1, 1)  # noqa: DTZ001
    clock = Clock("2022-01-01T06:00:00Z")
    with pytest.raises(InvalidParameters, match="time zone"):
        CarbonAware.from_config({}, clock=clock).emissions.get("eastus", naive)
    assert len(CarbonAware.from_config({}, naive_is_utc=True, clock=clock).emissions.get("eastus", naive)) == 1


def test_file_and_environment_configure_it(tmp_path):
    write_json(tmp_path / "mine.json", {"CarbonAwareVars": {"Profile": "strict"}})
    made = CarbonAware.from_config(tmp_path / "mine.json", environ={"CarbonAwareVars__LookbackHours": "3"})
    options = made.operations.context.options
    assert (options.profile, options.lookback_h) == ("strict", 3)


def test_usual_files_configure_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "appsettings.json", {"CarbonAwareVars": {"Profile": "strict"}})
    assert CarbonAware.from_config(environ={}).operations.context.options.profile == "strict"


def test_problems_are_there_to_read():
    made = CarbonAware.from_config({"DataSources": {}})
    assert [problem.message for problem in made.problems] == ["No data sources are configured"]


def test_documented_example_is_true():
    failed, tried = doctest.testmod(library)
    assert (failed, tried > 1) == (0, True)


def test_module_is_the_decorator():
    from codecarbon.carbon_aware import decorator

    assert callable(codecarbon.carbon_aware)
    assert codecarbon.carbon_aware.CarbonAware is codecarbon.CarbonAware
    with pytest.raises(TypeError):
        codecarbon.carbon_aware(no_such_keyword=1)
    with pytest.raises(TypeError):
        decorator.carbon_aware(no_such_keyword=1)
    with pytest.raises(AttributeError):
        _ = codecarbon.carbon_aware.nothing
