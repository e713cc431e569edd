"""What the WebApi answers: numbered questions, each with one expected answer per profile.

Fixtures, named as ``site`` (sites.py makes them):

- ``J`` and variants: observed points of eight hours from a JSON file; westus from 2021-11-17T00Z 10, 20, 30 and from
  2021-11-19T00Z 40; eastus from 2021-11-18T00Z 60. The clock stands at 2021-11-19T12:00Z.
- ``F`` and variants: a forecast for westus from 2022-01-01T00:00Z, four points of five minutes, 10, 20, 30, 40, made at
  that moment, which is also the clock's. Times of forecasts are minutes after it.

Places are the Azure regions unless a variant says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

PROFILES = ("documented", "strict")
MIDNIGHT = datetime(2022, 1, 1, tzinfo=timezone.utc)
INVALID = "Invalid parameters"
BINDING = "One or more validation errors occurred."


class Answer(NamedTuple):
    """An expected answer; what is None is not looked at.

    Attributes:
        status: The HTTP status.
        values: The ratings, values or averages of the body, in order.
        points: Minutes and values of the first forecast's ``forecastData``.
        optimal: Minutes of its optima.
        members: Members of the body, or of its first element, exactly.
        errors: What the messages of each error key hold; the keys are all there are.
        title: The problem's title.
        detail: How its detail begins.
        body: The whole body: text, or what its JSON means.
        headers: Headers and what they hold.
        keys: How many members the body has.
    """

    status: int = 200
    values: tuple[float, ...] | None = None
    points: tuple[tuple[float, float], ...] | None = None
    optimal: tuple[float, ...] | None = None
    members: Mapping[str, Any] = {}
    errors: Mapping[str, str] | None = None
    title: str | None = None
    detail: str | None = None
    body: Any = None
    headers: Mapping[str, str] = {}
    keys: int | None = None


@dataclass(frozen=True)
class Case:
    """A question and its answers.

    Attributes:
        number: Its number in the list of behaviours.
        path: Path and query, as sent.
        documented: The answer in that profile.
        strict: The answer in that one.
        site: The fixture that is asked.
        body: The JSON of a POST; None for a GET.
        method: The HTTP method, where it is neither.
    """

    number: int
    path: str
    documented: Answer
    strict: Answer
    site: str = "J"
    body: Any = None
    method: str = ""
    id: str = field(default="")


def both(number: int, path: str, *, site: str = "J", body: Any = None, **answer: Any) -> Case:
    """Make a case whose answer is the same in either profile."""
    expected = Answer(**answer)
    return Case(number, path, expected, expected, site=site, body=body)


def bad(key: str | Mapping[str, str], message: str = "", **answer: Any) -> Answer:
    """Make the answer 400 with one error key, or with these."""
    return Answer(status=400, errors={key: message} if isinstance(key, str) else key, **answer)


def at(minute: float) -> str:
    """Write a moment of the forecast fixture for a query."""
    return (MIDNIGHT + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")


def echo(minute: float) -> str:
    """Write a moment of the forecast fixture as answers do."""
    return (MIDNIGHT + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%S+00:00")


WEST = "/emissions/bylocation?location=westus"
BY = "/emissions/bylocations"
AVERAGE = "/emissions/average-carbon-intensity"
BATCH = AVERAGE + "/batch"
CURRENT = "/emissions/forecasts/current"
HISTORY = "/emissions/forecasts/batch"
ISO = "2021-11-"
DAYS_17_TO_18 = "&time=2021-11-17T00:00:00Z&toTime=2021-11-18T00:00:00Z"
DAYS_17_TO_19 = "&time=2021-11-17T00:00:00Z&toTime=2021-11-19T00:00:00Z"
FIRST = {"location": "westus", "time": "2021-11-17T00:00:00+00:00", "rating": 10, "duration": "08:00:00"}
EVERY_OPERATION = (
    "GetBestEmissionsDataForLocationsByTime",
    "GetEmissionsDataForLocationsByTime",
    "GetEmissionsDataForLocationByTime",
    "GetCurrentForecastData",
    "BatchForecastDataAsync",
    "GetAverageCarbonIntensity",
    "GetAverageCarbonIntensityBatch",
    "GetAllLocations",
)

HOSTING = [
    both(1, "/health", body=None, headers={"content-type": "text/plain"}),
    both(1, "/health", site="no sources"),
    both(1, "/health", site="F"),
    both(2, "/fake-endpoint", status=404),
    both(3, "/metrics", status=404),
    both(3, "/metrics", site="exporter"),
    both(4, "/mydepartment/myapp/locations", site="prefix"),
    both(4, "/locations", site="prefix"),
    both(
        4,
        "/MyDepartment/MyApp/emissions/bylocation?location=westus" + DAYS_17_TO_18,
        site="prefix",
        values=(10, 20, 30),
    ),
    both(5, "/EMISSIONS/byLocation?LOCATION=westus&TIME=2021-11-17T04:00:00Z", values=(10,)),
    both(5, WEST.replace("?", "/?") + "&time=2021-11-17T04:00:00Z", values=(10,)),
    both(6, "/api/v1/swagger.yaml", headers={"content-type": "application/x-yaml"}),
]

LOCATIONS = [
    both(
        7,
        "/locations",
        site="L",
        keys=55,
        members={
            "eastus": {"latitude": 37.3719, "longitude": -79.8164, "name": "eastus"},
            "northeurope": {"latitude": 53.3478, "longitude": -6.2597, "name": "northeurope"},
        },
    ),
    both(8, "/locations", site="no locations", status=204),
    both(
        9,
        "/locations",
        site="zones",
        members={"zone.northeurope": {"latitude": None, "longitude": None, "name": "NL"}},
    ),
    both(
        10,
        "/locations",
        site="two files",
        keys=2,
        members={
            "swedencentral": {"latitude": 60.67488, "longitude": 17.14127, "name": "swedencentral"},
            "swedencentral_1": {"latitude": None, "longitude": None, "name": "SE"},
        },
    ),
    both(
        10,
        "/locations",
        site="three files",
        keys=3,
        members={"swedencentral_2": {"latitude": 59.3, "longitude": 18.1, "name": "third"}},
    ),
    both(
        11,
        "/locations",
        site="prefixes",
        keys=4,
        members={"prefix1-test-eastus": {"latitude": 1.5, "longitude": 2.5, "name": "e"}},
    ),
    both(
        11, "/emissions/bylocation?location=prefix2_test-westus&time=2021-11-17T00:00:00Z", site="prefixes", status=204
    ),
    Case(
        11,
        "/emissions/bylocation?location=test-eastus&time=2021-11-17T00:00:00Z",
        bad("location", "test-eastus"),
        Answer(status=204),
        site="prefixes",
    ),
    both(
        12,
        "/emissions/bylocation?location=PREFIX-teST-EAstus&time=2021-11-19T11:59:00Z",
        site="sample prefixed",
        keys=1,
    ),
    both(12, CURRENT + "?location=PREFIX-teST-EAstus", site="sample prefixed", keys=1),
]

EMISSIONS = [
    both(
        15,
        WEST + DAYS_17_TO_18,
        values=(10, 20, 30),
        members=FIRST,
        headers={"content-type": "application/json; charset=utf-8"},
    ),
    both(16, WEST + "&time=2021-11-17T04:00:00Z", values=(10,)),
    both(16, WEST + "&time=2021-11-17T08:00:00Z", values=(20,)),
    both(17, WEST + "&time=2021-11-17T00:00:00Z&toTime=2021-11-17T08:00:00Z", values=(10, 20)),
    both(18, WEST + "&time=2021-11-18T00:00:00Z&toTime=2021-11-18T01:00:00Z", status=204),
    Case(
        19,
        WEST + "&toTime=2021-11-18T00:00:00Z",
        bad("time", "time must be defined if toTime is defined", title="ArgumentException", detail=INVALID),
        bad("Start", "Start must be defined if End is defined", title="ArgumentException", detail=INVALID),
    ),
    *(
        Case(
            20,
            WEST + f"&time=2021-11-17T08:00:00Z&toTime={end}",
            bad("time", "time must be before toTime"),
            bad("Start", "Start must be before End"),
        )
        for end in ("2021-11-17T08:00:00Z", "2021-11-17T00:00:00Z")
    ),
    *(
        both(21, "/emissions/bylocation" + query, status=400, errors={"location": "location"}, title=BINDING)
        for query in ("", "?location=", "?time=2021-11-17T08:00:00Z")
    ),
    *(
        Case(
            22,
            path + query,
            bad("location", "location is not set", title="ArgumentException", detail=INVALID),
            bad("MultipleLocations", "MultipleLocations is not set", title="ArgumentException", detail=INVALID),
        )
        for path in (BY, BY + "/best")
        for query in ("", "?location=")
    ),
    Case(
        22,
        BY + "?locations=westus" + DAYS_17_TO_18,
        Answer(values=(10, 20, 30)),
        bad("MultipleLocations", "MultipleLocations is not set"),
    ),
    both(23, BY + "?location=&location=westus" + DAYS_17_TO_18, values=(10, 20, 30)),
    both(23, BY + "?location=westus&location=" + DAYS_17_TO_18, values=(10, 20, 30)),
    both(24, BY + "?location=westus&location=eastus" + DAYS_17_TO_19, values=(10, 20, 30, 40, 60)),
    both(25, BY + "/best?location=westus&location=eastus" + DAYS_17_TO_19, values=(10,), members=FIRST),
    both(25, BY + "/best?location=westus&location=eastus" + DAYS_17_TO_19, site="J two tens", values=(10, 10)),
    both(26, BY + "/best?location=northeurope" + DAYS_17_TO_19, status=204),
    Case(27, "/emissions/bylocation?location=WESTUS" + DAYS_17_TO_18, Answer(values=(10, 20, 30)), Answer(status=204)),
    both(28, WEST + "&time=2022-1-1T04:05:06Z", status=204),
    both(28, WEST + "&time=2021-11-17", values=(10,)),
    both(28, WEST + "&time=abc", status=400, errors={"time": "abc"}, title=BINDING),
    both(
        29,
        WEST + "&time=2021-11-17T06:00:00%2B06:00&toTime=2021-11-17T13:59:59%2B06:00",
        values=(10,),
        members={"time": "2021-11-17T00:00:00+00:00"},
    ),
    # Without any time: everything until now, or now alone.
    Case(16, WEST, Answer(values=(10, 20, 30, 40)), Answer(status=204)),
]


def average(start: str, end: str, location: str = "westus", path: str = AVERAGE) -> str:
    """Write the question for an average; times are days of November 2021 with their hours, such as 17T04."""
    return f"{path}?location={location}&startTime={ISO}{start}:00:00Z&endTime={ISO}{end}:00:00Z"


ITEM = {"location": "westus", "startTime": "2021-11-17T04:00:00Z", "endTime": "2021-11-17T12:00:00Z"}
EAST = {"location": "eastus", "startTime": "2021-11-18T00:00:00Z", "endTime": "2021-11-18T08:00:00Z"}
DISCONTINUOUS = "AverageOverPeriod requires continuous chronological data"

AVERAGES = [
    *(
        both(30, average(start, end), values=(value,))
        for start, end, value in (
            ("17T00", "18T00", 20),
            ("17T04", "17T12", 15),
            ("17T00", "17T08", 10),
            ("17T01", "17T23", 20),
        )
    ),
    both(31, average("18T00", "18T08", "eastus"), values=(60,)),
    Case(
        32,
        AVERAGE + "?location=eastus&startTime=2021-11-19T00:00:00Z&endTime=2021-12-30T00:00:00Z",
        bad("startTime"),
        Answer(values=(0,)),
    ),
    Case(32, average("17T00", "17T08", "fakelocation"), bad("location", "fakelocation"), Answer(values=(0,))),
    Case(
        33,
        average("17T20", "18T04"),
        bad("startTime", title="ArgumentException"),
        Answer(status=400, title="ArgumentException", detail="Period out of range."),
    ),
    Case(
        34,
        average("17T00", "19T08"),
        Answer(status=400, title="InvalidOperationException", detail=DISCONTINUOUS),
        Answer(status=400, title="InvalidOperationException", detail=DISCONTINUOUS),
    ),
    both(35, AVERAGE + f"?location=westus&startTime={ISO}17T00:00:00Z", status=400, errors={"endTime": "endTime"}),
    both(35, AVERAGE + f"?location=westus&endTime={ISO}17T00:00:00Z", status=400, errors={"startTime": "startTime"}),
    Case(
        35,
        AVERAGE + f"?startTime={ISO}17T00:00:00Z&endTime={ISO}17T08:00:00Z",
        bad("location", "location is not set"),
        bad("SingleLocation", "SingleLocation is not set"),
    ),
    both(
        36,
        AVERAGE + f"?location=westus&startTime={ISO}17T06:00:00%2B06:00&endTime={ISO}17T08:00:00Z",
        members={
            "location": "westus",
            "startTime": "2021-11-17T00:00:00+00:00",
            "endTime": "2021-11-17T08:00:00+00:00",
            "carbonIntensity": 10,
        },
        keys=4,
    ),
    Case(
        36,
        AVERAGE + "?location=westus&startTime=2021-12-25T00:00:00%2B06:00&endTime=2021-12-25T00:00:00Z",
        bad("startTime"),
        Answer(members={"startTime": "2021-12-24T18:00:00+00:00", "carbonIntensity": 0}),
    ),
    both(37, BATCH, body=[ITEM, ITEM, ITEM], values=(15, 15, 15)),
    both(37, BATCH, body=[], values=()),
    Case(37, BATCH, bad("location"), Answer(values=(15, 60)), body=[ITEM, EAST]),
    *(
        Case(
            38,
            BATCH,
            bad(f"$[1].{member}", member),
            bad({"location": "SingleLocation"}.get(member, member)),
            body=[ITEM, {name: value for name, value in ITEM.items() if name != member}],
        )
        for member in ITEM
    ),
    Case(
        38,
        BATCH,
        bad("$[0].startTime"),  # it can be read, but there are no data
        bad({"$[0].startTime": "", "requestedCarbonIntensities": "required"}, title=BINDING),
        body=[{**ITEM, "startTime": "2022-3-1T15:30:00Z", "endTime": "2022-03-01T16:30:00Z"}],
    ),
    both(39, average("17T04", "17T12"), site="J falling", values=(15,)),
    *(
        Case(
            39,
            average("17T00", "18T00"),
            Answer(status=400, title="InvalidOperationException"),
            Answer(status=400, title="InvalidOperationException"),
            site=site,
        )
        for site in ("J overlapping", "J equal", "J unordered")
    ),
    both(
        39,
        AVERAGE + "?location=westus&startTime=2021-11-17T00:11:00Z&endTime=2021-11-17T00:12:00Z",
        site="J one short point",
        values=(50,),
    ),
]


def forecast(window: object = None, start: float | None = None, end: float | None = None) -> str:
    """Write the question for the newest forecast of westus; bounds are minutes after its begin."""
    path = CURRENT + "?location=westus"
    path += "" if start is None else f"&dataStartAt={at(start)}"
    path += "" if end is None else f"&dataEndAt={at(end)}"
    return path + ("" if window is None else f"&windowSize={window}")


def windows(number: int, window: int | None, *points: tuple[float, float], site: str = "F", **more: Any) -> Case:
    """Make a case of windows with the same answer in either profile."""
    bounds = {name: more.pop(name) for name in ("start", "end") if name in more}
    return both(number, forecast(window, **bounds), site=site, points=points, **more)


ALL = ((0, 10), (5, 20), (10, 30), (15, 40))
ITEM_F = {"location": "westus", "requestedAt": "2022-01-01T00:00:00Z"}
IN_PARIS = {
    "location": "westus",
    "requestedAt": "2022-01-01T01:02:00+01:00",
    "dataStartAt": "2022-01-01T01:05:00+01:00",
    "dataEndAt": "2022-01-01T01:20:00+01:00",
    "windowSize": 10,
}
RANGE = "'01/01/2022 00:00:00 +00:00' through '01/01/2022 00:20:00 +00:00'"
OUTSIDE = f"must be within time range of the forecasted data, {RANGE}"
INVALID_FORECAST = "Invalid EmissionsForecast"

FORECASTS = [
    Case(
        40,
        forecast(),
        Answer(
            points=ALL,
            optimal=(0,),
            members={
                "windowSize": 5,
                "dataStartAt": echo(0),
                "dataEndAt": echo(20),
                "generatedAt": echo(0),
                "requestedAt": echo(0),
                "location": "westus",
                "optimalDataPoint": {"location": "westus", "timestamp": echo(0), "duration": 5, "value": 10},
            },
        ),
        Answer(
            points=ALL,
            optimal=(0,),
            members={
                "windowSize": 0,
                "dataStartAt": echo(0),
                "dataEndAt": echo(15),
                "generatedAt": echo(0),
                "requestedAt": echo(0),
                "location": "westus",
                "optimalDataPoints": [{"location": "westus", "timestamp": echo(0), "duration": 5, "value": 10}],
            },
        ),
        site="F",
    ),
    Case(
        41,
        forecast(10),
        Answer(points=((0, 15), (5, 25), (10, 35)), members={"windowSize": 10, "dataEndAt": echo(20)}),
        Answer(points=((0, 15), (5, 25), (10, 35)), members={"windowSize": 10, "dataEndAt": echo(10)}),
        site="F",
    ),
    windows(42, 10, (0, 15), (5, 25), start=0, end=15),
    windows(42, None, *ALL, start=0, end=15),
    windows(43, None, *ALL[:3], start=2, end=12),
    windows(44, None, *ALL[1:], start=5, end=20, optimal=(5,)),
    windows(44, 5, (2, 14), (7, 24), (12, 34), start=2, end=18),
    windows(44, 10, (2, 19), (7, 29), start=2, end=20),
    windows(45, 15, (0, 20), (5, 30)),
    windows(45, 20, (0, 25)),
    windows(45, 7, (0, 12.857142857142858), (5, 22.857142857142858), (10, 32.857142857142854)),
    windows(45, 3, *ALL),
    windows(46, 21, start=0, end=20, optimal=()),
    windows(46, 21, optimal=(), members={"dataStartAt": echo(0), "dataEndAt": echo(20)}),
    Case(47, forecast(10, 0, 5), Answer(points=(), optimal=()), Answer(points=((0, 15),), optimal=(0,)), site="F"),
    both(48, forecast(None, -1), site="F", status=400, detail=INVALID_FORECAST, errors={"dataStartAt": OUTSIDE}),
    both(48, forecast(None, 0, 21), site="F", status=400, detail=INVALID_FORECAST, errors={"dataEndAt": OUTSIDE}),
    both(
        48,
        forecast(None, -1, 21),
        site="F",
        status=400,
        detail=INVALID_FORECAST,
        errors={"dataStartAt": OUTSIDE, "dataEndAt": OUTSIDE},
    ),
    windows(48, None, *ALL, start=0, end=20),
    *(
        Case(
            49,
            forecast(None, start, end),
            bad("dataStartAt", "dataStartAt must be before dataEndAt", detail=INVALID),
            bad("Start", "Start must be before End", detail=INVALID),
            site="F",
        )
        for start, end in ((10, 10), (15, 5))
    ),
    both(
        49,
        forecast(None, 20),
        site="F",
        status=400,
        errors={"dataStartAt": "dataStartAt must be earlier than dataEndAt"},
    ),
    both(50, forecast(-5), site="F", status=400, errors={"windowSize": "windowSize"}),
    both(50, forecast("abc"), site="F", status=400, errors={"windowSize": "abc"}, title=BINDING),
    windows(51, 10, (0, 15), (5, 25), (10, 35), (15, 22.5), site="F 10 20 30 40 5", optimal=(0,)),
    windows(51, 10, (0, 30), (5, 32.5), (10, 10), (15, 10), site="F 5 55 10 10 10", optimal=(10, 15)),
    windows(51, 10, (0, 11.5), (5, 10.5), (10, 11), (15, 12.5), site="F 12 11 10 12 13", optimal=(5,)),
    windows(52, 10, (0, 15), (15, 45), site="F with a gap", optimal=(0,)),
    *(
        both(53, path, site="J", status=400, title="ArgumentException", detail="ForecastDataSource is not configured")
        for path in (CURRENT + "?location=westus", forecast(10, 0, 15))
    ),
    both(53, HISTORY, site="J", body=[ITEM_F], status=400, detail="ForecastDataSource is not configured"),
    both(
        53,
        WEST,
        site="no emissions source",
        status=400,
        title="ArgumentException",
        detail="EmissionsDataSource is not configured",
    ),
    both(
        54,
        CURRENT + "?location=westus&dataStartAt=1999-01-01T00:00:00Z&dataEndAt=1999-01-02T00:00:00Z",
        site="F",
        status=400,
        detail=INVALID_FORECAST,
        errors={"dataStartAt": OUTSIDE, "dataEndAt": OUTSIDE},
    ),
    Case(
        54,
        CURRENT,
        bad("location", "location is not set"),
        bad("MultipleLocations", "MultipleLocations is not set"),
        site="F",
    ),
    Case(
        55,
        HISTORY,
        bad("$[0].requestedAt", "requestedAt is not set"),
        bad("Requested", "Requested is not set"),
        site="F",
        body=[{"location": "westus"}],
    ),
    Case(
        55,
        HISTORY,
        bad("$[0].location", "location is not set"),
        bad("SingleLocation", "SingleLocation is not set"),
        site="F",
        body=[{"requestedAt": "2022-01-01T00:00:00Z"}],
    ),
    Case(
        55,
        HISTORY,
        bad({"$[0].location": "is not set", "$[0].requestedAt": "is not set"}),
        bad({"SingleLocation": "is not set", "Requested": "is not set"}),
        site="F",
        body=[{"windowSize": 5}],
    ),
    both(56, HISTORY, site="F", body=[ITEM_F, IN_PARIS, ITEM_F], points=ALL, keys=3),
    both(
        56,
        HISTORY,
        site="F",
        body=[IN_PARIS],
        points=((5, 25), (10, 35)),
        members={name: value for name, value in IN_PARIS.items() if name != "location"},
    ),
    both(56, HISTORY, site="F", body=[], keys=0),
]

TABLE = [*HOSTING, *LOCATIONS, *EMISSIONS, *AVERAGES, *FORECASTS]
