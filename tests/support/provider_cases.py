"""What the contract of providers needs to know of each; another distribution's provider joins with a case of its own.

A case names a fake of the service, makes the provider that talks to it, and knows what the fake would say, so that the
suite can tell a right number from a wrong one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from codecarbon.intensity import get_provider_class
from codecarbon.model import IntensityPoint, Location
from codecarbon.units import US_PER_S
from tests.support.fakes.base import FakeServer, Reply, Request
from tests.support.fakes.clock import FakeTime
from tests.support.fakes.electricity_maps import FakeElectricityMaps
from tests.support.fakes.energi_data_service import FakeEnergiDataService
from tests.support.fakes.energy_charts import FakeEnergyCharts
from tests.support.fakes.uk_carbon_intensity import FakeUkCarbonIntensity
from tests.support.fakes.values import iso, unix_s
from tests.support.fakes.watttime import (
    LB_PER_MWH_TO_G_PER_KWH,
    PASSWORD,
    USER,
    FakeWattTime,
    value_lb_per_mwh,
)


@dataclass(frozen=True)
class Rows:
    """Where rows stand in an answer, for breaking them.

    Attributes:
        of: Finds the list of rows.
        value: The member with the value, inside the one named by ``holder`` if that is set.
        times: The members with times.
        form: How times are written.
        holder: See ``value``.
    """

    of: Callable[[Any], list[dict[str, Any]]]
    value: str
    times: tuple[str, ...]
    form: str = "%Y-%m-%dT%H:%M:%S.000Z"
    holder: str = ""

    def set_value(self, payload: Any, value: Any) -> Any:
        """Replace the last value."""
        row = self.of(payload)[-1]
        (row[self.holder] if self.holder else row)[self.value] = value
        return payload

    def drop_value(self, payload: Any) -> Any:
        """Take the last value's member away."""
        row = self.of(payload)[-1]
        del (row[self.holder] if self.holder else row)[self.value]
        return payload

    def set_time(self, payload: Any, value: Any) -> Any:
        """Replace the last row's first time."""
        self.of(payload)[-1][self.times[0]] = value
        return payload

    def overlap(self, payload: Any, shift_s: float) -> Any:
        """Add a row that begins a little after the last one."""
        rows = self.of(payload)
        extra = copy.deepcopy(rows[-1])
        for name in self.times:
            extra[name] = iso(unix_s(extra[name]) + shift_s, self.form)
        rows.append(extra)
        return payload

    def contradict(self, payload: Any) -> Any:
        """Add the last row again with another value."""
        rows = self.of(payload)
        rows.append(copy.deepcopy(rows[-1]))
        return self.set_value(payload, 1.5)

    def repeat(self, payload: Any) -> Any:
        """Add the last row again."""
        rows = self.of(payload)
        rows.append(copy.deepcopy(rows[-1]))
        return payload

    def reverse(self, payload: Any) -> Any:
        """Turn the order of the rows around."""
        self.of(payload).reverse()
        return payload


class Columns(Rows):
    """The same for an answer of lists that run beside each other."""

    def __init__(self) -> None:
        super().__init__(lambda payload: payload, "co2eq_forecast", ("unix_seconds",))

    def set_value(self, payload: Any, value: Any) -> Any:
        payload["co2eq_forecast"][-1] = value
        return payload

    def drop_value(self, payload: Any) -> Any:
        payload["co2eq_forecast"].pop()
        return payload

    def set_time(self, payload: Any, value: Any) -> Any:
        payload["unix_seconds"][-1] = value
        return payload

    def overlap(self, payload: Any, shift_s: float) -> Any:
        # The shortest distance is the length there: what overlaps is what comes twice.
        return self.contradict(payload)

    def contradict(self, payload: Any) -> Any:
        self.repeat(payload)
        return self.set_value(payload, 1.5)

    def repeat(self, payload: Any) -> Any:
        for name in ("unix_seconds", "co2eq", "co2eq_forecast"):
            payload[name].append(payload[name][-1])
        return payload

    def reverse(self, payload: Any) -> Any:
        for name in ("unix_seconds", "co2eq", "co2eq_forecast"):
            payload[name].reverse()
        return payload


