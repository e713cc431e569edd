"""Forecasts, case by case and for both profiles; minutes count from the begin of 2022."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codecarbon.carbon_aware.faults import describe_fault
from codecarbon.carbon_aware.results import ForecastRequest
from codecarbon.errors import CapabilityError, DiscontinuousData, InvalidParameters, NotConfigured, UnknownLocation
from codecarbon.units import US_PER_MIN
from tests.support.carbon_aware import (
    NEW_YEAR_US,
    PROFILES,
    Clock,
    FakeProvider,
    document_f,
    document_j,
    fake_operations,
    make_operations,
    minute,
    moment,
    series,
)


def on_f(tmp_path, profile, values=(10, 20, 30, 40), **settings):
    return make_operations(
        tmp_path, Clock("2022-01-01T00:01:00Z"), profile=profile, forecast=document_f(values), **settings
    )


def starts(rows):
    return [((row.time_us - NEW_YEAR_US) / US_PER_MIN, pytest.approx(row.rating_g_per_kwh, rel=1e-12)) for row in rows]


def current(operations, start=None, end=None, window=None):
    bounds = (None if start is None else minute(start), None if end is None else minute(end))
    return operations.forecasts(["westus"], *bounds, window)[0]


def fault_of(operations, endpoint, error):
    return describe_fault(error.value, endpoint, operations.context.options)


def test_case_40_no_parameters(tmp_path, profile):
    answer = current(on_f(tmp_path, profile))
    assert starts(answer.points) == [(0, 10), (5, 20), (10, 30), (15, 40)]
    assert starts(answer.optimal) == [(0, 10)]
    assert {row.duration_us for row in answer.points} == {5 * US_PER_MIN}
    assert (answer.generated_us, answer.requested, answer.location) == (NEW_YEAR_US, None, "westus")
    assert answer.data_start == minute(0)
    expected = (minute(20), 5) if profile == "documented" else (minute(15), 0)
    assert (answer.data_end, answer.window_size_min) == expected


def test_defect_05_echoes_are_those_of_each_profile(tmp_path):
    documented, strict = (current(on_f(tmp_path / name, name), window=10) for name in PROFILES)
    assert (documented.data_end, documented.window_size_min) == (minute(20), 10)
    assert (strict.data_end, strict.window_size_min) == (minute(10), 10)


@pytest.mark.parametrize(
    ("start", "end", "window", "expected"),
    [
        (None, None, 10, [(0, 15), (5, 25), (10, 35)]),  # 41
        (0, 15, 10, [(0, 15), (5, 25)]),  # 42
        (0, 15, None, [(0, 10), (5, 20), (10, 30), (15, 40)]),
        (2, 12, None, [(0, 10), (5, 20), (10, 30)]),  # 43
        (2, 18, 5, [(2, 14), (7, 24), (12, 34)]),  # 44
        (2, 20, 10, [(2, 19), (7, 29)]),
        (None, None, 15, [(0, 20), (5, 30)]),  # 45
        (None, None, 20, [(0, 25)]),
        (None, None, 7, [(0, 12.857142857142858), (5, 22.857142857142858), (10, 32.857142857142854)]),
        (None, None, 3, [(0, 10), (5, 20), (10, 30), (15, 40)]),
        (0, 20, 21, []),  # 46
        (None, None, 21, []),
    ],
)
def test_cases_41_to_46_windows(tmp_path, profile, *, start, end, window, expected):
    answer = current(on_f(tmp_path, profile), start, end, window)
    assert starts(answer.points) == expected
    assert {row.duration_us for row in answer.points} <= {(window or 5) * US_PER_MIN}


def test_case_44_best_point_of_a_scope(tmp_path, profile):
    assert starts(current(on_f(tmp_path, profile), 5, 20).optimal) == [(5, 20)]


@pytest.mark.parametrize("window", [21, 2**31 - 1])
def test_defect_07_window_that_fits_nowhere_is_no_error(tmp_path, profile, window):
    answer = current(on_f(tmp_path, profile), window=window)
    assert answer.window_size_min == window
    assert (answer.points, answer.optimal) == ((), ())
    assert (answer.data_start, answer.data_end) == (minute(0), minute(20))


def test_defect_06_first_window_ends_in_time(tmp_path):
    assert starts(current(on_f(tmp_path / "s", "strict"), 0, 5, 10).points) == [(0, 15)]
    assert starts(current(on_f(tmp_path / "d", "documented"), 0, 5, 10).points) == []


def test_case_48_bounds_outside_the_forecast(tmp_path, profile):
    operations = on_f(tmp_path, profile)
    for start, end, keys in ((-1, 20, ["dataStartAt"]), (0, 21, ["dataEndAt"]), (-1, 21, ["dataStartAt", "dataEndAt"])):
        with pytest.raises(InvalidParameters) as error:
            current(operations, start, end)
        fault = fault_of(operations, "forecast", error)
        assert (fault.status, fault.detail, list(fault.errors)) == (400, "Invalid EmissionsForecast", keys)
    told = fault.errors["dataStartAt"][0]
    assert told.endswith(
        "must be within time range of the forecasted data, "
        "'01/01/2022 00:00:00 +00:00' through '01/01/2022 00:20:00 +00:00'"
    )
    assert len(current(operations, 0, 20).points) == 4


def test_case_49_start_at_or_after_the_end(tmp_path, profile):
    operations = on_f(tmp_path, profile)
    with pytest.raises(InvalidParameters) as error:
        current(operations, 10, 10)
    names = ("dataStartAt", "dataEndAt") if profile == "documented" else ("Start", "End")
    assert fault_of(operations, "forecast", error).errors == {names[0]: [f"{names[0]} must be before {names[1]}"]}
    with pytest.raises(InvalidParameters) as error:
        current(operations, 20)
    told = {"dataStartAt": ["dataStartAt must be earlier than dataEndAt"]}
    assert fault_of(operations, "forecast", error).errors == told


def test_case_50_negative_window(tmp_path, profile):
    operations = on_f(tmp_path, profile)
    with pytest.raises(InvalidParameters) as error:
        current(operations, window=-5)
    assert fault_of(operations, "forecast", error).errors == {"windowSize": ["windowSize must not be negative"]}


@pytest.mark.parametrize(
    ("values", "means", "optimal"),
    [
        ([10, 20, 30, 40, 5], [15, 25, 35, 22.5], [(0, 15)]),
        ([5, 55, 10, 10, 10], [30, 32.5, 10, 10], [(10, 10), (15, 10)]),
        ([12, 11, 10, 12, 13], [11.5, 10.5, 11, 12.5], [(5, 10.5)]),
    ],
)
def test_case_51_windows_of_ten_minutes(tmp_path, profile, values, means, optimal):
    answer = current(on_f(tmp_path, profile, values), window=10)
    assert [row.rating_g_per_kwh for row in answer.points] == pytest.approx(means)
    assert starts(answer.optimal) == optimal


def test_ties_within_rounding_are_ties_in_profile_documented(tmp_path):
    values = [0.1 + 0.2, 9, 0.3]
    assert len(current(on_f(tmp_path / "d", "documented", values)).optimal) == 2
    assert len(current(on_f(tmp_path / "s", "strict", values)).optimal) == 1


def test_defect_25_window_over_a_gap_is_left_out(tmp_path, profile):
    document = document_f([10, 20, 30, 40, 50])
    del document["Forecasts"][0]["Points"][2]
    operations = make_operations(tmp_path, Clock("2022-01-01T00:01:00Z"), profile=profile, forecast=document)
    assert starts(current(operations, window=10).points) == [(0, 15), (15, 45)]


def test_case_53_no_source_of_forecasts(tmp_path, profile):
    operations = make_operations(tmp_path, Clock(), profile=profile, data=document_j())
    with pytest.raises(NotConfigured) as error:
        current(operations)
    assert fault_of(operations, "forecast", error).detail == "ForecastDataSource is not configured"


def test_case_54_bounds_long_ago_and_no_place(tmp_path, profile):
    operations = on_f(tmp_path, profile)
    with pytest.raises(InvalidParameters):
        operations.forecasts(["westus"], moment("1999-01-01T00:00Z"), moment("1999-01-02T00:00Z"))
    with pytest.raises(InvalidParameters) as error:
        operations.forecasts([])
    key = "location" if profile == "documented" else "MultipleLocations"
    assert list(fault_of(operations, "forecast", error).errors) == [key]


def test_case_55_items_without_a_place_or_a_moment(tmp_path, profile):
    operations = on_f(tmp_path, profile)
    with pytest.raises(InvalidParameters) as error:
        operations.forecast_batch([ForecastRequest()])
    expected = {
        "documented": {
            "$[0].location": ["location is not set"],
            "$[0].requestedAt": ["requestedAt is not set"],
        },
        "strict": {"SingleLocation": ["SingleLocation is not set"], "Requested": ["Requested is not set"]},
    }
    assert fault_of(operations, "forecast_batch", error).errors == expected[profile]


def test_faults_of_all_items_are_told_at_once(tmp_path):
    operations = on_f(tmp_path, "documented")
    with pytest.raises(InvalidParameters) as error:
        operations.forecast_batch([ForecastRequest("westus"), ForecastRequest(None, minute(0), window_min=-1)])
    keys = ["$[0].requestedAt", "$[1].location", "$[1].windowSize"]
    assert list(fault_of(operations, "forecast_batch", error).errors) == keys


def test_case_55_source_without_a_history_lacks_the_capability(profile):
    provider = FakeProvider(
        forecasts=[series([1], generated_us=NEW_YEAR_US)], capabilities=frozenset({"observed", "forecast"})
    )
    operations = fake_operations(provider, Profile=profile)
    with pytest.raises(CapabilityError) as error:
        operations.forecast_batch([ForecastRequest("eastus", minute(0))])
    assert fault_of(operations, "forecast_batch", error)[:2] == (501, "NotImplementedException")
    assert operations.forecasts(["eastus"])[0].points


def test_case_56_items_in_order_with_their_echoes(tmp_path, profile):
    operations = on_f(tmp_path, profile)
    local = [moment("2022-01-01T06:02:00+06:00", 360), moment("2022-01-01T06:05:00+06:00", 360)]
    items = [ForecastRequest("westus", minute(at), local[0], local[1], 1) for at in (0, 2, 4)]
    answers = operations.forecast_batch(items)
    assert [answer.requested for answer in answers] == [minute(0), minute(2), minute(4)]
    assert {(answer.data_start, answer.data_end) for answer in answers} == {tuple(local)}
    assert operations.forecast_batch([]) == ()


def issue(at_min, value):
    start = f"2022-01-01T00:{at_min:02}:00Z"
    return series([value], start, generated_us=minute(at_min).unix_us)


def test_case_60_which_forecast_was_in_force():
    issues = [issue(0, 1), issue(5, 2)]
    for requested, value in ((3 + 20 / 60, 1), (7, 2), (5, 2)):
        for profile in PROFILES:
            operations = fake_operations(FakeProvider(forecasts=issues), Profile=profile)
            answer = operations.forecast_batch([ForecastRequest("eastus", minute(requested))])[0]
            assert (answer.points[0].rating_g_per_kwh, answer.requested) == (value, minute(requested))
    late = ForecastRequest("eastus", minute(50))
    found = fake_operations(FakeProvider(forecasts=issues)).forecast_batch([late])[0]
    assert found.generated_us == minute(5).unix_us
    strict = fake_operations(FakeProvider(forecasts=issues), Profile="strict")
    with pytest.raises(InvalidParameters) as error:
        strict.forecast_batch([late])
    fault = fault_of(strict, "forecast_batch", error)
    assert (fault.status, fault.title) == (400, "ArgumentException")
    assert fault.detail.startswith("No forecast was generated at the requested time")


def test_defect_11_no_forecast_within_the_hour_is_told():
    operations = fake_operations(FakeProvider(forecasts=[issue(0, 1)]))
    with pytest.raises(InvalidParameters) as error:
        operations.forecast_batch([ForecastRequest("eastus", minute(0)), ForecastRequest("eastus", minute(61))])
    fault = fault_of(operations, "forecast_batch", error)
    assert (fault.status, list(fault.errors)) == (400, ["$[1].requestedAt"])
    assert error.value.item_index == 1


def test_place_outside_a_providers_area(profile):
    operations = fake_operations(FakeProvider(forecasts=[issue(0, 1)], outside=["eastus"]), Profile=profile)
    with pytest.raises(UnknownLocation, match="outside the area"):
        operations.forecasts(["eastus"])
    with pytest.raises(UnknownLocation, match="outside the area"):
        operations.forecast_batch([ForecastRequest("eastus", minute(0))])


def test_forecast_without_points_is_told(profile):
    operations = fake_operations(FakeProvider(forecasts=[series([], generated_us=NEW_YEAR_US)]), Profile=profile)
    with pytest.raises(InvalidParameters) as error:
        operations.forecasts(["eastus"])
    assert fault_of(operations, "forecast", error).status == 400


def test_place_that_has_no_forecast_yet_is_known_all_the_same(tmp_path, profile):
    operations = make_operations(
        tmp_path, Clock("2021-12-31T23:00:00Z"), profile=profile, forecast=document_f(), data=document_j()
    )
    with pytest.raises(InvalidParameters, match="there is no forecast") as error:
        operations.forecasts(["westus"])
    fault = fault_of(operations, "forecast", error)
    assert (fault.status, fault.title) == (400, "ArgumentException")
    assert list(fault.errors) == (["SingleLocation"] if profile == "strict" else ["location"])


def test_defect_08_fault_in_the_data_is_an_error_of_the_question(profile):
    points = series([1, 2, 3]).points
    overlapping = replace(series([], generated_us=NEW_YEAR_US), points=(*points, points[0]._replace(duration_us=9)))
    operations = fake_operations(FakeProvider(forecasts=[overlapping]), Profile=profile)
    with pytest.raises(DiscontinuousData) as error:
        operations.forecasts(["eastus"], window_min=10)
    assert fault_of(operations, "forecast", error)[:2] == (400, "InvalidOperationException")


def test_forecast_of_several_places_keeps_their_order():
    provider = FakeProvider(forecasts=[issue(0, 1)])
    operations = fake_operations(provider)
    answers = operations.forecasts(["westus", "eastus", "WESTUS"])
    assert [answer.location for answer in answers] == ["westus", "eastus"]
    operations.close()


def test_json_file_without_forecasts_lacks_the_capability(tmp_path, profile):
    from codecarbon.carbon_aware.appsettings import load_options
    from codecarbon.carbon_aware.context import build_context
    from codecarbon.carbon_aware.operations import Operations
    from tests.support.carbon_aware import settings

    given = settings(tmp_path, profile=profile, forecast=document_j())
    context = build_context(load_options((), {}, given, folder=tmp_path), clock=Clock())
    assert [problem.key for problem in context.problems] == ["DataSources:ForecastDataSource"]
    with pytest.raises(CapabilityError):
        Operations(context).forecasts(["westus"])
