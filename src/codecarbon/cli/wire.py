"""What ``carbon-aware`` prints: the compact JSON of the Carbon Aware SDK's program, CSV, and tables for people."""

from __future__ import annotations

import csv
import io
import json
import sys
from typing import TYPE_CHECKING, NamedTuple

from codecarbon import units
from codecarbon.carbon_aware.moments import write_duration, write_moment, write_time
from codecarbon.carbon_aware.results import Moment
from codecarbon.cli import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from codecarbon.carbon_aware.results import AverageAnswer, EmissionsRow, ForecastAnswer
    from codecarbon.model import Location

FORMATS = ("json", "csv", "table")

# Columns of a table that nobody watches being printed.
_WIDE = 1000

# A float holds every integer up to here.
_EXACT = 2.0**53


class Sheet(NamedTuple):
    """A result in the three forms it can be printed in.

    Attributes:
        document: The wire's form.
        columns: Names of the columns, for the other two.
        rows: Their texts.
    """

    document: object
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def write(sheet: Sheet, form: str) -> str:
    """Write a sheet as ``json``, ``csv`` or ``table``; the text ends with its line."""
    if form == "csv":
        return _csv(sheet)
    if form == "table":
        return _table(sheet)
    return json.dumps(sheet.document, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n"


def emissions_sheet(rows: Iterable[EmissionsRow]) -> Sheet:
    """Lay out observed points."""
    points = list(rows)
    return Sheet(
        [_point(row) for row in points],
        ("location", "time", "rating", "duration"),
        [_point_texts(row) for row in points],
    )


def average_sheet(answers: Iterable[AverageAnswer]) -> Sheet:
    """Lay out averages as points: ``Time`` and ``Duration`` are those of the period."""
    document, rows = [], []
    for answer in answers:
        begin, duration_us = write_moment(answer.start), answer.end.unix_us - answer.start.unix_us
        rating = _number(answer.intensity_g_per_kwh)
        document.append(
            {"Location": answer.location, "Time": begin, "Rating": rating, "Duration": write_duration(duration_us)}
        )
        rows.append((answer.location, begin, str(rating), iso_duration(duration_us)))
    return Sheet(document, ("location", "time", "rating", "duration"), rows)


def forecast_sheet(answers: Iterable[ForecastAnswer], *, now_us: int) -> Sheet:
    """Lay out forecasts; those of the moment were requested at ``now_us``."""
    document, rows = [], []
    for answer in answers:
        best = set(answer.optimal)
        document.append(
            {
                "GeneratedAt": write_time(answer.generated_us),
                "RequestedAt": write_moment(answer.requested or Moment(now_us)),
                "Location": answer.location,
                "DataStartAt": write_moment(answer.data_start),
                "DataEndAt": write_moment(answer.data_end),
                "WindowSize": answer.window_size_min,
                "OptimalDataPoints": [_point(row) for row in answer.optimal],
                "ForecastData": [_point(row) for row in answer.points],
            }
        )
        generated = write_time(answer.generated_us)
        rows += [(generated, *_point_texts(row), "yes" if row in best else "no") for row in answer.points]
    return Sheet(document, ("generated_at", "location", "time", "rating", "duration", "is_optimal"), rows)


def location_sheet(locations: Mapping[str, Location]) -> Sheet:
    """Lay out places; what is not known of one is null, and an empty cell."""
    document, rows = {}, []
    for key, place in locations.items():
        latitude_deg, longitude_deg = place.latitude_deg, place.longitude_deg
        name = place.name or None
        document[key] = {
            "Latitude": None if latitude_deg is None else _number(latitude_deg),
            "Longitude": None if longitude_deg is None else _number(longitude_deg),
            "Name": name,
        }
        cells = (latitude_deg, longitude_deg)
        rows.append((key, *("" if cell is None else str(_number(cell)) for cell in cells), name or ""))
    return Sheet(document, ("location", "latitude", "longitude", "name"), rows)


def iso_duration(duration_us: int) -> str:
    """Write a duration in ISO 8601, for example ``PT8H`` or ``PT5M``."""
    sign, rest_us = ("-" if duration_us < 0 else ""), abs(duration_us)
    hours, rest_us = divmod(rest_us, units.US_PER_HOUR)
    minutes, rest_us = divmod(rest_us, units.US_PER_MIN)
    seconds = _number(units.s_from_us(rest_us))
    parts = ((hours, "H"), (minutes, "M"), (seconds, "S"))
    return f"{sign}PT" + ("".join(f"{count}{letter}" for count, letter in parts if count) or "0S")


def _point(row: EmissionsRow) -> dict[str, object]:
    return {
        "Location": row.location,
        "Time": write_time(row.time_us),
        "Rating": _number(row.rating_g_per_kwh),
        "Duration": write_duration(row.duration_us),
    }


def _point_texts(row: EmissionsRow) -> tuple[str, str, str, str]:
    rating = str(_number(row.rating_g_per_kwh))
    return row.location, write_time(row.time_us), rating, iso_duration(row.duration_us)


def _number(value: float) -> float:
    """Drop the ``.0`` of a whole number, as the wire does."""
    return int(value) if float(value).is_integer() and abs(value) < _EXACT else value


def _csv(sheet: Sheet) -> str:
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(sheet.columns)
    writer.writerows(sheet.rows)
    return content.getvalue()


def _table(sheet: Sheet) -> str:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    numeric = {"rating", "latitude", "longitude"}
    for column in sheet.columns:
        table.add_column(column, justify="right" if column in numeric else "left", overflow="fold")
    for row in sheet.rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console(width=None if text.is_terminal(sys.stdout) else _WIDE)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"
