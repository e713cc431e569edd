"""The country of the machine's time zone, by the tz database that the system carries.

``zone.tab`` names one country for each zone of its list; zone names that were given up are looked up in the links of
``tzdata.zi`` first. UTC and zones that only name an offset say nothing about a place.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from codecarbon.intensity.files import read_or_empty

if TYPE_CHECKING:
    from collections.abc import Mapping

_ZONEINFO = "usr/share/zoneinfo"
_MARK = "zoneinfo/"
# Names of an offset that link to some city's zone, for history's sake (file `backward` of the tz database).
_OFFSETS = frozenset(["CET", "CST6CDT", "EET", "EST", "EST5EDT", "HST", "MET", "MST", "MST7MDT", "PST8PDT", "WET"])
_MAX_LINKS = 4


def find_time_zone_country(environ: Mapping[str, str], *, root: str = "/") -> tuple[str, str] | None:
    """Find the country of the machine's time zone.

    Args:
        environ: The environment; TZ is looked at first, as the C library does.
        root: Folder that stands for ``/``.

    Returns:
        The country's ISO 3166-1 alpha-2 code and the zone's name, or None.
    """
    for zone in _zones(environ, root):
        country = _country(zone, root)
        if country is not None:
            return country, zone
    return None


def _zones(environ: Mapping[str, str], root: str) -> list[str]:
    names = [environ.get("TZ", "").removeprefix(":")]
    with suppress(OSError):  # it is not there, or a copy, which does not tell its name
        names.append(os.readlink(f"{root}/etc/localtime"))  # noqa: PTH115 (pathlib is slow to import)
    names.append(read_or_empty(f"{root}/etc/timezone").strip())
    zones = [name.rpartition(_MARK)[2] for name in names]
    return [zone.removeprefix("posix/").removeprefix("right/") for zone in zones if zone and not zone.startswith("/")]


def _country(zone: str, root: str) -> str | None:
    if zone in _OFFSETS or zone.startswith("Etc/") or not zone.isprintable():
        return None
    table = read_or_empty(f"{root}/{_ZONEINFO}/zone.tab")
    links = ""
    for _ in range(_MAX_LINKS):
        country = _listed(table, zone)
        if country is not None:
            return country
        links = links or read_or_empty(f"{root}/{_ZONEINFO}/tzdata.zi")
        end = links.find(f" {zone}\n")
        start = links.rfind("\n", 0, end) + 1
        if end < 0 or not links.startswith("L ", start):
            return None
        zone = links[start + 2 : end]
    return None


def _listed(table: str, zone: str) -> str | None:
    """Country of a zone in the lines ``code TAB coordinates TAB zone [TAB comment]``."""
    at = table.find(f"\t{zone}\n")
    if at < 0:
        at = table.find(f"\t{zone}\t")
    if at < 0:
        return None
    start = table.rfind("\n", 0, at) + 1
    code = table[start : start + 2]
    return code if code.isalpha() and code.isupper() else None
