"""Reading what live services answer: the one home for checking values and times and for choosing points.

A value is believed only when it is a finite number of g/kWh within bounds. Null is no data and is left out; whatever
else is not as it should be makes the whole answer unusable, since nobody knows what the rest of it is worth.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from codecarbon.errors import ProviderDataError
from codecarbon.model import IntensityPoint, TimeSpan
from codecarbon.units import US_PER_DAY, iso_from_us, us_from_iso

if TYPE_CHECKING:
    from collections.abc import Iterable

# No grid comes near: lignite alone is about 1200 g/kWh over its whole life.
MAX_INTENSITY_G_PER_KWH = 3000.0
_SHOWN = 60  # characters of a value in a message


class Row(NamedTuple):
    """One row of an answer before it has a length; without a value it only tells where the grid of rows lies."""

    start_us: int
    intensity_g_per_kwh: float | None
    is_estimated: bool = False


class AnswerReader:
    """Takes an answer apart; every complaint names the service and the member.

    Args:
        provider: Name of the provider.
        location: The place that was asked for.
    """

    def __init__(self, provider: str, location: str = "") -> None:
        self.provider = provider
        self.location = location

    def refuse(self, what: str) -> NoReturn:
        """Raise the error for an answer that cannot be used.

        Raises:
            ProviderDataError: Always.
        """
        raise ProviderDataError(f"{self.provider}: {what}", self.provider, self.location)

    def an_object(self, value: object, what: str = "the answer") -> dict[str, Any]:
        """Check that a value is a JSON object."""
        if not isinstance(value, dict):
            self.refuse(f"{what}: expected an object, found {shown(value)}")
        return value

    def a_list(self, parent: dict[str, Any], name: str) -> list[Any]:
        """Get a member that must be a list."""
        value = parent.get(name)
        if not isinstance(value, list):
            self.refuse(f"{name}: expected a list, found {shown(value)}")
        return value

    def objects(self, parent: dict[str, Any], name: str) -> list[dict[str, Any]]:
        """Get a member that must be a list of objects."""
        return [self.an_object(entry, f"{name}[{at}]") for at, entry in enumerate(self.a_list(parent, name))]

    def text(self, parent: dict[str, Any], name: str) -> str:
        """Get a member that must be a text; empty when it is missing or null."""
        value = parent.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.refuse(f"{name}: expected a text, found {shown(value)}")
        return value

    def is_true(self, parent: dict[str, Any], name: str) -> bool:
        """Get a member that must be true or false; false when it is missing or null."""
        value = parent.get(name)
        if value is not None and not isinstance(value, bool):
            self.refuse(f"{name}: expected true or false, found {shown(value)}")
        return bool(value)

    def member(self, parent: dict[str, Any], name: str) -> object:
        """Get a member that must be there, null or not."""
        if name not in parent:
            self.refuse(f"{name} is missing")
        return parent[name]

    def time_us(self, value: object, name: str) -> int:
        """Check a time in ISO 8601, with or without a fraction; one without an offset is UTC."""
        if not isinstance(value, str):
            self.refuse(f"{name}: expected a time, found {shown(value)}")
        try:
            return us_from_iso(value)
        except ValueError as error:
            raise ProviderDataError(f"{self.provider}: {name}: {error}", self.provider, self.location) from error

    def intensity(self, value: object, name: str) -> float | None:
        """Check a carbon intensity.

        Returns:
            Grams of CO2 equivalent per kilowatt hour, or None for null, which is no data.

        Raises:
            ProviderDataError: It is no number, not finite, negative, or beyond belief.
        """
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.refuse(f"{name}: expected a number of g/kWh, found {shown(value)}")
        if not 0 <= value <= MAX_INTENSITY_G_PER_KWH or not math.isfinite(value):
            self.refuse(f"{name}: {shown(value)} g/kWh is not between 0 and {MAX_INTENSITY_G_PER_KWH:.0f}")
        return float(value)

    def points(
        self, rows: Iterable[Row], *, step_us: int | None = None, usual_step_us: int
    ) -> tuple[IntensityPoint, ...]:
        """Make points of rows: in order of time, each as long as the rows lie apart, without nulls.

        Args:
            rows: In any order; a row that comes twice counts once.
            step_us: Their length when the service tells it; else the shortest distance between two rows counts.
            usual_step_us: The service's usual length, for when a single row tells nothing.

        Raises:
            ProviderDataError: Two rows overlap, or contradict each other.
        """
        ordered = sorted(set(rows), key=lambda row: row.start_us)
        starts = sorted({row.start_us for row in ordered})
        gaps = [later - sooner for sooner, later in pairwise(starts)]
        length_us = step_us or min(gaps, default=usual_step_us)
        points: list[IntensityPoint] = []
        for start_us, value, is_estimated in ordered:
            if value is None:
                continue
            if points and start_us < points[-1].end_us:
                kind = "contradict each other" if start_us == points[-1].start_us else "overlap"
                self.refuse(f"the points from {iso_from_us(points[-1].start_us)} and {iso_from_us(start_us)} {kind}")
            points.append(IntensityPoint(start_us, length_us, value, is_estimated))
        return tuple(points)


def overlapping(points: Iterable[IntensityPoint], span: TimeSpan) -> tuple[IntensityPoint, ...]:
    """Choose the points that lie at least partly inside a span, uncut: the one rule for all sources."""
    return tuple(point for point in points if span.overlaps(point.start_us, point.end_us))


def begun(points: Iterable[IntensityPoint], now_us: int) -> tuple[IntensityPoint, ...]:
    """Choose the points that have begun by now: what nobody can have observed yet is a forecast."""
    return tuple(point for point in points if point.start_us <= now_us)


def still_to_come(points: Iterable[IntensityPoint], now_us: int) -> tuple[IntensityPoint, ...]:
    """Choose the points that are not over yet."""
    return tuple(point for point in points if point.end_us > now_us)


def floor_us(unix_us: int, step_us: int) -> int:
    """Round a time down to a grid that begins in 1970."""
    return unix_us - unix_us % step_us


def ceil_us(unix_us: int, step_us: int) -> int:
    """Round a time up to such a grid."""
    return floor_us(unix_us + step_us - 1, step_us)


def whole_days(span: TimeSpan, now_us: int, *, ahead_days: int = 0) -> TimeSpan:
    """Widen a span to whole days, UTC, so that many questions share one call; empty when it has not begun by now.

    All of today and yesterday share one such span, which reaches ``ahead_days`` beyond today; none reaches further.
    """
    if span.start_us > now_us:
        return TimeSpan(span.start_us, span.start_us)
    today_us = floor_us(now_us, US_PER_DAY)
    end_us = today_us + (1 + ahead_days) * US_PER_DAY
    if span.start_us >= today_us - US_PER_DAY:
        return TimeSpan(today_us - US_PER_DAY, end_us)
    asked_us = max(span.end_us, span.start_us + 1)
    return TimeSpan(floor_us(span.start_us, US_PER_DAY), min(ceil_us(asked_us, US_PER_DAY), end_us))


def shown(value: object) -> str:
    """A value for a message, cut short."""
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
