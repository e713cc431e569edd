"""Carbon intensities, and forecasts if it has some, from a JSON file of the user's; docs/how-to/live-intensity.md."""

from __future__ import annotations

import math
import os
import re
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from codecarbon.errors import CapabilityError, NoIntensityData, ProviderDataError, ProviderUnavailable
from codecarbon.forks import renew_after_fork
from codecarbon.intensity.point_index import PointIndex
from codecarbon.model import IntensityPoint, IntensitySeries
from codecarbon.units import US_PER_DAY, US_PER_HOUR, US_PER_MIN, US_PER_S, iso_from_us, us_from_iso, us_from_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from codecarbon.intensity.provider import Capability
    from codecarbon.model import Location, Signal, TimeSpan

SLOT_US = 5 * US_PER_MIN
# [d.]hh:mm[:ss[.fffffff]]
_DURATION = re.compile(r"(?:(\d{1,8})\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7}))?)?", re.ASCII)
_HOURS, _SIXTY = 24, 60


class FilePoint(NamedTuple):
    """A point and the location under which the file has it."""

    location: str
    point: IntensityPoint


class _Issue(NamedTuple):
    """One forecast of the file."""

    generated_us: int
    points: tuple[IntensityPoint, ...]


class _Content(NamedTuple):
    """What a file says; locations are spelt as in the file.

    Attributes:
        points: The points of a location; their places are those in the file.
        issues: The forecasts of a location, oldest first.
        has_forecasts: Whether the file has the member at all.
        spellings: How the file spells a location, by its name without regard to case.
    """

    points: Mapping[str, PointIndex]
    issues: Mapping[str, Sequence[_Issue]]
    has_forecasts: bool
    spellings: Mapping[str, frozenset[str]]


