"""Observed values and their means, case by case and for both profiles."""

from __future__ import annotations

import pickle
import threading
import time
from dataclasses import replace

import pytest

from codecarbon.carbon_aware.appsettings import load_options
from codecarbon.carbon_aware.context import build_context
from codecarbon.carbon_aware.faults import describe_fault
from codecarbon.carbon_aware.operations import Operations
from codecarbon.carbon_aware.results import AverageRequest
from codecarbon.errors import (
    CodeCarbonError,
    DiscontinuousData,
    InvalidParameters,
    NoIntensityData,
    NotConfigured,
    NotCovered,
    ProviderRejected,
    UnknownLocation,
)
from codecarbon.units import US_PER_HOUR
from tests.support.carbon_aware import (
    Clock,
    FakeProvider,
    document_f,
    document_j,
    fake_operations,
    make_operations,
    minute,
    moment,
    series,
    settings,
)


def at(text):
    """An instant of November 2021, for example ``17T08``."""
    day, _, hour = text.partition("T")
    return moment(f"2021-11-{day}T{hour or '00'}:00:00Z")


def on_j(tmp_path, profile, *more, now="2021-12-01T00:00:00Z", **settings):
    return make_operations(tmp_path, Clock(now), profile=profile, data=document_j(*more), **settings)


def ratings(answer):
    return [row.rating_g_per_kwh for row in answer.rows]


def fault_of(operations, endpoint, error):
    return describe_fault(error.value, endpoint, operations.context.options)


def test_case_15_points_of_a_day(tmp_path, profile):
    answer = on_j(tmp_path, profile).emissions(["westus"], at("17"), at("18"))
    assert ratings(answer) == [10, 20, 30]
    assert answer.rows[0] == ("westus", at("17").unix_us, 10, 8 * US_PER_HOUR)
    assert answer.meta.sources == ("json_file",)


@pytest.mark.parametrize(
    ("case", "start", "end", "expected"),
    [
        (16, "17T04", None, [10]),
        (16, "17T08", None, [20]),
        (17, "17T00", "17T08", [10, 20]),
        (18, "18T00", "18T01", []),
    ],
)
def test_cases_16_to_18_which_points_a_period_selects(tmp_path, profile, *, case, start, end, expected):
    assert ratings(on_j(tmp_path, profile).emissions(["westus"], at(start), at(end) if end else None)) == expected


@pytest.mark.parametrize(
    ("case", "start", "end", "errors"),
    [
        (
            19,
            None,
            "18",
            {
                "documented": {"time": ["time must be defined if toTime is defined"]},
                "strict": {"Start": ["Start must be defined if End is defined"]},
            },
        ),
        (
            20,
            "18",
            "18",
            {
                "documented": {"time": ["time must be before toTime"]},
                "strict": {"Start": ["Start must be before End"]},
            },
        ),
        (
            20,
            "19",
            "18",
            {
                "documented": {"time": ["time must be before toTime"]},
                "strict": {"Start": ["Start must be before End"]},
            },
        ),
    ],
)
def test_cases_19_and_20_periods_that_cannot_be(tmp_path, profile, *, case, start, end, errors):
    operations = on_j(tmp_path, profile)
    with pytest.raises(InvalidParameters) as error:
        operations.emissions(["westus"], at(start) if start else None, at(end))
    fault = fault_of(operations, "emissions", error)
    assert fault[:4] == (400, "ArgumentException", "Invalid parameters", errors[profile])


def test_defect_01_errors_use_the_names_that_the_caller_wrote(tmp_path):
    later, earlier = at("18"), at("17")
    operations = on_j(tmp_path, "documented", forecast=document_f())
    for endpoint, question, names in (
        ("emissions", lambda: operations.emissions(["westus"], later, earlier), ("time", "toTime")),
        ("average", lambda: operations.average("westus", later, earlier), ("startTime", "endTime")),
        ("forecast", lambda: operations.forecasts(["westus"], later, earlier), ("dataStartAt", "dataEndAt")),
    ):
        with pytest.raises(InvalidParameters) as error:
            question()
        assert fault_of(operations, endpoint, error).errors == {names[0]: [f"{names[0]} must be before {names[1]}"]}


