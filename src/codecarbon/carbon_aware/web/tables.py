"""Lists of answers as CSV (RFC 4180), with one line of names."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from codecarbon.carbon_aware.web.render import Members

CSV_TYPE = b"text/csv; charset=utf-8"
_EMISSIONS = ("location", "time", "rating", "duration")
_AVERAGES = ("location", "startTime", "endTime", "carbonIntensity")
_FORECASTS = ("requestedLocation", "generatedAt", "location", "timestamp", "duration", "value", "isOptimal")
_LOCATIONS = ("key", "name", "latitude", "longitude")


def emissions(rows: Sequence[Members]) -> bytes:
    """Write observed points, as ``render.emissions`` returns them."""
    return _write(_EMISSIONS, rows)


def averages(rows: Sequence[Members]) -> bytes:
    """Write means, as ``render.average`` returns them."""
    return _write(_AVERAGES, rows)


def forecasts(answers: Sequence[Members]) -> bytes:
    """Write the points of forecasts, as ``render.forecast`` returns them, and which of them are optimal."""
    rows: list[Members] = []
    for answer in answers:
        optimal = [point["timestamp"] for point in answer["optimalDataPoints"]]
        rows += [
            {
                "requestedLocation": answer["location"],
                "generatedAt": answer["generatedAt"],
                **point,
                "isOptimal": "true" if point["timestamp"] in optimal else "false",
            }
            for point in answer["forecastData"]
        ]
    return _write(_FORECASTS, rows)


def locations(places: Members) -> bytes:
    """Write places, as ``render.locations`` returns them."""
    return _write(_LOCATIONS, ({"key": key, **place} for key, place in places.items()))


def _write(names: Sequence[str], rows: Iterable[Members]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, names, extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(row[name]) for name in names})
    return text.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return "" if value is None else value