class JsonFile:
    """A provider that reads a file ``{"Emissions": [...], "Forecasts": [...]}``.

    Args:
        path: The file.
        reload: Whether a file that was changed is read again; False keeps what was read first.
        match_case: Whether a location must be written exactly as in the file.
        clock: Seconds since 1970; which forecast is the current one.
    """

    name = "json_file"
    signal: Signal = "average"

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        reload: bool = True,
        match_case: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = os.fspath(path)
        # For errors that servers pass on to strangers, whom the folders of this machine do not concern.
        self._file_name = os.path.basename(self.path)  # noqa: PTH119 (pathlib is slow to import)
        self._reload = reload
        self._match_case = match_case
        self._clock = clock
        self._content: _Content | None = None
        self._stamp: tuple[int, ...] = ()
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Let go of a lock that a thread of the parent may hold."""
        self._lock = threading.Lock()

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the file offers at the moment; one that cannot be read is asked for anything, and says why it cannot."""
        try:
            has_forecasts = self._read().has_forecasts
        except (ProviderDataError, ProviderUnavailable):
            has_forecasts = True
        return frozenset({"observed", "forecast", "historical_forecast"} if has_forecasts else {"observed"})

    @property
    def version(self) -> str:
        """A text that changes when the file is read again, for caches of what was made from it.

        Raises:
            ProviderUnavailable: The file cannot be read.
            ProviderDataError: Its content cannot be used.
        """
        self._read()
        return "-".join(f"{part:x}" for part in self._stamp)

    def zone_of(self, where: Location) -> str:
        """Find a place's name in the file; one that is not in there is given back as it was asked for.

        Raises:
            NoIntensityData: The place has no name.
        """
        names = self._names(where, self._read())
        return min(names) if names else self._wanted(where)

    def knows(self, where: Location) -> bool:
        """Whether the file has a place, under the name that it goes by.

        Raises:
            ProviderUnavailable: The file cannot be read.
            ProviderDataError: Its content cannot be used.
        """
        return bool(self._names(where, self._read()))

    def observed(self, where: Location, span: TimeSpan) -> IntensitySeries:
        """Get every point that overlaps a span, in the order of the file."""
        points = tuple(point for _, _, point in self._in_file_order([where], span))
        return self._series(self.zone_of(where), points)

    def observed_in_file_order(self, places: Sequence[Location], span: TimeSpan) -> tuple[FilePoint, ...]:
        """Get the points of several places that overlap a span, mixed as they are in the file."""
        return tuple(FilePoint(name, point) for _, name, point in self._in_file_order(places, span))

    def _in_file_order(self, places: Sequence[Location], span: TimeSpan) -> list[tuple[int, str, IntensityPoint]]:
        """The points that overlap a span, each after its place in the file, which no two share, and its name there."""
        return sorted(
            (place_in_file, name, point)
            for name, index in self._indexes(places)
            for place_in_file, point in index.overlapping(span)
        )

    def next_start_us(self, places: Sequence[Location], moment_us: int) -> int | None:
        """Find when the first point of some places after a moment begins, UTC microseconds since 1970."""
        found = (index.next_start_us(moment_us) for _, index in self._indexes(places))
        return min((start_us for start_us in found if start_us is not None), default=None)

    def next_end_us(self, places: Sequence[Location], moment_us: int) -> int | None:
        """Find when the first of the points of some places that hold at a moment ends; None when there are none."""
        found = (index.next_end_us(moment_us) for _, index in self._indexes(places))
        return min((end_us for end_us in found if end_us is not None), default=None)

    def _indexes(self, places: Sequence[Location]) -> list[tuple[str, PointIndex]]:
        """The points of some places, by the names that the file has for them."""
        content = self._read()
        names = frozenset[str]().union(*(self._names(where, content) for where in places))
        return [(name, content.points[name]) for name in names if name in content.points]

    def forecast(self, where: Location) -> IntensitySeries:
        """Get the newest forecast that was made by now.

        Raises:
            CapabilityError: The file has no forecasts.
            NoIntensityData: It has none for this place that was made by now.
        """
        return self._newest(where, 0, us_from_s(self._clock()))

    def forecast_at(self, where: Location, requested_us: int, *, look_back_us: int = 0) -> IntensitySeries:
        """Get the newest forecast that was made by a moment; see the protocol."""
        oldest_us = requested_us - look_back_us if look_back_us else requested_us - requested_us % SLOT_US
        return self._newest(where, oldest_us, requested_us)

    def _newest(self, where: Location, oldest_us: int, newest_us: int) -> IntensitySeries:
        content = self._read()
        if not content.has_forecasts:
            raise CapabilityError(f"{self._file_name} has no forecasts", self.name, where.label, "forecast")
        issues = [issue for name in self._names(where, content) for issue in content.issues.get(name, ())]
        found = [issue for issue in issues if oldest_us <= issue.generated_us <= newest_us]
        if not found:
            raise NoIntensityData(
                f"{self._file_name} has no forecast for {self._wanted(where)!r} made by {iso_from_us(newest_us)}"
                + (f" and since {iso_from_us(oldest_us)}" if oldest_us else ""),
                self.name,
                where.label,
            )
        issue = max(found, key=lambda entry: entry.generated_us)
        return self._series(self.zone_of(where), issue.points, generated_us=issue.generated_us)

    def _series(
        self, zone: str, points: tuple[IntensityPoint, ...], *, generated_us: int | None = None
    ) -> IntensitySeries:
        # The file may change at any moment, unless it is read once for good.
        valid_until_us = us_from_s(self._clock()) if self._reload else None
        return IntensitySeries(points, zone, self.name, generated_us=generated_us, valid_until_us=valid_until_us)

    # --- names -----------------------------------------------------------------------------------------------------

    def _wanted(self, where: Location) -> str:
        wanted = dict(where.zones).get(self.name) or where.zone or where.key
        if wanted:
            return wanted
        if where.country_iso_code or where.cloud_region:
            return where.label
        raise NoIntensityData(f"no name to look for in {self._file_name}: the place is unknown", self.name)

    def _names(self, where: Location, content: _Content) -> frozenset[str]:
        """The file's spellings of a place."""
        wanted = self._wanted(where)
        found = content.spellings.get(wanted.casefold(), frozenset())
        if not self._match_case:
            return found
        return found & {wanted}

    # --- reading ---------------------------------------------------------------------------------------------------

    def _read(self) -> _Content:
        with self._lock:
            if self._content is not None and not self._reload:
                return self._content
            try:
                stamp = _stamp(os.stat(self.path))  # noqa: PTH116 (pathlib is slow to import)
                if self._content is not None and stamp == self._stamp:
                    return self._content
                with open(self.path, encoding="utf-8-sig") as file:  # noqa: PTH123 (likewise)
                    stamp = _stamp(os.fstat(file.fileno()))
                    text = file.read()
            except UnicodeDecodeError as error:
                raise ProviderDataError(f"{self.path} is no text in UTF-8: {error.reason}", self.name) from error
            except OSError as error:
                raise ProviderUnavailable(f"{self.path} cannot be read: {error.strerror}", self.name) from error
            self._content = _Parser(self.path, self.name).content(text)
            self._stamp = stamp
            return self._content


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_mtime_ns, status.st_size, status.st_ino)


