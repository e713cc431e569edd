"""The servers that the numbered cases ask, each made from files as a user would write them, with a fixed clock."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from tests.support.serving import serving

Row = tuple[str, str, float, str]

HOURS_8 = "08:00:00"
J: tuple[Row, ...] = (
    ("westus", "2021-11-17T00:00:00Z", 10, HOURS_8),
    ("westus", "2021-11-17T08:00:00Z", 20, HOURS_8),
    ("westus", "2021-11-17T16:00:00Z", 30, HOURS_8),
    ("westus", "2021-11-19T00:00:00Z", 40, HOURS_8),
    ("eastus", "2021-11-18T00:00:00Z", 60, HOURS_8),
)
J_VARIANTS: Mapping[str, Sequence[Row]] = {
    "J two tens": (*J, ("eastus", "2021-11-18T08:00:00Z", 10, HOURS_8)),
    "J falling": (J[2], J[1], J[0]),
    "J overlapping": (J[0], ("westus", "2021-11-17T07:00:00Z", 20, HOURS_8), J[2]),
    "J equal": (J[0], J[0], J[1], J[2]),
    "J unordered": (J[0], J[2], J[1]),
    "J one short point": (("westus", "2021-11-17T00:10:00Z", 50, "00:05:00"),),
}
F_VARIANTS: Mapping[str, Sequence[float | None]] = {
    "F": (10, 20, 30, 40),
    "F 10 20 30 40 5": (10, 20, 30, 40, 5),
    "F 5 55 10 10 10": (5, 55, 10, 10, 10),
    "F 12 11 10 12 13": (12, 11, 10, 12, 13),
    "F with a gap": (10, 20, None, 40, 50),
}
MIDNIGHT = datetime(2022, 1, 1, tzinfo=timezone.utc)
AFTERWARDS = datetime(2021, 11, 19, 12, tzinfo=timezone.utc)

# Azure's names of its regions; coordinates of the two that the cases look at are those of the cases.
AZURE = """
    eastus eastus2 southcentralus westus2 westus3 australiaeast southeastasia northeurope swedencentral uksouth
    westeurope centralus southafricanorth centralindia eastasia japaneast koreacentral canadacentral francecentral
    germanywestcentral norwayeast switzerlandnorth uaenorth brazilsouth eastus2euap qatarcentral centralusstage
    northcentralus westus jioindiawest centraluseuap westcentralus southafricawest australiacentral australiacentral2
    australiasoutheast japanwest jioindiacentral koreasouth southindia westindia canadaeast francesouth germanynorth
    norwaywest switzerlandwest ukwest uaecentral brazilsoutheast polandcentral italynorth israelcentral spaincentral
    mexicocentral newzealandnorth
