"""A file of the user's as a source of carbon intensity."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecarbon.errors import CapabilityError, NoIntensityData, ProviderDataError, ProviderUnavailable
from codecarbon.intensity.json_file import JsonFile
from codecarbon.intensity.point_index import PointIndex
from codecarbon.model import IntensityPoint, Location, TimeSpan
from codecarbon.units import US_PER_DAY, US_PER_HOUR, US_PER_MIN, US_PER_S, us_from_iso

NOON_US = us_from_iso("2022-03-01T12:00:00Z")
ALWAYS = TimeSpan(0, 1 << 60)


def entry(location="eastus", at="2022-03-01T12:00:00Z", rating=10, duration="00:05:00", **more):
    return {"Location": location, "Time": at, "Rating": rating, "Duration": duration, **more}


@pytest.fixture
def file_of(tmp_path):
    path = tmp_path / "emissions.json"
    ticks = iter(range(1, 1000))

    def write(document, **options):
        text = document if isinstance(document, (str, bytes)) else json.dumps(document)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        os.utime(path, ns=(next(ticks) * 10**9,) * 2)  # file systems may count seconds only
        return JsonFile(path, **options)

    return write


def at(key, **more):
    return Location(key=key, **more)


def values(series):
    return [point.intensity_g_per_kwh for point in series.points]


def test_a_file_is_read(file_of):
    provider = file_of({"Date": "whatever", "License": "x", "Emissions": [entry(rating=10.5, Extra=1)]})
    series = provider.observed(at("eastus"), ALWAYS)
    (point,) = series.points
    assert point == (NOON_US, 5 * US_PER_MIN, 10.5, False)
    assert (series.zone, series.source, series.signal) == ("eastus", "json_file", "average")


@pytest.mark.parametrize(
    ("span", "wanted"),
    [
        ((NOON_US, NOON_US), ["b"]),
        ((NOON_US - 1, NOON_US - 1), ["a"]),
        ((NOON_US - 1, NOON_US), ["a"]),
        ((NOON_US - 1, NOON_US + 1), ["a", "b"]),
        ((NOON_US + 5 * US_PER_MIN, NOON_US + US_PER_HOUR), []),
    ],
)
def test_points_that_overlap_are_given_uncut(file_of, span, wanted):
    ratings = {"a": 1, "b": 2}
    provider = file_of({"Emissions": [entry(at="2022-03-01T11:55:00Z", rating=1), entry(rating=2)]})
    assert values(provider.observed(at("eastus"), TimeSpan(*span))) == [ratings[name] for name in wanted]


def test_defect_19_a_point_longer_than_a_day_is_found_in_its_middle(file_of):
    provider = file_of({"Emissions": [entry(duration="30.00:00:00")]})
    moment_us = NOON_US + 20 * US_PER_DAY
    assert values(provider.observed(at("eastus"), TimeSpan(moment_us, moment_us))) == [10.0]


def test_a_point_without_duration_has_none(file_of):
    provider = file_of({"Emissions": [{"Location": "eastus", "Time": "2022-03-01T12:00:00", "Rating": 1}]})
    assert provider.observed(at("eastus"), ALWAYS).points[0].duration_us == 0
    assert provider.observed(at("eastus"), TimeSpan(NOON_US, NOON_US)).points == ()


@pytest.mark.parametrize(
    ("text", "duration_us"),
    [
        ("01:00:00", US_PER_HOUR),
        ("01:00", US_PER_HOUR),
        ("1.02:03:04.5", US_PER_DAY + 2 * US_PER_HOUR + 3 * US_PER_MIN + 4_500_000),
        ("00:00:00.0000001", 0),
    ],
)
def test_durations(file_of, text, duration_us):
    assert file_of({"Emissions": [entry(duration=text)]}).observed(at("eastus"), ALWAYS).points[0][1] == duration_us


def test_the_order_of_the_file_is_kept(file_of):
    late, early = entry(at="2022-03-01T13:00Z", rating=3), entry(rating=1)
    other = entry(location="westus", at="2022-03-01T12:30Z", rating=2)
    provider = file_of({"Emissions": [late, other, early]})
    assert values(provider.observed(at("eastus"), ALWAYS)) == [3.0, 1.0]
    mixed = provider.observed_in_file_order([at("westus"), at("eastus")], ALWAYS)
    assert [(found.location, found.point.intensity_g_per_kwh) for found in mixed] == [
        ("eastus", 3.0),
        ("westus", 2.0),
        ("eastus", 1.0),
    ]


@given(
    starts=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9), st.sampled_from("ab")), max_size=20),
    span=st.tuples(st.integers(-2, 32), st.integers(0, 9)),
)
def test_the_index_finds_what_a_scan_of_the_file_finds(starts, span):
    points = [(name, IntensityPoint(start, length, 1.0)) for start, length, name in starts]
    wanted = TimeSpan(span[0], span[0] + span[1])
    for name in "ab":
        own = [(at, point) for at, (whose, point) in enumerate(points) if whose == name]
        index = PointIndex.of(own)
        assert sorted(index.overlapping(wanted)) == [
            entry for entry in own if wanted.overlaps(entry[1].start_us, entry[1].end_us)
        ]
        later = [point.start_us for _, point in own if point.start_us > span[0]]
        assert index.next_start_us(span[0]) == min(later, default=None)
        holding = [point.end_us for _, point in own if point.start_us <= span[0] < point.end_us]
        assert index.next_end_us(span[0]) == min(holding, default=None)


def test_a_place_is_found_without_looking_at_the_others(file_of):
    source = file_of({"Emissions": [entry(f"place{number}", rating=number) for number in range(50)]})
    index = dict(source._indexes([at("PLACE7")]))
    assert list(index) == ["place7"]
    assert len(index["place7"].entries) == 1


def test_the_next_change_is_that_of_the_places_asked_for(file_of):
    source = file_of(
        {
            "Emissions": [
                entry(at="2022-03-01T12:30:00Z"),
                entry(at="2022-03-01T12:00:00Z"),
                entry("westus", at="2022-03-01T12:10:00Z"),
            ]
        }
    )
    assert source.next_start_us([at("eastus")], NOON_US) == NOON_US + 30 * US_PER_MIN
    assert source.next_start_us([at("eastus"), at("westus")], NOON_US) == NOON_US + 10 * US_PER_MIN
    assert source.next_start_us([at("eastus")], NOON_US + 30 * US_PER_MIN) is None
    assert source.next_end_us([at("eastus"), at("westus")], NOON_US) == NOON_US + 5 * US_PER_MIN
    assert source.next_end_us([at("westus")], NOON_US) is None
    assert source.next_start_us([at("nowhere")], NOON_US) is None


def test_defect_19_case_does_not_matter_unless_asked_for(file_of):
    document = {"Emissions": [entry(location="EastUS", rating=1)]}
    lenient = file_of(document)
    assert values(lenient.observed(at("eastus"), ALWAYS)) == [1.0]
    assert lenient.zone_of(at("EASTUS")) == "EastUS"
    exact = file_of(document, match_case=True)
    assert values(exact.observed(at("eastus"), ALWAYS)) == []
    assert values(exact.observed(at("EastUS"), ALWAYS)) == [1.0]


def test_a_zone_named_for_the_file_wins_over_the_key(file_of):
    provider = file_of({"Emissions": [entry(location="useast", rating=1), entry(rating=2)]})
    assert values(provider.observed(at("eastus", zones=(("json_file", "useast"),)), ALWAYS)) == [1.0]
    assert values(provider.observed(Location(country_iso_code="FRA", zone="useast"), ALWAYS)) == [1.0]


def test_an_unknown_location_has_no_points(file_of):
    series = file_of({"Emissions": [entry()]}).observed(at("nowhere"), ALWAYS)
    assert series.points == ()
    assert series.zone == "nowhere"


def test_a_place_without_a_name_is_an_error(file_of):
    with pytest.raises(NoIntensityData, match="place is unknown"):
        file_of({"Emissions": [entry()]}).observed(Location(), ALWAYS)


def test_a_country_is_looked_for_by_its_label(file_of):
    provider = file_of({"Emissions": [entry(location="usa/california", rating=7)]})
    assert values(provider.observed(Location(country_iso_code="USA", region="california"), ALWAYS)) == [7.0]


def test_a_byte_order_mark_is_tolerated(file_of):
    provider = file_of(b"\xef\xbb\xbf" + json.dumps({"Emissions": [entry()]}).encode())
    assert values(provider.observed(at("eastus"), ALWAYS)) == [10.0]


# --- what is wrong with a file ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([entry()], r'bare list: wrap it as \{"Emissions": \[...\]\}'),
        ("{", "no JSON"),
        ("3", "expected an object"),
        ({"emissions": []}, "'emissions' must be written 'Emissions'"),
        ({"Emissions": {}}, "Emissions: expected a list"),
        ({"Emissions": [entry(), 3]}, r"Emissions\[1\]: expected an object"),
        ({"Emissions": [entry(rating="0.6")]}, r"Emissions\[0\].Rating: expected a number.*'0.6'"),
        ({"Emissions": [entry(rating=None)]}, r"Rating: .*found nothing"),
        ({"Emissions": [entry(rating=True)]}, r"Rating: .*True"),
        ({"Emissions": [entry(rating=-1)]}, r"Rating: .*at least 0"),
        ('{"Emissions": [{"Location": "a", "Time": "2022-01-01", "Rating": NaN}]}', "Rating: .*nan"),
        ('{"Emissions": [{"Location": "a", "Time": "2022-01-01", "Rating": 1e999}]}', "Rating: .*inf"),
        ({"Emissions": [entry(at="yesterday")]}, r"Emissions\[0\].Time: 'yesterday'"),
        ({"Emissions": [entry(at=1646136000)]}, "Time: expected an ISO 8601 time"),
        ({"Emissions": [entry(location="")]}, "Location: expected a name"),
        ({"Emissions": [entry(location=3)]}, "Location: expected a name"),
        ({"Emissions": [entry(duration="1 hour")]}, r"Duration: expected \[d.\]hh:mm:ss"),
        ({"Emissions": [entry(duration="25:00:00")]}, "Duration"),
        ({"Emissions": [entry(duration=300)]}, "Duration"),
        ({"Forecasts": [{"GeneratedAt": "2022-03-01", "Location": "a", "Points": []}]}, "at least one point"),
        ({"Forecasts": [{"Location": "a", "Points": [entry()]}]}, r"Forecasts\[0\].GeneratedAt"),
    ],
)
def test_an_error_names_file_entry_and_member(file_of, document, message):
    provider = file_of(document)
    with pytest.raises(ProviderDataError, match=message) as caught:
        provider.observed(at("eastus"), ALWAYS)
    assert provider.path in str(caught.value)
    assert caught.value.provider == "json_file"


def test_bytes_that_are_no_text_are_refused(file_of):
    with pytest.raises(ProviderDataError, match="UTF-8"):
        file_of(b"\xff\xfe{}").observed(at("eastus"), ALWAYS)


def test_a_file_that_is_not_there_is_no_empty_file(tmp_path):
    provider = JsonFile(tmp_path / "none.json")
    with pytest.raises(ProviderUnavailable, match=r"none\.json cannot be read: No such file"):
        provider.observed(at("eastus"), ALWAYS)
    # It is asked all the same, so that its error is told rather than "has no forecasts".
    assert "forecast" in provider.capabilities


def test_no_emissions_is_no_error(file_of):
    provider = file_of({"Date": "2022"})
    assert provider.observed(at("eastus"), ALWAYS).points == ()
    assert provider.capabilities == {"observed"}


# --- change ----------------------------------------------------------------------------------------------------------


def test_a_changed_file_is_read_again(file_of):
    provider = file_of({"Emissions": [entry(rating=1)]})
    assert values(provider.observed(at("eastus"), ALWAYS)) == [1.0]
    version = provider.version
    file_of({"Emissions": [entry(rating=2)]})
    assert values(provider.observed(at("eastus"), ALWAYS)) == [2.0]
    assert provider.version != version


def test_a_changed_file_is_kept_when_asked_to(file_of):
    provider = file_of({"Emissions": [entry(rating=1)]}, reload=False)
    assert values(provider.observed(at("eastus"), ALWAYS)) == [1.0]
    version = provider.version
    file_of({"Emissions": [entry(rating=2)]})
    assert values(provider.observed(at("eastus"), ALWAYS)) == [1.0]
    assert provider.version == version


def test_an_unchanged_file_is_read_once(file_of):
    provider = file_of({"Emissions": [entry(rating=1)]})
    provider.observed(at("eastus"), ALWAYS)
    status = os.stat(provider.path)
    with open(provider.path, "r+b") as file:
        file.write(b"X")
    os.utime(provider.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert values(provider.observed(at("eastus"), ALWAYS)) == [1.0]


# --- forecasts -------------------------------------------------------------------------------------------------------


def issue(generated, rating, location="eastus"):
    points = [entry(at="2022-03-01T12:05:00Z", rating=rating + 1), entry(rating=rating)]
    return {"GeneratedAt": generated, "Location": location, "Points": points}


@pytest.fixture
def forecasts(file_of):
    issues = [issue("2022-03-01T11:00Z", 2), issue("2022-03-01T10:00Z", 1), issue("2022-03-01T13:00Z", 3)]
    return file_of({"Forecasts": issues}, clock=lambda: (NOON_US + US_PER_MIN) / US_PER_S)


def test_the_current_forecast_is_the_newest_made_by_now(forecasts):
    series = forecasts.forecast(at("EASTUS"))
    assert values(series) == [2.0, 3.0]
    assert series.generated_us == NOON_US - US_PER_HOUR
    assert all(point.is_estimated for point in series.points)
    assert forecasts.capabilities == {"observed", "forecast", "historical_forecast"}


def test_an_old_forecast_is_the_newest_made_within_the_time(forecasts):
    requested_us = NOON_US - US_PER_MIN
    series = forecasts.forecast_at(at("eastus"), requested_us, look_back_us=US_PER_HOUR)
    assert series.generated_us == NOON_US - US_PER_HOUR
    with pytest.raises(NoIntensityData, match="11:59"):
        forecasts.forecast_at(at("eastus"), requested_us)
    exact = forecasts.forecast_at(at("eastus"), NOON_US - US_PER_HOUR + 4 * US_PER_MIN)
    assert exact.generated_us == NOON_US - US_PER_HOUR


def test_a_place_without_forecasts_is_told_so(forecasts):
    with pytest.raises(NoIntensityData, match="no forecast for 'westus'"):
        forecasts.forecast(at("westus"))


def test_a_file_without_forecasts_lacks_the_capability(file_of):
    with pytest.raises(CapabilityError) as caught:
        file_of({"Emissions": [entry()]}).forecast(at("eastus"))
    assert caught.value.capability == "forecast"


def test_what_a_client_may_be_told_has_the_files_name_and_not_its_folder(forecasts, file_of):
    asked = [
        lambda: forecasts.forecast(at("westus")),
        lambda: forecasts.forecast(Location()),
        lambda: file_of({"Emissions": [entry()]}).forecast(at("eastus")),
    ]
    for ask in asked:
        with pytest.raises((NoIntensityData, CapabilityError), match=r"emissions\.json") as caught:
            ask()
        assert os.path.dirname(forecasts.path) not in str(caught.value)