@dataclass(frozen=True)
class ProviderCase:
    """A provider under the contract.

    Attributes:
        name: Its name in the registry.
        fake: The service's fake.
        arguments: What its class takes besides the address.
        place: A place that it knows.
        outside: A place that it must refuse.
        step_s: Length of its points, seconds.
        observed: What the fake would have said for a point.
        rows: Where values stand in its answers.
        elsewhere: Turns an answer into one for another zone; None when answers do not name a zone.
        expected: What the fake would have forecast for a point; None without forecasts.
        path: Path of the service's address.
        data_path: Path of the calls that tests break; empty where each call is for data.
        is_latest_only: Whether it has one point only.
        tells_issue: Whether its forecasts say when they were made.
        basis: What its values count.
        signal: What its values mean.
        has_old_forecasts: Whether it keeps them.
        has_retries: Whether it tries again at once; not where the service allows hardly any calls.
        secrets: What must appear nowhere.
        repeated: The secret that each call carries, and that a careless service may repeat in an error.
    """

    name: str
    fake: type[FakeServer]
    arguments: Callable[[Any], dict[str, Any]]
    place: Location
    outside: Location
    step_s: int
    observed: Callable[[Any, IntensityPoint], float]
    rows: Rows
    elsewhere: Callable[[Any], Any] | None
    expected: Callable[[Any, IntensityPoint], float] | None = None
    path: str = ""
    data_path: str = ""
    is_latest_only: bool = False
    tells_issue: bool = False
    basis: str = ""
    signal: str = "average"
    has_old_forecasts: bool = False
    has_retries: bool = True
    secrets: Callable[[Any], tuple[str, ...]] = field(default=lambda fake: ())
    repeated: Callable[[Any], str] = field(default=lambda fake: "nothing")

    def make(self, fake: FakeServer, time: FakeTime, *, ending: str = "/", **options: Any) -> Any:
        """Make the provider."""
        address = {"base_url": fake.url + self.path + ending}
        return get_provider_class(self.name)(**self.arguments(fake), **{**address, **time.arguments, **options})


def tampering(fake: type[FakeServer]) -> type[FakeServer]:
    """A fake of which a test can change the answers, by setting ``tamper``."""

    class Tampering(fake):  # type: ignore[misc, valid-type]
        tamper: Callable[[Any], Any] | None = None

        def answer(self, request: Request) -> Reply:
            reply = super().answer(request)
            if self.tamper is not None and reply.status == 200 and request.path != "/login":
                reply.body = self.tamper(copy.deepcopy(reply.body))
            return reply

    return Tampering


def start_s(point: IntensityPoint) -> int:
    """When a point begins, seconds since 1970."""
    return point.start_us // US_PER_S


def _em_rows(payload: Any) -> list[dict[str, Any]]:
    return next((payload[name] for name in ("history", "data", "forecast") if name in payload), [payload])


def _other_zone(payload: Any) -> Any:
    for row in [payload, *_em_rows(payload)]:
        row["zone"] = "DE"
    return payload


def _uk_observed(fake: Any, point: IntensityPoint) -> float:
    return fake.forecast(start_s(point)) if point.is_estimated else fake.actual(start_s(point))


def _uk_rows(payload: Any) -> list[dict[str, Any]]:
    data = payload["data"]
    return data["data"] if isinstance(data, dict) else data


def _other_region(payload: Any) -> Any:
    payload["data"]["regionid"] = 7
    return payload


def _other_area(payload: Any) -> Any:
    for record in payload["records"]:
        record["PriceArea"] = "SE3"
    return payload


def _ec_observed(fake: Any, point: IntensityPoint) -> float:
    return (fake.forecast if point.is_estimated else fake.value)("de", start_s(point))


