"""What WattTime answers, made into points.

https://docs.watttime.org/ - version 3.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from codecarbon.intensity.answers import MAX_INTENSITY_G_PER_KWH, AnswerReader
from codecarbon.model import IntensityPoint
from codecarbon.units import G_PER_KG, US_PER_DAY, g_per_kwh_from_lb_per_mwh, iso_from_us, s_from_us, us_from_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from codecarbon.model import Signal

SIGNALS: dict[str, Signal] = {"co2_moer": "marginal", "co2_aoer": "average"}
# How the units of the signals are spelled, and what turns them into g/kWh.
UNITS: dict[str, Callable[[float], float]] = {"lbs_co2_per_mwh": g_per_kwh_from_lb_per_mwh}
UNIT_NOTE = "the answer names no unit; lb/MWh, which is documented for this signal, was assumed"


class Question(NamedTuple):
    """What was asked for, which the answer must be about.

    Attributes:
        region: WattTime's name of the region.
        signal_type: ``co2_moer`` or ``co2_aoer``.
    """

    region: str
    signal_type: str


class Reading(NamedTuple):
    """Points of an answer.

    Attributes:
        points: In order of time, without nulls.
        generated_us: When a forecast was made, UTC microseconds since 1970; None for measurements.
        note: What a reader should know, else empty.
    """

    points: tuple[IntensityPoint, ...]
    generated_us: int | None
    note: str


def read_history(content: object, asked: Question) -> Reading:
    """Read measured values; a point of unknown length has length 0.

    Raises:
        ProviderDataError: It cannot be used, or is about something else.
    """
    reader = AnswerReader("watttime", asked.region)
    body = reader.an_object(content)
    meta = _meta(reader, body, asked)
    return _reading(reader, reader.objects(body, "data"), meta, None)


def read_forecast(content: object, asked: Question) -> Reading:
    """Read a forecast.

    Raises:
        ProviderDataError: It cannot be used, is about something else, or says neither when it was made nor how long
            its points are.
    """
    reader = AnswerReader("watttime", asked.region)
    body = reader.an_object(content)
    meta = _meta(reader, body, asked)
    generated_us = reader.time_us(meta.get("generated_at"), "meta.generated_at")
    return _reading(reader, reader.objects(body, "data"), meta, generated_us)


def read_old_forecasts(content: object, asked: Question) -> tuple[Reading, ...]:
    """Read forecasts of the past, the oldest first.

    Raises:
        ProviderDataError: As for one forecast.
    """
    reader = AnswerReader("watttime", asked.region)
    body = reader.an_object(content)
    meta = _meta(reader, body, asked)
    readings = []
    for entry in reader.objects(body, "data"):
        generated_us = reader.time_us(entry.get("generated_at"), "generated_at")
        readings.append(_reading(reader, reader.objects(entry, "forecast"), meta, generated_us))
    return tuple(sorted(readings, key=lambda reading: reading.generated_us or 0))


def joined(parts: Iterable[Reading], region: str) -> tuple[IntensityPoint, ...]:
    """Join what was asked for in parts, whose neighbours share a point; the later answer counts.

    Raises:
        ProviderDataError: Points overlap.
    """
    points = {point.start_us: point for part in parts for point in part.points}
    return _in_order(AnswerReader("watttime", region), points.values())


def _meta(reader: AnswerReader, body: dict[str, Any], asked: Question) -> dict[str, Any]:
    """Check what the answer says about itself."""
    meta = reader.an_object(body.get("meta") or {}, "meta")
    for name, wanted in (("region", asked.region), ("signal_type", asked.signal_type)):
        found = reader.text(meta, name)
        if found and found != wanted:
            reader.refuse(f"asked for {name} {wanted}, and the answer is for {found}")
    unit = reader.text(meta, "units")
    if unit and unit not in UNITS:
        reader.refuse(f"unknown unit {unit[:40]!r} for {asked.signal_type}; expected {', '.join(UNITS)}")
    return meta


def _reading(
    reader: AnswerReader, rows: list[dict[str, Any]], meta: dict[str, Any], generated_us: int | None
) -> Reading:
    unit = reader.text(meta, "units")
    convert = UNITS[unit] if unit else g_per_kwh_from_lb_per_mwh
    starts_us = [reader.time_us(row.get("point_time"), "point_time") for row in rows]
    usual_us = _length_us(reader, meta, "data_point_period_seconds") or _shortest_us(starts_us)
    if usual_us is None and generated_us is not None and rows:
        reader.refuse("nothing tells how long a point of this forecast is")
    points: dict[int, IntensityPoint] = {}
    for start_us, row in zip(starts_us, rows, strict=True):
        value = _intensity(reader, reader.member(row, "value"), convert)
        if value is None:
            continue
        length_us = _length_us(reader, row, "frequency") or usual_us or 0
        point = IntensityPoint(start_us, length_us, value, is_estimated=generated_us is not None)
        if points.setdefault(start_us, point) != point:
            reader.refuse(f"two points from {iso_from_us(start_us)} contradict each other")
    return Reading(_in_order(reader, points.values()), generated_us, "" if unit else UNIT_NOTE)


def _shortest_us(starts_us: Iterable[int]) -> int | None:
    """The shortest distance between two points; unlike that of the first two, a gap does not make it longer."""
    ordered = sorted(set(starts_us))
    return min((later - sooner for sooner, later in pairwise(ordered)), default=None)


def _length_us(reader: AnswerReader, parent: dict[str, Any], name: str) -> int | None:
    value = parent.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= s_from_us(US_PER_DAY):
        reader.refuse(f"{name}: expected seconds, at most a day, found {str(value)[:40]!r}")
    return us_from_s(value)


def _intensity(reader: AnswerReader, value: object, convert: Callable[[float], float]) -> float | None:
    """Check and convert a value; a number beyond all belief is not converted, since it may not fit a float."""
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > MAX_INTENSITY_G_PER_KWH * G_PER_KG:
        return reader.intensity(value, "value")
    return reader.intensity(convert(value), "value")


def _in_order(reader: AnswerReader, points: Iterable[IntensityPoint]) -> tuple[IntensityPoint, ...]:
    ordered = tuple(sorted(points, key=lambda point: point.start_us))
    for sooner, later in pairwise(ordered):
        if later.start_us < sooner.end_us:
            reader.refuse(f"the points from {iso_from_us(sooner.start_us)} and {iso_from_us(later.start_us)} overlap")
    return ordered
