"""Sources in an order."""

from __future__ import annotations

import pytest

from codecarbon.errors import CapabilityError, ConfigError, NoIntensityData, ProviderUnavailable
from codecarbon.intensity import Chain
from codecarbon.model import Location, TimeSpan
from codecarbon.units import US_PER_HOUR
from tests.support.fake_provider import FakeProvider

HERE = Location(key="eastus")
HOUR = TimeSpan(0, US_PER_HOUR)


def source(name, value=100.0, **options):
    return FakeProvider(lambda _start_us: value, name=name, **options)


def test_the_first_source_with_an_answer_gives_it():
    first, second = source("first", 1.0), source("second", 2.0)
    answer = Chain([first, second]).ask_observed(HERE, HOUR)
    assert answer.series.source == "first"
    assert answer.series.note == ""
    assert [attempt.outcome for attempt in answer.attempts] == ["answered"]
    assert second.calls == []


def test_the_next_source_stands_in_and_the_answer_says_so():
    first, second, third = source("first"), source("second", None), source("third", 3.0)
    first.error = ProviderUnavailable("down for repairs", "first")
    answer = Chain([first, second, third]).ask_observed(HERE, HOUR)
    assert answer.series.source == "third"
    assert {point.intensity_g_per_kwh for point in answer.series.points} == {3.0}
    assert answer.series.note == "in place of first, which failed, second, which had nothing"
    assert [str(attempt) for attempt in answer.attempts] == [
        "first: down for repairs",
        "second: nothing",
        "third: answered",
    ]


def test_nothing_anywhere_is_an_empty_series():
    assert Chain([source("first", None), source("second", None)]).observed(HERE, HOUR).points == ()


def test_a_failure_is_never_an_empty_series():
    first, second = source("first"), source("second", None)
    first.error = ProviderUnavailable("down for repairs", "first", retry_after_s=9.0)
    with pytest.raises(ProviderUnavailable, match="down for repairs") as caught:
        Chain([first, second]).observed(HERE, HOUR)
    assert caught.value.retry_after_s == 9.0


def test_the_reason_is_that_of_a_source_that_covers_the_place():
    first, second = source("first"), source("second")
    first.error = NoIntensityData("outside its area", "first")
    second.error = ProviderUnavailable("down for repairs", "second")
    with pytest.raises(ProviderUnavailable, match="down for repairs"):
        Chain([first, second]).observed(HERE, HOUR)
    with pytest.raises(NoIntensityData, match="outside its area"):
        Chain([first]).observed(HERE, HOUR)
    third = source("third", None)
    assert Chain([first, third]).observed(HERE, HOUR).points == ()
    answer = Chain([first, source("fourth")]).observed(HERE, HOUR)
    assert answer.note == "in place of first, which had nothing"


def test_sources_that_lack_a_capability_are_passed_over():
    first, second = source("first"), source("second")
    first.capabilities = frozenset({"observed"})
    chain = Chain([first, second])
    assert chain.forecast(HERE).source == "second"
    assert chain.forecast(HERE).note == ""
    assert chain.capabilities == {"observed", "forecast", "historical_forecast"}
    second.capabilities = frozenset({"observed", "forecast"})
    with pytest.raises(CapabilityError, match="first, second") as caught:
        chain.forecast_at(HERE, 0)
    assert caught.value.capability == "historical_forecast"


def test_average_and_marginal_are_not_mixed():
    with pytest.raises(ConfigError, match="uk is average and watttime is marginal"):
        Chain([source("uk"), source("watttime", signal="marginal")])


def test_they_may_stand_side_by_side_when_labels_are_asked_for():
    uk, watttime = source("uk"), source("watttime", signal="marginal")
    chain = Chain([uk, watttime], may_mix=True)
    assert chain.observed(HERE, HOUR).signal == "average"
    uk.error = ProviderUnavailable("away")
    assert chain.observed(HERE, HOUR).signal == "marginal"


def test_a_chain_needs_a_source():
    with pytest.raises(ConfigError, match="at least one source"):
        Chain([])


def test_the_zone_is_that_of_the_first_source_that_has_one():
    first, second = source("first"), source("second")

    def outside(_where):
        raise ProviderUnavailable("not my area", "first")

    first.zone_of = outside
    assert Chain([first, second]).zone_of(HERE) == "zone of eastus"
    with pytest.raises(ProviderUnavailable, match="not my area"):
        Chain([first]).zone_of(HERE)
