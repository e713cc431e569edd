"""Answers as JSON, with the members, the order and the number formats that generated clients expect."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from codecarbon.carbon_aware.moments import datetime_of, write_duration, write_moment, write_time
from codecarbon.units import US_PER_MIN, US_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from codecarbon.carbon_aware.options import Profile
    from codecarbon.carbon_aware.results import (
        AverageAnswer,
        EmissionsAnswer,
        EmissionsRow,
        ForecastAnswer,
        Meta,
        ScheduleAnswer,
        ScheduleOption,
    )
    from codecarbon.model import Location

Members = dict[str, Any]
# The moment of answering is written as this mark and filled in each time; no text in JSON can hold its quotes.
_NOW = "\x00now"
_NOW_MEMBER = b'"requestedAt":' + orjson.dumps(_NOW)
_WHOLE_UPTO = 2.0**53
UNIT = "gCO2e/kWh"


def number(value: float) -> float | int:
    """Return a number as JSON shows it shortest: whole ones without a decimal point."""
    return int(value) if abs(value) < _WHOLE_UPTO and value == int(value) else value


@lru_cache(maxsize=8192)  # most answers are about the same hours
def time(unix_us: int) -> datetime | str:
    """Return a time in UTC as JSON shows it; orjson itself writes whole seconds as they must be."""
    return write_time(unix_us) if unix_us % US_PER_S else datetime_of(unix_us)


def dump(document: object) -> tuple[bytes, ...]:
    """Write JSON, cut where the moment of answering stands."""
    before, *after = orjson.dumps(document).split(_NOW_MEMBER)
    if not after:
        return (before,)
    start, end = b'"requestedAt":"', b'"'
    *middle, last = after
    return (before + start, *(end + part + start for part in middle), end + last)


def emissions(answer: EmissionsAnswer, *, is_detailed: bool) -> list[Members]:
    """Render observed points."""
    extra = _origin(answer.meta) if is_detailed else {}
    durations: dict[int, str] = {}
    for row in answer.rows:
        if row.duration_us not in durations:
            durations[row.duration_us] = write_duration(row.duration_us)
    return [
        {
            "location": row.location,
            "time": time(row.time_us),
            "rating": number(row.rating_g_per_kwh),
            "duration": durations[row.duration_us],
            **extra,
        }
        for row in answer.rows
    ]


def average(answer: AverageAnswer, *, is_detailed: bool = False) -> Members:
    """Render a mean; its period is in UTC."""
    return {
        "location": answer.location,
        "startTime": time(answer.start.unix_us),
        "endTime": time(answer.end.unix_us),
        "carbonIntensity": number(answer.intensity_g_per_kwh),
        **(_origin(answer.meta) if is_detailed else {}),
    }


def forecast(answer: ForecastAnswer, profile: Profile, *, is_detailed: bool = False) -> Members:
    """Render a forecast; times that were sent keep their offset."""
    optimal = [_point(row) for row in answer.optimal]
    members: Members = {
        "generatedAt": time(answer.generated_us),
        "requestedAt": _NOW if answer.requested is None else write_moment(answer.requested),
        "location": answer.location,
        "dataStartAt": write_moment(answer.data_start),
        "dataEndAt": write_moment(answer.data_end),
        "windowSize": answer.window_size_min,
    }
    if profile == "documented":
        members["optimalDataPoint"] = optimal[0] if optimal else None
    members["optimalDataPoints"] = optimal
    members["forecastData"] = [_point(row) for row in answer.points]
    if is_detailed:
        members |= _origin(answer.meta)
    return members


def _point(row: EmissionsRow) -> Members:
    return {
        "location": row.location,
        "timestamp": time(row.time_us),
        "duration": row.duration_us // US_PER_MIN,
        "value": number(row.rating_g_per_kwh),
    }


def location(place: Location, *, is_detailed: bool = False) -> Members:
    """Render a place."""
    members: Members = {
        "latitude": _degrees(place.latitude_deg),
        "longitude": _degrees(place.longitude_deg),
        "name": place.name or None,
    }
    if is_detailed:
        members |= {
            "country": place.country_iso_code,
            "subdivision": place.region,
            "zones": dict(place.zones),
        }
    return members


def _degrees(angle_deg: float | None) -> float | int | None:
    return None if angle_deg is None else number(angle_deg)


def locations(places: Mapping[str, Location], *, is_detailed: bool = False) -> Members:
    """Render all places."""
    return {key: location(place, is_detailed=is_detailed) for key, place in places.items()}


def schedule(answer: ScheduleAnswer) -> Members:
    """Render when and where a job is best run."""
    return {
        "best": None if answer.best is None else _option(answer.best),
        "locations": [
            {
                "location": each.location,
                "generatedAt": time(each.generated_us),
                "options": [_option(option) for option in each.options],
                "reason": each.reason or None,
            }
            for each in answer.by_location
        ],
        **_origin(answer.meta),
    }


def _option(option: ScheduleOption) -> Members:
    now, saving, grams = option.now_intensity_g_per_kwh, option.saving_ratio, option.emissions_g
    return {
        "location": option.location,
        "start": time(option.spans[0].start_us),
        "end": time(option.spans[-1].end_us),
        "spans": [{"start": time(span.start_us), "end": time(span.end_us)} for span in option.spans],
        "intensity": number(option.intensity_g_per_kwh),
        "intensityNow": None if now is None else number(now),
        "savingRatio": None if saving is None else number(saving),
        "emissions": None if grams is None else number(grams),
    }


def _origin(meta: Meta) -> Members:
    return {
        "unit": UNIT,
        "signalType": meta.signal or None,
        "sources": list(meta.sources),
        "isSynthetic": meta.is_synthetic,
        "isStale": meta.is_stale,
        "notices": list(meta.notices),
    }


def origin_of(metas: Sequence[Meta]) -> Meta:
    """Join what lies behind the parts of an answer."""
    from codecarbon.carbon_aware.results import Meta

    if len(metas) == 1:
        return metas[0]
    limits = [meta.valid_until_us for meta in metas if meta.valid_until_us is not None]
    return Meta(
        version="+".join(meta.version for meta in metas),
        valid_until_us=min(limits) if limits else None,
        sources=tuple(dict.fromkeys(name for meta in metas for name in meta.sources)),
        signal=metas[0].signal if metas else "",
        is_synthetic=any(meta.is_synthetic for meta in metas),
        is_stale=any(meta.is_stale for meta in metas),
        notices=tuple(dict.fromkeys(notice for meta in metas for notice in meta.notices)),
    )