"""
L: Mapping[str, Mapping[str, str]] = {
    **{key: {"Name": key} for key in AZURE.split()},
    "eastus": {"Latitude": "37.3719", "Longitude": "-79.8164", "Name": "eastus"},
    "northeurope": {"Latitude": "53.3478", "Longitude": "-6.2597", "Name": "northeurope"},
}
SWEDEN: Mapping[str, Mapping[str, str]] = {
    "one": {"Latitude": "60.67488", "Longitude": "17.14127", "Name": "swedencentral"},
    "two": {"Name": "SE"},
    "three": {"Latitude": "59.3", "Longitude": "18.1", "Name": "third"},
}
TEST_PLACES = {
    "test-eastus": {"Latitude": "1.5", "Longitude": "2.5", "Name": "e"},
    "test-westus": {"Latitude": "3.5", "Longitude": "4.5", "Name": "w"},
}


def emissions(rows: Sequence[Row]) -> dict[str, Any]:
    """The content of a data file with observed points."""
    names = ("Location", "Time", "Rating", "Duration")
    return {"Emissions": [dict(zip(names, row, strict=True)) for row in rows]}


def forecast(values: Sequence[float | None], *locations: str) -> dict[str, Any]:
    """The content of a data file with one forecast per location, in points of five minutes; None is a gap."""
    points = [
        {"Time": (MIDNIGHT + timedelta(minutes=5 * step)).isoformat(), "Duration": "00:05:00", "Rating": value}
        for step, value in enumerate(values)
        if value is not None
    ]
    made = {"GeneratedAt": MIDNIGHT.isoformat(), "Points": points}
    return {"Emissions": [], "Forecasts": [{"Location": location, **made} for location in locations or ("westus",)]}


class Site:
    """The configuration of a server, as files in a folder.

    Args:
        folder: An empty folder.
        now: What the server's clock says.
    """

    def __init__(self, folder: Path, now: datetime = AFTERWARDS) -> None:
        self.folder = folder
        self.now = now
        self.settings: dict[str, Any] = {}
        self.locate("azure", L)

    def locate(self, name: str, places: Mapping[str, Any], prefix: str = "", delimiter: str = "") -> Site:
        """Add a file of places; the first one replaces the Azure regions."""
        section = self.settings.setdefault("LocationDataSourcesConfiguration", {"LocationSourceFiles": []})
        files = section["LocationSourceFiles"]
        if files and Path(files[0]["DataFileLocation"]).stem == "azure":
            files.clear()
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(places), encoding="utf-8")
        files.append({"DataFileLocation": str(path), "Prefix": prefix, "Delimiter": delimiter})
        return self

    def source(self, role: str, content: Mapping[str, Any]) -> Site:
        """Let a data file be the source of emissions or of forecasts."""
        path = self.folder / f"{role}.data.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        section = self.settings.setdefault("DataSources", {"Configurations": {}})
        section[f"{role}DataSource"] = role
        section["Configurations"][role] = {"Type": "JSON", "DataFileLocation": str(path)}
        return self

    def write(self, profile: str) -> Path:
        """Write the settings as a file, for a profile."""
        settings = {
            **self.settings,
            "CarbonAwareVars": {**self.settings.get("CarbonAwareVars", {}), "Profile": profile},
        }
        path = self.folder / f"appsettings.{profile}.json"
        path.write_text(json.dumps(settings, indent=2), encoding="utf-8")
        return path


@contextmanager
def serve(site: Site, profile: str) -> Iterator[str]:
    """Serve a site over a socket; yields its address."""
    from codecarbon.carbon_aware.appsettings import load_options

    options = load_options([site.write(profile)], {})
    with serve_options(options, site.now.timestamp) as base:
        yield base


@contextmanager
def serve_options(options: Any, clock: Callable[[], float] = time.time) -> Iterator[str]:
    """Serve what options say, by a clock."""
    from codecarbon.carbon_aware.context import build_context
    from codecarbon.carbon_aware.web import create_app

    with serving(create_app(build_context(options, clock=clock))) as base:
        yield base


def make_site(name: str, folder: Path) -> Site:
    """Make the fixture of a name; see cases.py."""
    site = Site(folder)
    if name in F_VARIANTS:
        site.now = MIDNIGHT
        return site.source("Forecast", forecast(F_VARIANTS[name]))
    if name == "no sources":
        site.settings["DataSources"] = {"EmissionsDataSource": "", "ForecastDataSource": "", "Configurations": {}}
        return site
    if name == "no emissions source":
        return site.source("Forecast", forecast(F_VARIANTS["F"]))
    if name == "sample prefixed":
        return site.locate("places", {"test-eastus": L["eastus"]}, "prefix", "-")
    site.source("Emissions", emissions(J_VARIANTS.get(name, J)))
    if name == "exporter":
        site.settings["CarbonAwareVars"] = {"EnableCarbonExporter": True}
    elif name == "prefix":
        site.settings["CarbonAwareVars"] = {"WebApiRoutePrefix": "/mydepartment/myapp"}
    else:
        add_places(name, site)
    return site


def add_places(name: str, site: Site) -> None:
    """Replace the places of a site, if its name says so."""
    if name == "no locations":
        site.locate("none", {})
    elif name == "zones":
        site.locate("zones", {"northeurope": {"Name": "NL"}, "swedencentral": {"Name": "SE"}}, "zone", ".")
    elif name in {"two files", "three files"}:
        for number in ("one", "two", "three")[: 2 if name == "two files" else 3]:
            site.locate(number, {"swedencentral": SWEDEN[number]})
    elif name == "prefixes":
        site.locate("same", TEST_PLACES, "prefix1", "-").locate("again", TEST_PLACES, "prefix2", "_")
    else:
        assert name in {"J", "L"} | set(J_VARIANTS), name