def test_command_line_uses_the_internal_names_in_both_profiles(tmp_path, profile):
    operations = on_j(tmp_path, profile)
    with pytest.raises(InvalidParameters) as error:
        operations.emissions(["westus"], at("18"), at("17"))
    assert fault_of(operations, "command_line", error).errors == {"Start": ["Start must be before End"]}
    with pytest.raises(InvalidParameters) as error:
        operations.average("westus", None, None)
    assert list(fault_of(operations, "command_line", error).errors) == ["--start-time", "--end-time"]


def test_case_21_one_location_is_needed(tmp_path, profile):
    operations = on_j(tmp_path, profile)
    for locations in ([], [""]):
        with pytest.raises(InvalidParameters) as error:
            operations.emissions(locations, plural=False)
        fault = fault_of(operations, "emissions", error)
        assert fault.title == "One or more validation errors occurred."
        assert fault.errors == {"location": ["The location field is required."]}
        assert fault.type_uri


def test_case_22_some_location_is_needed(tmp_path, profile):
    operations = on_j(tmp_path, profile)
    with pytest.raises(InvalidParameters) as error:
        operations.emissions([""], plural=True)
    key = "location" if profile == "documented" else "MultipleLocations"
    assert fault_of(operations, "emissions", error).errors == {key: [f"{key} is not set"]}


def test_case_23_empty_locations_beside_another_do_not_count(tmp_path, profile):
    operations = on_j(tmp_path, profile)
    for locations in (["", "westus"], ["westus", ""]):
        assert ratings(operations.emissions(locations, at("17T04"))) == [10]


def test_case_24_and_25_several_places_and_the_best(tmp_path, profile):
    operations = on_j(tmp_path, profile)
    period = (at("17"), at("19"))
    assert ratings(operations.emissions(["westus", "eastus"], *period)) == [10, 20, 30, 40, 60]
    assert ratings(operations.best(["westus", "eastus"], *period)) == [10]


def test_rows_of_a_file_keep_its_order(tmp_path, profile):
    operations = on_j(tmp_path, profile)
    answer = operations.emissions(["eastus", "westus"], at("17"), at("19"))
    assert ratings(answer) == [10, 20, 30, 40, 60]
    assert [row.location for row in answer.rows] == ["westus"] * 4 + ["eastus"]


def test_case_25_ties_are_all_best(tmp_path, profile):
    operations = on_j(tmp_path, profile, ("eastus", "2021-11-18T08:00:00Z", 10))
    best = operations.best(["westus", "eastus"], at("17"), at("19")).rows
    assert [(row.location, row.rating_g_per_kwh) for row in best] == [("westus", 10), ("eastus", 10)]


def test_case_26_best_of_nothing_is_nothing(tmp_path, profile):
    answer = on_j(tmp_path, profile).best(["eastus"], at("17"), at("17T08"))
    assert answer.rows == ()


def test_case_27_case_of_letters(tmp_path):
    period = (at("17"), at("18"))
    assert ratings(on_j(tmp_path / "d", "documented").emissions(["WESTUS"], *period)) == [10, 20, 30]
    assert ratings(on_j(tmp_path / "s", "strict").emissions(["WESTUS"], *period)) == []


def test_case_29_instants_are_compared(tmp_path, profile):
    start = moment("2021-11-17T14:00:00+06:00", 360)
    assert ratings(on_j(tmp_path, profile).emissions(["westus"], start)) == [20]


@pytest.mark.parametrize(
    ("place", "start", "end", "mean"),
    [
        ("westus", "17T00", "18T00", 20),
        ("westus", "17T04", "17T12", 15),
        ("westus", "17T00", "17T08", 10),
        ("westus", "17T01", "17T23", 20),
        ("eastus", "18T00", "18T08", 60),
    ],
)
def test_cases_30_and_31_means(tmp_path, profile, *, place, start, end, mean):
    answer = on_j(tmp_path, profile).average(place, at(start), at(end))
    assert answer.intensity_g_per_kwh == pytest.approx(mean, rel=1e-9)
    assert (answer.location, answer.start, answer.end) == (place, at(start), at(end))


