"""``carbon-aware check``, against sources made by hand."""

from __future__ import annotations

import pytest

from codecarbon.carbon_aware.context import Context
from codecarbon.carbon_aware.locations import load_locations
from codecarbon.carbon_aware.options import ConfigProblem, Options
from codecarbon.cli.check import FAULT, OK, WARNING, find_all
from codecarbon.errors import CapabilityError, NoIntensityData, ProviderRejected, ProviderUnavailable
from codecarbon.intensity.sample import Sample
from codecarbon.model import IntensityPoint, IntensitySeries
from codecarbon.units import US_PER_HOUR

OPTIONS = Options()
TABLE, _ = load_locations(OPTIONS)


class FakeSource:
    """Covers one country, and has points or an error."""

    name = "theirs"
    signal = "marginal"
    capabilities = frozenset({"observed", "forecast"})

    def __init__(self, *, country="DEU", error=None, zone_error=None, points=1):
        self.country = country
        self.error = error
        self.zone_error = zone_error
        self.points = points
        self.calls = 0

    def zone_of(self, where):
        self.calls += 1
        if self.zone_error is not None:
            raise self.zone_error
        if where.country_iso_code != self.country:
            raise NoIntensityData("outside", self.name, where.label)
        return "ZONE"

    def observed(self, where, span):
        self.calls += 1
        if self.error is not None:
            raise self.error
        points = (IntensityPoint(0, US_PER_HOUR, 100.0),) * self.points
        return IntensitySeries(points, "ZONE", self.name, generated_us=0)

    def forecast(self, where):
        return self.observed(where, None)


def findings(emissions=None, forecast=None, *, is_offline=False, problems=(), effective=(), table=TABLE):
    options = Options(effective=effective)
    context = Context(options, table, emissions, forecast, lambda: 0.0, problems)
    return {finding.subject: finding for finding in find_all(context, is_offline=is_offline)}


def test_a_source_that_answers_is_fine():
    found = findings(FakeSource(), FakeSource())
    assert [found[role].state for role in ("EmissionsDataSource", "ForecastDataSource")] == [OK, OK]
    assert found["EmissionsDataSource"].message.startswith("theirs, marginal: 1 points for germany")
    assert "(zone ZONE)" in found["ForecastDataSource"].message
    assert found["locations"].state == OK


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (ProviderRejected("refused", "theirs", "x", 401), "password or token"),
        (ProviderRejected("refused", "theirs", "x", 403), "password or token"),
        (ProviderUnavailable("silent", "theirs"), "check the network"),
        (ProviderRejected("broken", "theirs", "x", 500), "try again later"),
    ],
)
def test_a_source_that_fails_is_a_fault_with_advice(error, advice):
    found = findings(FakeSource(error=error), FakeSource())["EmissionsDataSource"]
    assert found.state == FAULT
    assert str(error) in found.message
    assert advice in found.advice


def test_a_source_whose_zones_fail_is_asked_once():
    source = FakeSource(zone_error=ProviderRejected("no entry", "theirs", "x", 401))
    found = findings(source, FakeSource())["EmissionsDataSource"]
    assert (found.state, source.calls) == (FAULT, 1)
    assert "no entry" in found.message


def test_a_source_that_covers_nothing_is_a_fault():
    assert findings(FakeSource(country="ATA"), FakeSource())["EmissionsDataSource"].state == FAULT


def test_a_source_without_points_is_a_warning():
    found = findings(FakeSource(points=0), FakeSource())["EmissionsDataSource"]
    assert (found.state, "no points" in found.message) == (WARNING, True)


def test_a_source_without_forecasts_is_a_warning():
    found = findings(FakeSource(), FakeSource(error=CapabilityError("none", "theirs")))["ForecastDataSource"]
    assert (found.state, "501" in found.advice) == (WARNING, True)


def test_a_role_that_nobody_asked_for_is_a_warning_and_one_that_fails_is_a_fault():
    assert findings(FakeSource())["ForecastDataSource"].state == WARNING
    named = (("DataSources:ForecastDataSource", "X", "environment"),)
    assert findings(FakeSource(), effective=named)["ForecastDataSource"].state == FAULT


def test_no_source_at_all_is_a_fault():
    found = findings()
    assert {found[role].state for role in ("EmissionsDataSource", "ForecastDataSource")} == {FAULT}


def test_offline_asks_nobody():
    source = FakeSource()
    assert findings(source, source, is_offline=True)["EmissionsDataSource"].state == OK
    assert source.calls == 0


def test_the_sample_is_called_made_up():
    found = list(find_all(Context(OPTIONS, TABLE, Sample(), Sample()), is_offline=False))
    assert [finding.state for finding in found if "made-up" in finding.message] == [WARNING, WARNING]


def test_problems_of_the_configuration_are_told_with_their_origin():
    problems = (
        ConfigProblem("A:B", "is wrong", "appsettings.json"),
        ConfigProblem("A:C", "is odd", "environment", is_warning=True),
    )
    found = findings(FakeSource(), FakeSource(), problems=problems)
    assert found["A:B"].state == FAULT
    assert (found["A:B"].message, found["A:B"].advice) == ("is wrong", "correct it in appsettings.json")
    assert found["A:C"].message == "is odd (environment)"
    assert found["A:C"].state == WARNING
