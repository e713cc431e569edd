"""When and where a job is best run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codecarbon.carbon_aware.faults import describe_fault
from codecarbon.carbon_aware.results import ScheduleRequest
from codecarbon.errors import InvalidParameters
from codecarbon.model import TimeSpan
from tests.support.carbon_aware import NEW_YEAR_US, Clock, FakeProvider, fake_operations, minute, series

VALUES = (40, 30, 20, 10, 20, 30)


class ByPlace(FakeProvider):
    """One forecast for each place."""

    def __init__(self, **values):
        super().__init__()
        self._values = values

    def forecast(self, where):
        values = self._values[where.key]
        return series(values, generated_us=NEW_YEAR_US)


def operations_on(**values):
    return fake_operations(ByPlace(**values), clock=Clock("2022-01-01T00:02:00Z"))


def span(start, end):
    return TimeSpan(minute(start).unix_us, minute(end).unix_us)


def test_best_start_and_what_it_saves():
    answer = operations_on(eastus=VALUES).schedule(ScheduleRequest(("eastus",), 300.0, power_w=3600.0))
    assert answer.best == answer.by_location[0].options[0]
    assert answer.best.spans == (span(15, 20),)
    assert answer.best.intensity_g_per_kwh == pytest.approx(10)
    assert answer.best.now_intensity_g_per_kwh == pytest.approx((3 * 40 + 2 * 30) / 5)
    assert answer.best.saving_ratio == pytest.approx(1 - 10 / 36)
    assert answer.best.emissions_g == pytest.approx(0.3 * 10)
    assert answer.by_location[0].generated_us == NEW_YEAR_US
    assert answer.meta.sources == ("watttime",)


def test_never_before_now_the_earliest_start_or_after_the_deadline():
    operations = operations_on(eastus=(1, 5, 4, 3, 2, 1))
    now = operations.schedule(ScheduleRequest(("eastus",), 300.0, deadline=minute(11))).best
    assert now.spans[0].start_us >= minute(2).unix_us
    assert now.spans[0].end_us <= minute(11).unix_us
    later = operations.schedule(ScheduleRequest(("eastus",), 300.0, earliest=minute(6), deadline=minute(20))).best
    assert later.spans == (span(15, 20),)


def test_alternatives_are_ranked_and_apart():
    answer = operations_on(eastus=VALUES).schedule(ScheduleRequest(("eastus",), 300.0, alternatives=3))
    found = answer.by_location[0].options
    means = [option.intensity_g_per_kwh for option in found]
    assert means == sorted(means)
    assert len({option.spans for option in found}) == 3


def test_best_place_of_several():
    operations = operations_on(eastus=VALUES, westus=(9,) * 6)
    answer = operations.schedule(ScheduleRequest(("eastus", "westus"), 300.0))
    assert answer.best.location == "westus"
    assert [one.location for one in answer.by_location] == ["eastus", "westus"]
    operations.close()


def test_moving_away_must_pay():
    operations = operations_on(eastus=(10,) * 6, westus=(9,) * 6)
    request = ScheduleRequest(("eastus", "westus"), 300.0, power_w=12_000.0, home="eastus")
    assert operations.schedule(request).best.location == "westus"
    assert operations.schedule(request._replace(move_cost_g=0.9)).best.location == "westus"
    assert operations.schedule(request._replace(move_cost_g=1.1)).best.location == "eastus"
    operations.close()


def test_job_that_fits_nowhere_is_told_with_its_reason():
    answer = operations_on(eastus=VALUES).schedule(ScheduleRequest(("eastus",), 7200.0))
    assert answer.best is None
    assert answer.by_location[0].options == ()
    assert "takes 2 h, " in answer.by_location[0].reason


def test_moving_away_is_compared_with_home():
    operations = operations_on(eastus=(10,) * 6, westus=(8,) * 6)
    request = ScheduleRequest(("eastus", "westus"), 300.0, power_w=12_000.0, home="eastus", move_cost_g=1.0)
    best = operations.schedule(request).best
    assert (best.location, best.now_intensity_g_per_kwh) == ("westus", pytest.approx(10))
    assert best.saving_ratio == pytest.approx(1 - (8 + 1) / 10)
    operations.close()


def test_job_in_pieces():
    operations = operations_on(eastus=(40, 1, 40, 1, 40, 40))
    request = ScheduleRequest(("eastus",), 600.0, pieces=2, alternatives=2, power_w=3600.0)
    split, whole = operations.schedule(request).by_location[0].options
    assert split.spans == (span(5, 10), span(15, 20))
    assert split.intensity_g_per_kwh == pytest.approx(1)
    assert split.emissions_g == pytest.approx(0.6)
    assert len(whole.spans) == 1
    costly = operations.schedule(request._replace(resume_cost_s=3000.0)).by_location[0].options
    assert len(costly[0].spans) == 1
    assert len({option.spans for option in costly}) == len(costly)


def test_job_that_fits_in_pieces_only():
    points = series((5, 5, 5, 5), generated_us=NEW_YEAR_US)
    gap = replace(points, points=points.points[:1] + points.points[2:3])
    operations = fake_operations(FakeProvider(forecasts=[gap]), clock=Clock())
    request = ScheduleRequest(("eastus",), 480.0, pieces=2, alternatives=3)
    found = operations.schedule(request).by_location[0]
    assert [len(option.spans) for option in found.options] == [2]
    assert found.reason == ""
    assert operations.schedule(request._replace(pieces=1)).by_location[0].reason


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"duration_s": 0.0}, "duration"),
        ({"duration_s": float("nan")}, "duration"),
        ({"duration_s": float("inf")}, "duration"),
        ({"alternatives": 0}, "alternatives"),
        ({"pieces": 0}, "pieces"),
        ({"resume_cost_s": -1.0}, "resumeCost"),
        ({"power_w": 0.0}, "power"),
        ({"move_cost_g": 1.0}, "power"),
        ({"move_cost_g": -1.0, "power_w": 1.0}, "moveCost"),
        ({"home": "westus"}, "home"),
        ({"locations": ()}, "location"),
        ({"earliest": minute(5), "deadline": minute(5)}, "earliest"),
    ],
)
def test_impossible_wishes_name_their_field(change, field):
    operations = operations_on(eastus=VALUES)
    request = ScheduleRequest(("eastus",), 300.0)._replace(**change)
    with pytest.raises(InvalidParameters) as error:
        operations.schedule(request)
    fault = describe_fault(error.value, "schedule", operations.context.options)
    assert (fault.status, list(fault.errors)) == (400, [field])