def test_case_32_mean_of_nothing_is_zero_where_clients_expect_it(tmp_path):
    operations = on_j(tmp_path, "strict")
    assert operations.average("eastus", at("19"), at("30")).intensity_g_per_kwh == 0.0
    assert operations.average("fakelocation", at("19"), at("30")).intensity_g_per_kwh == 0.0


def test_defect_04_average_of_nothing_is_an_error(tmp_path):
    operations = on_j(tmp_path, "documented")
    with pytest.raises(NotCovered) as error:
        operations.average("eastus", at("19"), at("30"))
    fault = fault_of(operations, "average", error)
    assert (fault.status, list(fault.errors)) == (400, ["startTime"])
    with pytest.raises(UnknownLocation) as unknown:
        operations.average("fakelocation", at("19"), at("30"))
    assert list(fault_of(operations, "average", unknown).errors) == ["location"]


def test_case_33_period_that_is_not_covered(tmp_path, profile):
    operations = on_j(tmp_path, profile)
    with pytest.raises(NotCovered) as error:
        operations.average("westus", at("17T20"), at("18T04"))
    fault = fault_of(operations, "average", error)
    assert fault.title == "ArgumentException"
    assert fault.detail.startswith("Period out of range.")
    assert list(fault.errors) == ([] if profile == "strict" else ["startTime"])


def test_case_34_gap_under_a_mean(tmp_path, profile):
    operations = on_j(tmp_path, profile)
    with pytest.raises(DiscontinuousData) as error:
        operations.average("westus", at("17"), at("19T08"))
    fault = fault_of(operations, "average", error)
    assert fault.title == "InvalidOperationException"
    assert fault.detail.startswith("AverageOverPeriod requires continuous chronological data")


def test_case_35_mean_without_a_time_or_a_place(tmp_path, profile):
    operations = on_j(tmp_path, profile)
    with pytest.raises(InvalidParameters) as error:
        operations.average("westus", at("17"), None)
    assert fault_of(operations, "average", error).errors == {"endTime": ["endTime is not set"]}
    with pytest.raises(InvalidParameters) as error:
        operations.average("", at("17"), at("18"))
    key = "location" if profile == "documented" else "SingleLocation"
    assert fault_of(operations, "average", error).errors == {key: [f"{key} is not set"]}
    with pytest.raises(InvalidParameters) as error:
        operations.average("westus", at("18"), at("17"))
    words = ("startTime", "endTime") if profile == "documented" else ("Start", "End")
    assert fault_of(operations, "average", error).errors == {words[0]: [f"{words[0]} must be before {words[1]}"]}


def test_case_35_all_faults_are_told_at_once(tmp_path):
    operations = on_j(tmp_path, "documented")
    with pytest.raises(InvalidParameters) as error:
        operations.average(None, None, None)
    assert set(fault_of(operations, "average", error).errors) == {"location", "startTime", "endTime"}


def test_case_37_batches(tmp_path, profile):
    operations = on_j(tmp_path, profile)
    item = AverageRequest("westus", at("17"), at("18"))
    assert [answer.intensity_g_per_kwh for answer in operations.average_batch([item] * 3)] == [20, 20, 20]
    assert operations.average_batch([]) == ()


def test_defect_02_batch_over_two_places_is_told_or_answered(tmp_path):
    items = [AverageRequest("westus", at("17"), at("18")), AverageRequest("eastus", at("18"), at("18T08"))]
    strict = on_j(tmp_path / "s", "strict")
    assert [answer.intensity_g_per_kwh for answer in strict.average_batch(items)] == [20, 60]
    documented = on_j(tmp_path / "d", "documented")
    with pytest.raises(InvalidParameters) as error:
        documented.average_batch(items)
    assert list(fault_of(documented, "average_batch", error).errors) == ["location"]
    same = [AverageRequest("westus", at("17"), at("18")), AverageRequest("WESTUS", at("17"), at("18"))]
    assert len(documented.average_batch(same)) == 2