class _Parser:
    """Reads the text of one file; every complaint names the file, the entry and the member."""

    def __init__(self, path: str, provider: str) -> None:
        self._path = path
        self._provider = provider

    def content(self, text: str) -> _Content:
        document = self._document(text)
        points: dict[str, list[tuple[int, IntensityPoint]]] = {}
        for at, found in enumerate(self._points(self._entries(document, "Emissions", "Emissions"), "Emissions")):
            points.setdefault(found.location, []).append((at, found.point))
        issues: dict[str, list[_Issue]] = {}
        for at, entry in enumerate(self._entries(document, "Forecasts", "Forecasts")):
            label = f"Forecasts[{at}]"
            issues.setdefault(self._location(entry, label), []).append(self._issue(entry, label))
        for each in issues.values():
            each.sort(key=lambda issue: issue.generated_us)
        spellings: dict[str, set[str]] = {}
        for name in {*points, *issues}:
            spellings.setdefault(name.casefold(), set()).add(name)
        folded = {name: frozenset(spelt) for name, spelt in spellings.items()}
        indexes = {name: PointIndex.of(entries) for name, entries in points.items()}
        return _Content(indexes, issues, "Forecasts" in document, folded)

    def _document(self, text: str) -> dict[str, Any]:
        import json

        try:
            document = json.loads(text, parse_constant=float)
        except (ValueError, RecursionError) as error:
            raise self._wrong(f"it is no JSON: {error}") from error
        if isinstance(document, list):
            raise self._wrong('it is a bare list: wrap it as {"Emissions": [...]}')
        if not isinstance(document, dict):
            raise self._wrong('expected an object {"Emissions": [...]}')
        return document

    def _entries(self, parent: dict[str, Any], member: str, label: str) -> list[dict[str, Any]]:
        """A list of objects, empty when the member is not there."""
        entries = parent.get(member)
        if entries is None:
            misspelt = [name for name in parent if name.casefold() == member.casefold() and name != member]
            if misspelt:
                raise self._wrong(f"{misspelt[0]!r} must be written {member!r}")
            return []
        if not isinstance(entries, list):
            raise self._wrong(f"{label}: expected a list")
        for at, entry in enumerate(entries):
            if not isinstance(entry, dict):
                raise self._wrong(f"{label}[{at}]: expected an object")
        return entries

    def _points(self, entries: list[dict[str, Any]], label: str) -> Iterator[FilePoint]:
        for at, entry in enumerate(entries):
            here = f"{label}[{at}]"
            yield FilePoint(self._location(entry, here), self._point(entry, here))

    def _point(self, entry: dict[str, Any], label: str, *, is_estimated: bool = False) -> IntensityPoint:
        return IntensityPoint(
            self._time(entry, "Time", label), self._duration(entry, label), self._rating(entry, label), is_estimated
        )

    def _issue(self, entry: dict[str, Any], label: str) -> _Issue:
        entries = self._entries(entry, "Points", f"{label}.Points")
        if not entries:
            raise self._wrong(f"{label}.Points: expected at least one point")
        points = [self._point(each, f"{label}.Points[{at}]", is_estimated=True) for at, each in enumerate(entries)]
        return _Issue(self._time(entry, "GeneratedAt", label), tuple(sorted(points)))

    def _location(self, entry: dict[str, Any], label: str) -> str:
        name = entry.get("Location")
        if not isinstance(name, str) or not name:
            raise self._wrong(f"{label}.Location: expected a name, found {_shown(name)}")
        return name

    def _time(self, entry: dict[str, Any], member: str, label: str) -> int:
        value = entry.get(member)
        if isinstance(value, str):
            try:
                return us_from_iso(value)
            except ValueError as error:
                raise self._wrong(f"{label}.{member}: {error}") from error
        raise self._wrong(f"{label}.{member}: expected an ISO 8601 time, found {_shown(value)}")

    def _rating(self, entry: dict[str, Any], label: str) -> float:
        value = entry.get("Rating")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
            raise self._wrong(f"{label}.Rating: expected a number of g/kWh, at least 0, found {_shown(value)}")
        return float(value)

    def _duration(self, entry: dict[str, Any], label: str) -> int:
        value = entry.get("Duration")
        if value is None:
            return 0
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if match is not None:
            days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[:4])
            micro = int((match[5] or "").ljust(6, "0")[:6])
            if hours < _HOURS and minutes < _SIXTY and seconds < _SIXTY:
                return days * US_PER_DAY + hours * US_PER_HOUR + minutes * US_PER_MIN + seconds * US_PER_S + micro
        raise self._wrong(f"{label}.Duration: expected [d.]hh:mm:ss, found {_shown(value)}")

    def _wrong(self, what: str) -> ProviderDataError:
        return ProviderDataError(f"{self._path}: {what}", self._provider)


def _shown(value: object) -> str:
    """A value for a message, cut short."""
    shown = "nothing" if value is None else repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."  # noqa: PLR2004 (a line's worth)
