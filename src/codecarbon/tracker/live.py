"""Carbon intensity over time: what each five-minute slot of a run cost, from sources that are asked meanwhile.

Sources may wait for a network, so they are asked on a daemon thread of their own, never on the user's, the sampler's
or the reporter's. Everybody else only looks up what is known and never waits: a slot that has no value yet is priced
by a stand-in that says so, and once the run ends, what is known then stands.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from codecarbon.errors import CodeCarbonError, ConfigError, IntensityError, ProviderDataError
from codecarbon.model import Intensity, TimeSpan
from codecarbon.tracker.guard import Shield, attempt
from codecarbon.units import SECONDS_PER_HOUR, US_PER_S, us_from_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from codecarbon.intensity import IntensityProvider
    from codecarbon.model import IntensityPoint, IntensitySeries, Location, Signal

logger = logging.getLogger("codecarbon")

THREAD_NAME = "codecarbon-intensity"
SLOT_S = 300
# Part of a slot that must have a value: a slot's last minutes may lie ahead when it is asked for.
LEAST_SHARE = 0.5
# A source that answers, but not yet for this slot, is late rather than failing: its newest value may stand in so long.
LATE_S = 7200
# What was not answered within that time is not asked for any more.
GIVE_UP_S = 2 * 86_400
RETRY_S, LONGEST_RETRY_S = 30.0, SECONDS_PER_HOUR
# A service that names a time, such as the end of its daily quota, is left alone until then, within reason.
LONGEST_RETRY_AFTER_S = 86_400.0
# After the slot has begun, spread over processes so that they do not all ask at once.
DELAY_S, SPREAD_S = 2, 20


def spawn_daemon(run: Callable[[], None]) -> None:
    """Run a function on a daemon thread, which an exit does not wait for."""
    threading.Thread(target=run, name=THREAD_NAME, daemon=True).start()


class _Piece(NamedTuple):
    """A value and how it is to be labelled."""

    point: IntensityPoint
    series: IntensitySeries


class _Source:
    """One source and what it said.

    Attributes:
        provider: The source.
        held: Its newest points, by their begin.
        failures: How often in a row it failed.
        retry_s: When to ask again after a failure, on the monotonic clock: the time of day may be set meanwhile.
    """

    def __init__(self, provider: IntensityProvider) -> None:
        self.provider = provider
        self.held: dict[int, _Piece] = {}
        self.failures = 0
        self.retry_s = 0.0

    def keep(self, series: IntensitySeries, oldest_s: float) -> None:
        """Remember an answer, and forget what is older than a moment."""
        for point in series.points:
            self.held[point.start_us] = _Piece(point, series)
        oldest_us = us_from_s(oldest_s)
        self.held = {start_us: piece for start_us, piece in self.held.items() if piece.point.end_us >= oldest_us}

    def price(self, slot_s: int) -> Intensity | None:
        """The mean of its values over a slot; None when they cover too little of it."""
        span = TimeSpan(slot_s * US_PER_S, (slot_s + SLOT_S) * US_PER_S)
        weighted = covered_us = 0.0
        chosen: _Piece | None = None
        for piece in self.held.values():
            point = piece.point
            if not span.overlaps(point.start_us, point.end_us):
                continue
            part_us = min(point.end_us, span.end_us) - max(point.start_us, span.start_us)
            weighted += part_us * point.intensity_g_per_kwh
            covered_us += part_us
            chosen = piece
        if chosen is None or covered_us < LEAST_SHARE * (span.end_us - span.start_us):
            return None
        return _intensity(chosen, weighted / covered_us)

    def newest(self, slot_s: int) -> Intensity | None:
        """Its newest value from before a slot; None when that is too old."""
        begin_us = slot_s * US_PER_S
        earlier = [piece for start_us, piece in self.held.items() if start_us < begin_us + SLOT_S * US_PER_S]
        if not earlier:
            return None
        piece = max(earlier, key=lambda entry: entry.point.end_us)
        if piece.point.end_us < begin_us - LATE_S * US_PER_S:
            return None
        found = _intensity(piece, piece.point.intensity_g_per_kwh)
        return _noted(found, "its newest value, since later ones are not out yet")


class LiveIntensity:
    """The intensity of slots, asked for while a run goes on.

    Args:
        make_providers: Makes the sources, in the order in which they are asked; called on the thread, since this
            imports what talks to a network.
        location: The place.
        fallback: What prices a slot for which nobody has a value.
        signal: What the sources' values mean; a marginal one is never mixed with ``fallback``, which is an average.
        clock: Seconds since 1970.
        monotonic: Seconds that nobody sets.
        spawn: Runs a function on a thread of its own.

    Attributes:
        is_degraded: Whether a source broke its own rules.
        noted_faults: How it did, so that each way is logged once.
    """

    def __init__(
        self,
        make_providers: Callable[[], Sequence[IntensityProvider]],
        location: Location,
        fallback: Intensity,
        *,
        signal: Signal = "average",
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        spawn: Callable[[Callable[[], None]], object] = spawn_daemon,
    ) -> None:
        self._make_providers = make_providers
        self._location = location
        self._fallback = fallback
        self._is_marginal = signal == "marginal"
        self.is_degraded = False
        self.noted_faults: set[str] = set()
        self._clock = clock
        self._monotonic = monotonic
        self._spawn = spawn
        self._lock = threading.Lock()
        self._sources: list[_Source] | None = None
        self._prices: dict[int, Intensity] = {}
        self._pending: set[int] = set()
        self._late: dict[int, _Source] = {}
        self._faults: dict[str, str] = {}
        self._stop: threading.Event | None = None
        self._is_over = False
        self._is_averaged = False
        self._shielded = Shield(self._round, "asking for carbon intensity")

    # --- for everybody: never waits --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Ask from now on; does nothing while that is done already."""
        with self._lock:
            if self._stop is not None or self._is_averaged:
                return
            self._stop = stop = threading.Event()
            self._is_over = False
            self._pending.add(self._slot())
        self._spawn(lambda: self._run(stop))

    def end(self) -> None:
        """Ask no more, and let what is known stand; an answer that is under way is not waited for, and not used."""
        with self._lock:
            if self._stop is None:
                return
            self._stop.set()
            self._stop = None
            self._is_over = True
            # With no marginal value at all everything is an average, now and after another start.
            self._is_averaged = self._is_averaged or (self._is_marginal and self._nearest(self._slot()) is None)
            self._prices.update({slot_s: self._stand_in(slot_s) for slot_s in self._pending - self._prices.keys()})
            self._pending.clear()

    def prices(self, slots_s: Iterable[int]) -> dict[int, Intensity]:
        """Look up the intensity of slots; those without a value yet are asked for soon.

        All come from one moment, so that a sum never mixes what came before an answer with what came after it.
        """
        wanted = list(slots_s)
        with self._lock:
            if self._stop is not None:
                self._pending.update(slot_s for slot_s in wanted if slot_s not in self._prices)
            found = {slot_s: self._prices.get(slot_s) or self._stand_in(slot_s) for slot_s in wanted}
            if self._is_over:
                self._prices.update(found)
            return found

    def are_final(self, slots_s: Iterable[int]) -> bool:
        """Whether the intensities of slots can no longer change."""
        with self._lock:
            return all(slot_s in self._prices for slot_s in slots_s)

    def final_prices(self, slots_s: Iterable[int]) -> dict[int, Intensity]:
        """Look up those intensities of slots that can no longer change."""
        with self._lock:
            return {slot_s: self._prices[slot_s] for slot_s in slots_s if slot_s in self._prices}

    @property
    def notes(self) -> tuple[str, ...]:
        """Which sources failed, and why the last time."""
        with self._lock:
            notes = [f"{name}: {reason}" for name, reason in self._faults.items()]
            if self._is_averaged:
                notes.append("no marginal value was had: averages price the whole run, since the two cannot be added")
            return tuple(notes)

    # --- on the thread ---------------------------------------------------------------------------------------------

    def ask(self) -> None:
        """Ask once for whatever has no value yet; this is what the thread does over and over."""
        stop = self._stop
        if stop is not None:
            self._shielded(stop)

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self._shielded(stop)
            stop.wait(self._pause_s())

    def _pause_s(self) -> float:
        """Until a little after the next slot begins, or earlier when a source that failed is due again."""
        now_s = self._clock()
        pause_s = SLOT_S - now_s % SLOT_S + DELAY_S + os.getpid() % SPREAD_S
        with self._lock:
            retries_s = [source.retry_s for source in self._sources or () if source.failures]
        if retries_s:
            pause_s = min(pause_s, max(min(retries_s) - self._monotonic(), RETRY_S))
        return max(pause_s, 1.0)

    def _round(self, stop: threading.Event) -> None:
        """Ask each source for the slots that those before it could not price."""
        sources = self._made_sources()
        now_s = self._clock()
        with self._lock:
            if stop.is_set():
                return
            self._pending.add(self._slot())
            self._pending = {slot_s for slot_s in self._pending if slot_s > now_s - GIVE_UP_S}
            wanted = sorted(self._pending)
        for source in sources:
            wanted = self._take(source, wanted)
            if not wanted:
                return
            if source.failures and source.retry_s > self._monotonic():
                continue
            answer = attempt(self, f"asking {source.provider.name}", self._ask, source, wanted, now_s)
            failure, series = answer or ("it failed in a way that it should not, see the log", None)
            with self._lock:
                if stop.is_set():
                    return  # too late: what was known then stands
                if series is None:
                    self._note_failure(source, failure)
                    continue
                self._note_answer(source)
                source.keep(series, wanted[0] - LATE_S)
            left = self._take(source, wanted)
            with self._lock:
                # It answers, but not for these yet: the young ones are its own for a while.
                young = [slot_s for slot_s in left if slot_s > now_s - LATE_S]
                self._late.update(dict.fromkeys(young, source))
            wanted = [slot_s for slot_s in left if slot_s <= now_s - LATE_S]

    def _made_sources(self) -> list[_Source]:
        if self._sources is None:
            try:
                providers = self._make_providers()
            except CodeCarbonError as error:
                logger.error("No live carbon intensity, the yearly average is used: %s", error)  # noqa: TRY400
                providers = ()
                with self._lock:
                    self._faults["intensity_providers"] = str(error)
            with self._lock:
                self._sources = [_Source(provider) for provider in providers]
        return self._sources

    def _ask(
        self, source: _Source, wanted: Sequence[int], now_s: float
    ) -> tuple[IntensityError | ConfigError | None, IntensitySeries | None]:
        """Ask for a stretch that ends now at the latest, and for some time before, in case the newest value is old."""
        now_us = us_from_s(now_s)
        start_us = (wanted[0] - LATE_S) * US_PER_S
        end_us = min((wanted[-1] + SLOT_S) * US_PER_S, now_us)
        try:
            series = source.provider.observed(self._location, TimeSpan(start_us, max(end_us, start_us)))
        except (IntensityError, ConfigError) as error:
            return error, None
        fault = _fault(series, "marginal" if self._is_marginal else "average")
        if fault:
            # Other distributions' sources are not known to check what they say.
            return ProviderDataError(f"it answered with {fault}, which prices no run", source.provider.name), None
        return None, series

    def _take(self, source: _Source, wanted: Sequence[int]) -> list[int]:
        """Price what a source has values for; returns the rest."""
        left = []
        with self._lock:
            for slot_s in wanted:
                price = self._prices.get(slot_s) or source.price(slot_s)
                if price is None:
                    left.append(slot_s)
                elif self._stop is not None:
                    self._prices[slot_s] = price
                    self._pending.discard(slot_s)
                    self._late.pop(slot_s, None)
        return left

    def _note_failure(self, source: _Source, error: CodeCarbonError | str | None) -> None:
        name, reason = source.provider.name, str(error)
        if not source.failures:
            logger.warning("No carbon intensity from %s for now, it is asked again: %s", name, reason)
        pause_s = min(RETRY_S * 2**source.failures, LONGEST_RETRY_S)
        source.failures += 1
        wished_s = min(getattr(error, "retry_after_s", None) or 0.0, LONGEST_RETRY_AFTER_S)
        source.retry_s = self._monotonic() + max(pause_s, wished_s)
        self._faults[name] = reason

    def _note_answer(self, source: _Source) -> None:
        if source.failures:
            logger.info("Carbon intensity comes from %s again", source.provider.name)
        source.failures, source.retry_s = 0, 0.0

    # --- with the lock held ----------------------------------------------------------------------------------------

    def _slot(self) -> int:
        now_s = int(self._clock())
        return now_s - now_s % SLOT_S

    def _stand_in(self, slot_s: int) -> Intensity:
        if self._is_averaged:
            return self._fallback
        for source in self._sources or ():
            price = source.price(slot_s)
            if price is not None:
                return price
        if self._is_marginal:
            return self._nearest(slot_s) or self._fallback
        late = self._late.get(slot_s)
        newest = None if late is None or late.failures else late.newest(slot_s)
        if newest is not None:
            return newest
        return _noted(self._fallback, "no live value")

    def _nearest(self, slot_s: int) -> Intensity | None:
        """The value that is nearest to a slot, of those that are known at all: None for one slot is None for all."""
        found: Intensity | None = None
        if self._prices:
            found = self._prices[min(self._prices, key=lambda known_s: (abs(known_s - slot_s), known_s))]
        else:
            pieces = [piece for source in self._sources or () for piece in source.held.values()]
            if pieces:
                piece = min(pieces, key=lambda entry: abs(entry.point.end_us - slot_s * US_PER_S))
                found = _intensity(piece, piece.point.intensity_g_per_kwh)
        return None if found is None else _noted(found, "the nearest value, since there is none for the time itself")


def _fault(series: IntensitySeries, signal: Signal) -> str:
    """What is wrong with an answer; empty when it can price a run."""
    if series.signal != signal:
        return f"{series.signal} values in place of {signal} ones"
    if series.is_synthetic:
        return "made-up values"
    if not all(0.0 <= point.intensity_g_per_kwh < math.inf for point in series.points):
        return "a value that is negative or no number"
    return ""


def _intensity(piece: _Piece, intensity_g_per_kwh: float) -> Intensity:
    series = piece.series
    notes = [
        f"{series.basis} emissions" if series.basis else "",
        "estimated" if piece.point.is_estimated else "",
        "an older answer, since the source failed" if series.is_stale else "",
    ]
    note = ", ".join(filter(None, notes))
    return Intensity(intensity_g_per_kwh, series.source, None, series.zone, signal=series.signal, note=note)


def _noted(intensity: Intensity, text: str) -> Intensity:
    if text in intensity.note:
        return intensity
    return replace(intensity, note=f"{intensity.note}; {text}" if intensity.note else text)