def test_case_38_item_without_a_member(tmp_path, profile):
    operations = on_j(tmp_path, profile)
    good = AverageRequest("westus", at("17"), at("18"))
    for name, wire, internal in (
        ("location", "$[1].location", "SingleLocation"),
        ("start", "$[1].startTime", "startTime"),
        ("end", "$[1].endTime", "endTime"),
    ):
        with pytest.raises(InvalidParameters) as error:
            operations.average_batch([good, good._replace(**{name: None})])
        expected = wire if profile == "documented" else internal
        assert list(fault_of(operations, "average_batch", error).errors) == [expected]


def test_error_of_an_item_names_the_item(tmp_path):
    operations = on_j(tmp_path, "documented")
    good = AverageRequest("westus", at("17"), at("18"))
    with pytest.raises(NotCovered) as error:
        operations.average_batch([good, good._replace(end=at("18T01"))])
    assert error.value.item_index == 1
    assert pickle.loads(pickle.dumps(error.value)).item_index == 1
    assert list(fault_of(operations, "average_batch", error).errors) == ["$[1].startTime"]


@pytest.mark.parametrize(
    ("order", "is_fine"),
    [((0, 1, 2), True), ((2, 1, 0), True), ((1, 0, 2), False), ((0, 0, 1), False), ((0, 2), False)],
)
def test_case_39_order_of_the_points_under_a_mean(profile, order, is_fine):
    points = series([10, 20, 30]).points
    shuffled = replace(series([1]), points=tuple(points[at] for at in order))
    operations = fake_operations(FakeProvider(shuffled), Profile=profile)
    if is_fine:
        assert operations.average("eastus", minute(0), minute(15)).intensity_g_per_kwh == pytest.approx(20)
    else:
        with pytest.raises((DiscontinuousData, NotCovered)):
            operations.average("eastus", minute(0), minute(15))


def test_case_39_inside_one_point(profile):
    operations = fake_operations(FakeProvider(series([50], "2022-01-01T00:10:00Z")), Profile=profile)
    assert operations.average("eastus", minute(11), minute(12)).intensity_g_per_kwh == pytest.approx(50)


@pytest.mark.parametrize(
    ("start", "end", "mean"), [(0, 20, 25), (4, 20, 28.75), (0, 16, 21.25), (2.5, 17.5, 25), (2, 3, 10)]
)
def test_means_are_weighted_by_time(profile, start, end, mean):
    operations = fake_operations(FakeProvider(series([10, 20, 30, 40])), Profile=profile)
    answer = operations.average("eastus", minute(start), minute(end))
    assert answer.intensity_g_per_kwh == pytest.approx(mean, rel=1e-12)


def test_defect_03_no_time_means_all_up_to_now(tmp_path):
    # The newest point ended hours ago: an instant query finds nothing, one up to now does.
    now = "2021-11-19T20:00:00Z"
    assert ratings(on_j(tmp_path / "s", "strict", now=now).emissions(["westus"])) == []
    assert ratings(on_j(tmp_path / "d", "documented", now=now).emissions(["westus"])) == [10, 20, 30, 40]


def test_until_now_in_a_file_holds_until_its_next_point_starts(tmp_path):
    clock = Clock("2021-11-17T20:00:00Z")
    operations = make_operations(tmp_path, clock, data=document_j())
    first = operations.emissions(["westus"])
    assert ratings(first) == [10, 20, 30]
    assert first.meta.valid_until_us == at("19").unix_us
    both = operations.emissions(["westus", "eastus"])
    assert both.meta.valid_until_us == at("18").unix_us
    clock.set("2021-11-18T23:59:59Z")
    assert operations.emissions(["westus"]).rows == first.rows
    clock.set("2021-11-19T00:00:00Z")
    last = operations.emissions(["westus"])
    assert ratings(last) == [10, 20, 30, 40]
    assert last.meta.valid_until_us is None


def test_now_in_a_file_holds_until_a_point_starts_or_ends(tmp_path):
    clock = Clock("2021-11-17T07:00:00Z")
    operations = make_operations(tmp_path, clock, profile="strict", data=document_j())
    seen = []
    for now in ("17T07", "17T20", "18T01", "19T00", "20T00"):
        clock.now_us = at(now).unix_us
        answer = operations.emissions(["westus"])
        seen.append((ratings(answer), answer.meta.valid_until_us))
    assert seen == [
        ([10], at("17T08").unix_us),
        ([30], at("18T00").unix_us),
        ([], at("19T00").unix_us),
        ([40], at("19T08").unix_us),
        ([], None),
    ]