class _FakeWattTime(FakeWattTime):
    """With the switches that the contract uses, and without delay."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.null_s: set[int] = set()
        self.missing_s: set[int] = set()
        self.edits.lag_s = 0.0
        self.edits.null = lambda start_s: start_s in self.null_s
        self.edits.missing = lambda start_s: start_s in self.missing_s


def _watttime(fake: Any, point: IntensityPoint) -> float:
    return value_lb_per_mwh("CAISO_NORTH", "co2_moer", start_s(point)) * LB_PER_MWH_TO_G_PER_KWH


def _other_meta(payload: Any) -> Any:
    payload.get("meta", {})["region"] = "PJM_DC"
    return payload


_EM_ROWS = Rows(_em_rows, "carbonIntensity", ("datetime",))
CASES = [
    ProviderCase(
        name="electricity_maps",
        fake=FakeElectricityMaps,
        arguments=lambda fake: {"token": fake.token},
        place=Location(zone="FR"),
        outside=Location(country_iso_code="USA", region="nevada"),
        step_s=3600,
        observed=lambda fake, point: fake.value("FR", start_s(point)),
        expected=lambda fake, point: fake.value("FR", start_s(point)),
        rows=_EM_ROWS,
        elsewhere=_other_zone,
        path="/v3",
        tells_issue=True,
        basis="lifecycle",
        secrets=lambda fake: (fake.token,),
        repeated=lambda fake: fake.token,
    ),
    ProviderCase(
        name="electricity_maps_free",
        fake=FakeElectricityMaps,
        arguments=lambda fake: {"token": fake.token},
        place=Location(key="FR"),
        outside=Location(),
        step_s=3600,
        observed=lambda fake, point: fake.value("FR", start_s(point)),
        rows=_EM_ROWS,
        elsewhere=_other_zone,
        path="/v3",
        is_latest_only=True,
        basis="lifecycle",
        secrets=lambda fake: (fake.token,),
        repeated=lambda fake: fake.token,
    ),
    ProviderCase(
        name="uk_carbon_intensity",
        fake=FakeUkCarbonIntensity,
        arguments=lambda fake: {},
        place=Location(country_iso_code="GBR"),
        outside=Location(country_iso_code="IRL"),
        step_s=1800,
        observed=_uk_observed,
        expected=lambda fake, point: fake.forecast(start_s(point)),
        rows=Rows(_uk_rows, "forecast", ("from", "to"), "%Y-%m-%dT%H:%MZ", "intensity"),
        elsewhere=None,
        basis="direct",
    ),
    ProviderCase(
        name="uk_carbon_intensity",
        fake=FakeUkCarbonIntensity,
        arguments=lambda fake: {},
        place=Location(country_iso_code="GBR", region="london"),
        outside=Location(country_iso_code="GBR", region="Northern Ireland"),
        step_s=1800,
        observed=lambda fake, point: fake.forecast(start_s(point), 13),
        expected=lambda fake, point: fake.forecast(start_s(point), 13),
        rows=Rows(_uk_rows, "forecast", ("from", "to"), "%Y-%m-%dT%H:%MZ", "intensity"),
        elsewhere=_other_region,
        basis="direct",
    ),
    ProviderCase(
        name="energi_data_service",
        fake=FakeEnergiDataService,
        arguments=lambda fake: {},
        place=Location(zone="DK-DK2"),
        outside=Location(country_iso_code="SWE"),
        step_s=300,
        observed=lambda fake, point: fake.value("DK2", start_s(point)),
        expected=lambda fake, point: fake.value("DK2", start_s(point), "CO2EmisProg"),
        rows=Rows(lambda payload: payload["records"], "CO2Emission", ("Minutes5UTC",), "%Y-%m-%dT%H:%M:%S"),
        elsewhere=_other_area,
        path="/dataset",
        basis="direct",
        has_retries=False,
    ),
    ProviderCase(
        name="energy_charts",
        fake=FakeEnergyCharts,
        arguments=lambda fake: {},
        place=Location(country_iso_code="DEU"),
        outside=Location(country_iso_code="USA"),
        step_s=900,
        observed=_ec_observed,
        expected=lambda fake, point: fake.forecast("de", start_s(point)),
        rows=Columns(),
        elsewhere=None,
        has_retries=False,
    ),
    ProviderCase(
        name="watttime",
        fake=_FakeWattTime,
        arguments=lambda fake: {"username": USER, "password": PASSWORD},
        place=Location(zone="CAISO_NORTH"),
        outside=Location(country_iso_code="USA"),
        step_s=300,
        observed=_watttime,
        expected=_watttime,
        rows=Rows(lambda payload: payload["data"], "value", ("point_time",), "%Y-%m-%dT%H:%M:%S+00:00"),
        elsewhere=_other_meta,
        path="/v3",
        data_path="/v3/historical",
        tells_issue=True,
        signal="marginal",
        has_old_forecasts=True,
        secrets=lambda fake: (PASSWORD, *fake._tokens),
    ),
]
