"""Providers that say exactly what a numbered case needs, and the sites that ask them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.fakes.base import FakeServer, Reply, Request
from tests.web.blackbox.sites import Site

UTC = timezone.utc
NOW = datetime(2022, 1, 1, 12, tzinfo=UTC)


def moment(text: str) -> datetime:
    """Read a time of a query, as all supported versions of Python can."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", text).replace("Z", "+00:00"))


class ScriptedWattTime(FakeServer):
    """WattTime's data service with the points that a test puts in.

    Attributes:
        measured: Points of ``historical``.
        issues: Forecasts by the time when they were made.
    """

    name = "watttime"

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.measured: list[dict[str, Any]] = []
        self.issues: dict[str, Sequence[float]] = {}

    def answer(self, request: Request) -> Reply:
        """Answer as the service does, as far as the cases go."""
        if request.path == "/login":
            assert request.headers["Authorization"].startswith("Basic ")
            return Reply({"token": "a-token-of-some-length"})
        if request.headers.get("Authorization") != "Bearer a-token-of-some-length":
            return Reply(b"<html>401 Authorization Required</html>", 401, content_type="text/html")
        meta = {
            "region": "CAISO_NORTH",
            "signal_type": "co2_moer",
            "units": "lbs_co2_per_mwh",
            "data_point_period_seconds": 300,
            "generated_at_period_seconds": 300,
            "warnings": [],
        }
        kind = request.path.removeprefix("/v3/")
        if kind == "region-from-loc":
            return Reply(
                {"region": "CAISO_NORTH", "signal_type": "co2_moer", "region_full_name": "California ISO North"}
            )
        if kind == "historical":
            return Reply({"data": self.measured, "meta": meta})
        if kind == "forecast":
            made = max(self.issues)
            return Reply({"data": self.points(made), "meta": {**meta, "generated_at": made}})
        assert kind == "forecast/historical", kind
        start, end = moment(request.get("start")), moment(request.get("end"))
        found = [made for made in sorted(self.issues) if start <= moment(made) <= end]
        data = [{"generated_at": made, "forecast": self.points(made)} for made in found]
        return Reply({"data": data, "meta": meta})

    def points(self, made: str) -> list[dict[str, Any]]:
        """The points of a forecast, every five minutes from when it was made."""
        return [
            {"point_time": (moment(made) + timedelta(minutes=5 * step)).isoformat(), "value": value}
            for step, value in enumerate(self.issues[made])
        ]


class ScriptedElectricityMaps(FakeServer):
    """Electricity Maps with hourly values that a test puts in.

    Attributes:
        begin: Time of the first value.
        values: One for each hour; None as the service writes it.
    """

    name = "electricity_maps"

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.begin = datetime(2022, 1, 1, tzinfo=UTC)
        self.values: list[float | None] = [100, 101, 102, 103, 104, 105]
        self.zone = "US-MIDA-PJM"

    def answer(self, request: Request) -> Reply:
        """Answer as the service does, as far as the cases go."""
        kind = request.path.rpartition("/")[2]
        rows = [
            {
                "zone": self.zone,
                "carbonIntensity": value,
                "datetime": (self.begin + timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                "updatedAt": self.begin.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                "emissionFactorType": "lifecycle",
                "isEstimated": False,
                "estimationMethod": None,
            }
            for hour, value in enumerate(self.values)
        ]
        if kind == "zones":
            return Reply({self.zone: {"zoneName": "PJM", "access": ["*"]}})
        if kind == "latest":
            return Reply(rows[-1])
        if kind == "forecast":
            return Reply({"zone": self.zone, "forecast": rows, "updatedAt": rows[0]["updatedAt"]})
        if kind == "past-range":
            start, end = moment(request.get("start")), moment(request.get("end"))
            inside = [row for row in rows if start <= moment(row["datetime"]) < end]
            return Reply({"zone": self.zone, "data": inside, "temporalGranularity": "hourly"})
        return Reply({"zone": self.zone, "history": rows, "temporalGranularity": "hourly"})


def watttime_site(folder: Path, fake: FakeServer, now: datetime) -> Site:
    """Make a site whose observed values and forecasts come from WattTime."""
    return provider_site(
        folder,
        now,
        {
            "Type": "WattTime",
            "Username": "somebody",
            "Password": "a password of theirs",
            "BaseUrl": fake.url + "/v3/",
            "AuthenticationBaseUrl": fake.url + "/",
        },
    )


def electricity_maps_site(folder: Path, fake: FakeServer, now: datetime, **more: str) -> Site:
    """Make a site whose observed values and forecasts come from Electricity Maps."""
    return provider_site(
        folder,
        now,
        {
            "Type": "ElectricityMaps",
            "APITokenHeader": "auth-token",
            "APIToken": "a token of theirs",
            "BaseUrl": fake.url + "/v3/",
            **more,
        },
    )


def provider_site(folder: Path, now: datetime, configuration: Mapping[str, str]) -> Site:
    """Make a site with one source for everything."""
    site = Site(folder, now)
    site.settings["DataSources"] = {
        "EmissionsDataSource": "provider",
        "ForecastDataSource": "provider",
        "Configurations": {"provider": dict(configuration)},
    }
    return site


def queries(fake: FakeServer, path: str) -> list[dict[str, str]]:
    """What a path was asked, in order."""
    return [dict(entry.query) for entry in fake.log if urlsplit(entry.target).path == path]