def test_until_now_in_a_file_that_is_read_again_holds_for_no_time(tmp_path):
    clock = Clock("2021-11-17T20:00:00Z")
    source = settings(tmp_path, data=document_j())
    source["DataSources"]["Configurations"]["Observed"]["CacheJsonData"] = "false"
    options = load_options(folder=tmp_path, environ={}, arguments=source)
    operations = Operations(build_context(options, clock=clock))
    assert operations.emissions(["westus"]).meta.valid_until_us == at("17T20").unix_us


def test_until_now_asks_providers_for_a_day_up_to_the_slot():
    clock = Clock("2022-01-02T00:07:00Z")
    provider = FakeProvider(series(range(400), "2022-01-01T00:00:00Z"))
    operations = fake_operations(provider, clock=clock, LookbackHours=24)
    answer = operations.emissions(["eastus"])
    _, _, span = provider.asked[0]
    assert (span.start_us, span.end_us) == (minute(5).unix_us, minute(24 * 60 + 5).unix_us + 1)
    assert answer.rows[0].time_us == minute(5).unix_us
    assert answer.rows[-1].time_us == minute(24 * 60 + 5).unix_us
    assert answer.meta.valid_until_us == minute(24 * 60 + 10).unix_us


def test_until_now_asks_the_free_source_for_the_latest_point():
    clock = Clock("2022-01-01T00:12:00Z")
    provider = FakeProvider(series([1, 2, 3, 4]), name="electricity_maps_free")
    assert ratings(fake_operations(provider, clock=clock).emissions(["eastus"])) == [3]


def test_rows_carry_the_zone_only_where_sources_promise_it():
    period = (["eastus"], minute(0))
    assert fake_operations(FakeProvider(series([1]))).emissions(*period).rows[0].location == "ZONE"
    other = FakeProvider(series([1], source="electricity_maps"), name="electricity_maps")
    assert fake_operations(other).emissions(*period).rows[0].location == "eastus"


def test_places_are_asked_for_once_in_profile_documented():
    provider = FakeProvider(series([1]))
    fake_operations(provider).emissions(["eastus", "EASTUS", "westus"], minute(0))
    assert [asked[1] for asked in provider.asked] == ["eastus", "westus"]
    strict = FakeProvider(series([1]))
    fake_operations(strict, Profile="strict").emissions(["eastus", "EASTUS"], minute(0))
    assert len(strict.asked) == 2


def test_two_places_are_too_many_for_one():
    with pytest.raises(InvalidParameters, match="only one"):
        fake_operations(FakeProvider(series([1]))).emissions(["eastus", "westus"], minute(0), plural=False)
    strict = fake_operations(FakeProvider(series([1])), Profile="strict")
    assert len(strict.emissions(["eastus", "westus"], minute(0), plural=False).rows) == 1


def test_place_outside_a_providers_area_is_an_error(profile):
    operations = fake_operations(FakeProvider(series([1]), outside=["westus"]), Profile=profile)
    with pytest.raises(UnknownLocation, match="outside the area") as error:
        operations.emissions(["westus"], minute(0))
    fault = fault_of(operations, "emissions", error)
    assert fault.status == 400
    assert list(fault.errors) == ([] if profile == "strict" else ["location"])


def test_place_inside_the_area_without_values_for_that_time_is_no_unknown_place(profile):
    provider = FakeProvider(error=NoIntensityData("the archive ends in 2020", "watttime"))
    operations = fake_operations(provider, Profile=profile)
    with pytest.raises(NotCovered, match="no values for 'eastus' at that time: the archive ends in 2020") as error:
        operations.emissions(["eastus"], minute(0))
    fault = fault_of(operations, "emissions", error)
    assert (fault.status, fault.title, fault.detail) == (400, "ArgumentException", str(error.value))
    assert list(fault.errors) == ([] if profile == "strict" else ["time"])
    with pytest.raises(NotCovered) as error:
        operations.average_batch([AverageRequest("eastus", minute(0), minute(5))])
    fault = fault_of(operations, "average_batch", error)
    assert list(fault.errors) == ([] if profile == "strict" else ["$[0].startTime"])


