"""What operations are asked and what they answer; the WebApi, the command lines and the library share these.

Times are UTC microseconds since 1970, ``*_us``. A time that is echoed to its sender is a :class:`Moment`, which also
keeps the offset that the sender wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from codecarbon.model import Signal, TimeSpan
from codecarbon.record import FrozenRecord


class Moment(NamedTuple):
    """An instant, and the offset from UTC in which somebody wrote it.

    Attributes:
        unix_us: UTC microseconds since 1970.
        offset_min: Minutes east of UTC.
    """

    unix_us: int
    offset_min: int = 0


class EmissionsRow(NamedTuple):
    """Carbon intensity of a place over a while.

    Attributes:
        location: The requested key, or the zone where the source reports by zone.
        time_us: Its begin.
        rating_g_per_kwh: Grams of CO2 equivalent per kilowatt hour.
        duration_us: How long it holds; 0 when the source does not say.
    """

    location: str
    time_us: int
    rating_g_per_kwh: float
    duration_us: int

    @property
    def end_us(self) -> int:
        """Its end."""
        return self.time_us + self.duration_us


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Meta(FrozenRecord):
    """What lies behind an answer.

    Attributes:
        version: Changes whenever the rows of an answer to the same question change; equal rows have equal versions.
        valid_until_us: Until when the same question certainly has the same answer; None when it never changes again.
        sources: Names of the providers that the values come from.
        signal: Average or marginal; empty when there are no values.
        is_synthetic: Whether any value is made up, for trying things out.
        is_stale: Whether any value is older than its provider promises.
        notices: What a reader should know besides.
    """

    version: str = ""
    valid_until_us: int | None = None
    sources: tuple[str, ...] = ()
    signal: Signal | str = ""
    is_synthetic: bool = False
    is_stale: bool = False
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EmissionsAnswer(FrozenRecord):
    """Observed points of one or several places.

    Attributes:
        rows: The points, place after place in the order asked for, ascending within one.
        meta: What lies behind them.
    """

    rows: tuple[EmissionsRow, ...]
    meta: Meta


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AverageAnswer(FrozenRecord):
    """The time-weighted mean of a period.

    Attributes:
        location: The place as it was asked for.
        start: Begin of the period, as it was asked for.
        end: Its end.
        intensity_g_per_kwh: The mean.
        meta: What lies behind it.
    """

    location: str
    start: Moment
    end: Moment
    intensity_g_per_kwh: float
    meta: Meta


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ForecastAnswer(FrozenRecord):
    """A forecast, scoped and averaged over windows.

    Attributes:
        generated_us: When the provider made it.
        requested: The moment asked for; None for the newest forecast, whose moment is that of answering.
        location: The place as it was asked for.
        data_start: As asked for, else the profile's default.
        data_end: Likewise.
        window_size_min: Likewise.
        optimal: All windows, or points, with the lowest value, the earliest first; may be empty.
        points: All windows, or points, in time order; may be empty.
        meta: What lies behind them.
    """

    generated_us: int
    requested: Moment | None
    location: str
    data_start: Moment
    data_end: Moment
    window_size_min: int
    optimal: tuple[EmissionsRow, ...]
    points: tuple[EmissionsRow, ...]
    meta: Meta


class AverageRequest(NamedTuple):
    """One item of a batch of averages; None stands for what its sender left out."""

    location: str | None = None
    start: Moment | None = None
    end: Moment | None = None


class ForecastRequest(NamedTuple):
    """One item of a batch of historical forecasts; None stands for what its sender left out."""

    location: str | None = None
    requested: Moment | None = None
    data_start: Moment | None = None
    data_end: Moment | None = None
    window_min: int | None = None


class ScheduleRequest(NamedTuple):
    """A job that looks for its time and place.

    Attributes:
        locations: Where it may run.
        duration_s: How long it runs, seconds.
        earliest: When it may begin; None for now.
        deadline: When it must have ended; None for the end of the forecast.
        alternatives: How many ways to name for each place, the best first.
        pieces: In how many pieces it may be split; 1 for a job that cannot be interrupted.
        resume_cost_s: Extra run time for each piece after the first, seconds.
        power_w: What it draws, watts; None when only intensities are of interest.
        home: The place where it runs unless somewhere else is better by more than ``move_cost_g``; None for no place.
        move_cost_g: What running away from home costs, grams of CO2 equivalent; needs ``power_w``.
    """

    locations: tuple[str, ...]
    duration_s: float
    earliest: Moment | None = None
    deadline: Moment | None = None
    alternatives: int = 1
    pieces: int = 1
    resume_cost_s: float = 0.0
    power_w: float | None = None
    home: str | None = None
    move_cost_g: float = 0.0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ScheduleOption(FrozenRecord):
    """One way to run a job.

    Attributes:
        location: Where, as it was asked for.
        spans: When: one span, or one for each piece.
        intensity_g_per_kwh: The mean over the run.
        now_intensity_g_per_kwh: The mean over a run that starts at once in the same place, or, for the best of all
            places, at home if one was named; None when the forecast does not cover it.
        saving_ratio: The part of the emissions that is saved against starting at once; None when that is unknown.
        emissions_g: Grams of CO2 equivalent of the run; None when its power is unknown.
    """

    location: str
    spans: tuple[TimeSpan, ...]
    intensity_g_per_kwh: float
    now_intensity_g_per_kwh: float | None = None
    saving_ratio: float | None = None
    emissions_g: float | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LocationSchedule(FrozenRecord):
    """The alternatives of one place.

    Attributes:
        location: The place as it was asked for.
        generated_us: When its forecast was made.
        options: The best first; empty when the job does not fit.
        reason: Why there are none, else empty.
    """

    location: str
    generated_us: int
    options: tuple[ScheduleOption, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ScheduleAnswer(FrozenRecord):
    """When and where a job is best run.

    Attributes:
        best: The best of all; None when it fits nowhere.
        by_location: The alternatives of each place, in the order asked for.
        meta: What lies behind them.
    """

    best: ScheduleOption | None
    by_location: tuple[LocationSchedule, ...]
    meta: Meta
