"""Electricity Maps, version 3 of its API: average intensity by zone all over the world; needs a key.

https://portal.electricitymaps.com/ - the terms ask for attribution, and the free plan is for personal, academic and
evaluation use only.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from codecarbon.errors import ConfigError, NoIntensityData, ProviderDataError, ProviderRejected
from codecarbon.intensity.answers import begun, ceil_us, floor_us, overlapping
from codecarbon.intensity.electricity_maps_place import BASE_URL, TOKEN_HEADER, check_auth, find_place
from codecarbon.intensity.electricity_maps_wire import CALLS, CALLS_WINDOW_S, Wire
from codecarbon.intensity.feed import earliest_us, with_rate
from codecarbon.intensity.provider import refuse_old_forecasts
from codecarbon.model import IntensitySeries, TimeSpan
from codecarbon.units import US_PER_DAY, US_PER_HOUR, US_PER_MIN, iso_from_us, us_from_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from typing_extensions import Unpack

    from codecarbon.intensity.electricity_maps_place import Place
    from codecarbon.intensity.electricity_maps_wire import Content
    from codecarbon.intensity.feed import Fetched, TransportOptions
    from codecarbon.intensity.provider import Capability
    from codecarbon.model import IntensityPoint, Location, Signal
    from codecarbon.transport import DiskCache

RECENT_US = US_PER_DAY  # what `history` holds
# Callers who keep answers by slots ask for the whole of the present one.
SLOT_US = 5 * US_PER_MIN
LONGEST_US = 10 * US_PER_DAY  # what `past-range` answers at once
HORIZONS_H = (6, 24, 48, 72)
_SETTLED_US = 7 * US_PER_DAY
_UNAUTHORIZED = 401
_PLAN_HOLDS_S = 86_400.0


class ElectricityMaps:
    """A provider with the service's average intensity, lifecycle emissions unless told otherwise.

    Args:
        token: The key; shown nowhere.
        header: Name of the header that carries it.
        base_url: Address of the service; ``https://api-access.electricitymaps.com/`` and others take other headers.
        emission_factor_type: ``lifecycle`` or ``direct``; None leaves it to the service, which takes ``lifecycle``.
            It holds for observed values only; forecasts are the service's default.
        disable_estimations: Whether to leave estimated values out; None leaves it to the service, which has them.
        horizon_h: How far forecasts reach, hours; None leaves it to the service.
        cache: Where answers are kept; None asks each time.
        clock: Seconds since 1970.
        options: For the transport.

    Raises:
        ConfigError: The address, the header and the token do not go together, or an option has a bad value.
    """

    name = "electricity_maps"
    signal: Signal = "average"
    capabilities: frozenset[Capability] = frozenset({"observed", "forecast"})

    def __init__(
        self,
        token: str,
        *,
        header: str = TOKEN_HEADER,
        base_url: str = BASE_URL,
        emission_factor_type: str | None = None,
        disable_estimations: bool | None = None,
        horizon_h: int | None = None,
        cache: DiskCache | None = None,
        clock: Callable[[], float] = time.time,
        **options: Unpack[TransportOptions],
    ) -> None:
        from codecarbon.transport import Transport, fingerprint

        check_auth(base_url, header, token)
        if emission_factor_type not in {None, "lifecycle", "direct"}:
            raise ConfigError("EmissionFactorType", emission_factor_type, "constructor", "lifecycle or direct")
        if horizon_h is not None and horizon_h not in HORIZONS_H:
            raise ConfigError("horizon_h", horizon_h, "constructor", "6, 24, 48 or 72")
        own = with_rate(options, CALLS, CALLS_WINDOW_S)
        self._clock = clock
        self._basis = emission_factor_type or "lifecycle"
        self._is_measured_only = bool(disable_estimations)
        self._past_params = _past_params(emission_factor_type, disable_estimations=disable_estimations)
        self._forecast_params = [("horizonHours", str(horizon_h))] if horizon_h else []
        transport = Transport(self.name, base_url, credential=True, clock=clock, **own)
        owner = fingerprint(base_url, header.lower(), token)
        self._wire = Wire(self.name, transport, (header.strip(), token.strip()), owner=owner, cache=cache, clock=clock)
        # Places whose longer past is not in the plan of the key, and until when that is believed.
        self._recent_only: dict[Place, float] = {}

    def zone_of(self, where: Location) -> str:
        """Find the service's zone of a place, for example ``DK-DK1``.

        Raises:
            NoIntensityData: Nothing tells which zone it is.
            ProviderDataError: The service answers for a zone that cannot be the place's.
        """
        return self._wire.zone_of(find_place(where, self.name))

    def observed(self, where: Location, span: TimeSpan) -> IntensitySeries:
        """Get the hours that overlap a span and have begun.

        The last 24 hours are one call that every plan has; longer ago is asked for in parts of ten days. A plan without
        the longer past answers with what there is of the last 24 hours, and ``note`` says so.
        """
        place = find_place(where, self.name)
        now_us = us_from_s(self._clock())
        end_us = min(max(span.end_us, span.start_us + 1), now_us + 1)
        wanted = TimeSpan(floor_us(span.start_us, US_PER_HOUR), ceil_us(end_us, US_PER_HOUR))
        if span.start_us > now_us:
            return IntensitySeries((), self._wire.zone_of(place), self.name, basis=self._basis)
        if wanted.start_us > now_us - RECENT_US and span.end_us <= now_us + SLOT_US:
            return self._observed(self._recent(place), span, now_us)
        if self._recent_only.get(place, 0.0) > self._clock() and span.end_us > now_us - RECENT_US:
            return self._observed(self._recent(place), span, now_us, note=_RECENT_NOTE)
        try:
            parts = [self._range(place, part, now_us) for part in _parts(wanted)]
        except ProviderRejected as error:
            if error.status != _UNAUTHORIZED or span.end_us <= now_us - RECENT_US:
                raise
            # A good key whose plan has the last 24 hours only.
            recent = self._recent(place)
            self._recent_only = {place: self._clock() + _PLAN_HOLDS_S, **self._recent_only}
            return self._observed(recent, span, now_us, note=_RECENT_NOTE)
        return self._observed(parts, span, now_us)

    def forecast(self, where: Location) -> IntensitySeries:
        """Get the newest forecast.

        Raises:
            NoIntensityData: It is empty.
        """
        place = find_place(where, self.name)
        found = self._wire.ask("carbon-intensity/forecast", place, self._forecast_params, member="forecast")
        zone, points, basis, updated_us = found.content
        if updated_us is None:
            raise ProviderDataError(f"{self.name}: the forecast does not say when it was made", self.name, where.label)
        if not points:
            raise NoIntensityData(f"{self.name} has no forecast for {zone}", self.name, where.label)
        return IntensitySeries(
            tuple(point._replace(is_estimated=True) for point in points),
            zone,
            self.name,
            basis=basis or "lifecycle",
            generated_us=updated_us,
            valid_until_us=found.valid_until_us,
            is_stale=found.is_stale,
        )

    forecast_at = refuse_old_forecasts

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def _recent(self, place: Place) -> list[Fetched[Content]]:
        return [self._wire.ask("carbon-intensity/history", place, self._past_params, member="history")]

    def _range(self, place: Place, part: TimeSpan, now_us: int) -> Fetched[Content]:
        bounds = [("start", iso_from_us(part.start_us)), ("end", iso_from_us(part.end_us))]
        settled = part.end_us < now_us - _SETTLED_US
        path = "carbon-intensity/past-range"
        return self._wire.ask(path, place, [*bounds, *self._past_params], member="data", settled=settled)

    def _observed(
        self, parts: Sequence[Fetched[Content]], span: TimeSpan, now_us: int, *, note: str = ""
    ) -> IntensitySeries:
        points: list[IntensityPoint] = []
        for part in parts:
            if part.content.zone != parts[0].content.zone or (part.content.basis or self._basis) != self._basis:
                told = f"{part.content.zone}, {part.content.basis}"
                raise ProviderDataError(
                    f"{self.name}: asked for {parts[0].content.zone}, {self._basis}, got {told}", self.name
                )
            last_us = points[-1].end_us if points else 0
            points += [point for point in part.content.points if point.start_us >= last_us]
        chosen = overlapping(begun(points, now_us), span)
        return IntensitySeries(
            tuple(point for point in chosen if not (self._is_measured_only and point.is_estimated)),
            parts[0].content.zone,
            self.name,
            basis=self._basis,
            valid_until_us=earliest_us(parts),
            is_stale=any(part.is_stale for part in parts),
            note=note,
        )


_RECENT_NOTE = "the plan of the key has the last 24 hours only"


def _past_params(emission_factor_type: str | None, *, disable_estimations: bool | None) -> list[tuple[str, str]]:
    params = []
    if emission_factor_type is not None:
        params.append(("emissionFactorType", emission_factor_type))
    if disable_estimations is not None:
        params.append(("disableEstimations", "true" if disable_estimations else "false"))
    return params


def _parts(span: TimeSpan) -> Iterator[TimeSpan]:
    for part_us in range(span.start_us, span.end_us, LONGEST_US):
        yield TimeSpan(part_us, min(part_us + LONGEST_US, span.end_us))