def test_real_source_refuses_a_place_outside_its_area_without_asking(profile):
    options = load_options(
        (),
        {},
        {
            "CarbonAwareVars": {"Profile": profile},
            "DataSources": {"EmissionsDataSource": "U", "Configurations": {"U": {"Type": "UKCarbonIntensity"}}},
        },
    )
    operations = Operations(build_context(options))
    with pytest.raises(UnknownLocation) as error:
        operations.emissions(["eastus" if profile == "documented" else "0,0"], minute(0))
    assert fault_of(operations, "emissions", error).status == 400
    operations.close()


def test_unknown_place_is_an_error(profile):
    operations = fake_operations(FakeProvider(series([1])), Profile=profile)
    with pytest.raises(UnknownLocation) as error:
        operations.emissions(["nowhere"], minute(0))
    assert fault_of(operations, "emissions", error).detail == "Unknown Location: 'nowhere' not found"


def test_no_source_is_an_error(profile):
    operations = fake_operations(None, Profile=profile)
    with pytest.raises(NotConfigured) as error:
        operations.emissions(["eastus"])
    assert fault_of(operations, "emissions", error)[:3] == (
        400,
        "ArgumentException",
        "EmissionsDataSource is not configured",
    )


def test_defect_24_places_are_fetched_together():
    barrier = threading.Barrier(3, timeout=20)

    class Meeting(FakeProvider):
        def observed(self, where, span):
            barrier.wait()  # nobody passes before all three are asked
            return super().observed(where, span)

    operations = fake_operations(Meeting(series([1])))
    answer = operations.emissions(["eastus", "westus", "uksouth"], minute(0))
    assert len(answer.rows) == 3
    operations.close()


def test_defect_24_the_cap_holds():
    lock, running, most = threading.Lock(), 0, 0

    class Counting(FakeProvider):
        def observed(self, where, span):
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0)
            found = super().observed(where, span)
            with lock:
                running -= 1
            return found

    operations = fake_operations(Counting(series([1])), MaxConcurrentFetches=2)
    operations.emissions([f"{at},{at}" for at in range(1, 20)], minute(0))
    assert 1 <= most <= 2
    operations.close()


def test_rows_keep_the_order_of_the_places():
    operations = fake_operations(FakeProvider(series([1], source="electricity_maps"), name="electricity_maps"))
    names = ["westus", "eastus", "uksouth"]
    assert [row.location for row in operations.emissions(names, minute(0)).rows] == names
    operations.close()


def test_version_tells_rows_apart():
    def version(*values, **facts):
        return fake_operations(FakeProvider(series(values, **facts))).emissions(["eastus"], minute(0), minute(9)).meta

    assert version(1, 2).version == version(1, 2).version
    assert version(1, 2).version != version(1, 3).version
    assert version(1, 2, valid_until_us=7).valid_until_us == 7
    assert version(1, 2).valid_until_us is None


def test_provider_answer_with_an_error_keeps_its_status():
    error = ProviderRejected("Error requesting historical", "watttime", "", 429, "slow down", 7.0)
    operations = fake_operations(FakeProvider(error=error))
    with pytest.raises(CodeCarbonError) as caught:
        operations.emissions(["eastus"], minute(0))
    fault = fault_of(operations, "emissions", caught)
    assert fault[:3] == (429, "WattTimeClientHttpException", "Error requesting historical: slow down")
    assert (fault.retry_after_s, fault.is_provider) == (7.0, True)


def test_limits(tmp_path):
    operations = fake_operations(FakeProvider(series([1])), MaxRangeDays=1, MaxLocations=2, MaxBatchItems=1)
    with pytest.raises(InvalidParameters, match="1 days apart"):
        operations.emissions(["eastus"], minute(0), minute(1441))
    with pytest.raises(InvalidParameters, match="at most 2 locations"):
        operations.emissions(["eastus", "westus", "uksouth"], minute(0))
    with pytest.raises(InvalidParameters, match="at most 1 items"):
        operations.average_batch([AverageRequest(), AverageRequest()])
