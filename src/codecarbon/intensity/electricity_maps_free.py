"""The free service that was called CO2 Signal, under the name and configuration that people still have for it.

Its own address went out of service at the end of 2025; Electricity Maps serves the same keys now.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from codecarbon.errors import CapabilityError
from codecarbon.intensity.answers import begun, overlapping
from codecarbon.intensity.electricity_maps_place import BASE_URL, TOKEN_HEADER, check_auth, find_place
from codecarbon.intensity.electricity_maps_wire import CALLS, CALLS_WINDOW_S, LATEST, Wire
from codecarbon.intensity.feed import with_rate
from codecarbon.model import IntensitySeries
from codecarbon.units import us_from_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Unpack

    from codecarbon.intensity.feed import TransportOptions
    from codecarbon.intensity.provider import Capability
    from codecarbon.model import Location, Signal, TimeSpan
    from codecarbon.transport import DiskCache

_OLD_HOSTS = {"api.co2signal.com", "co2signal.com", "www.co2signal.com"}

logger = logging.getLogger(__name__)


class ElectricityMapsFree:
    """A provider with the latest point of a zone, and nothing else.

    Args:
        token: The key; shown nowhere.
        base_url: Address of the service. That of CO2 Signal is replaced, with a warning.
        cache: Where answers are kept; None asks each time.
        clock: Seconds since 1970.
        options: For the transport.

    Raises:
        ConfigError: The token is empty, or the address cannot be used.
    """

    name = "electricity_maps_free"
    signal: Signal = "average"
    capabilities: frozenset[Capability] = frozenset({"observed"})

    def __init__(
        self,
        token: str,
        *,
        base_url: str = BASE_URL,
        cache: DiskCache | None = None,
        clock: Callable[[], float] = time.time,
        **options: Unpack[TransportOptions],
    ) -> None:
        from codecarbon.transport import Transport, fingerprint

        if (urlsplit(base_url.strip()).hostname or "") in _OLD_HOSTS:
            logger.warning("%s: CO2 Signal is out of service, %s is asked in its place", self.name, BASE_URL)
            base_url = BASE_URL
        check_auth(base_url, TOKEN_HEADER, token)
        own = with_rate(options, CALLS, CALLS_WINDOW_S)
        self._clock = clock
        transport = Transport(self.name, base_url, credential=True, clock=clock, **own)
        owner = fingerprint(base_url, TOKEN_HEADER, token)
        self._wire = Wire(self.name, transport, (TOKEN_HEADER, token.strip()), owner=owner, cache=cache, clock=clock)

    def zone_of(self, where: Location) -> str:
        """Find the service's zone of a place, for example ``DK-DK1``.

        Raises:
            NoIntensityData: Nothing tells which zone it is.
            ProviderDataError: The service answers for a zone that cannot be the place's.
        """
        return self._wire.zone_of(find_place(where, self.name, "electricity_maps"))

    def observed(self, where: Location, span: TimeSpan) -> IntensitySeries:
        """Get the latest point if it overlaps the span, else an empty series."""
        place = find_place(where, self.name, "electricity_maps")
        found = self._wire.ask(LATEST, place, ())
        return IntensitySeries(
            overlapping(begun(found.content.points, us_from_s(self._clock())), span),
            found.content.zone,
            self.name,
            basis=found.content.basis or "lifecycle",
            valid_until_us=found.valid_until_us,
            is_stale=found.is_stale,
            note="the latest point only",
        )

    def forecast(self, where: Location) -> IntensitySeries:
        """Refuse.

        Raises:
            CapabilityError: Always.
        """
        raise CapabilityError(f"{self.name} has no forecasts", self.name, where.label, "forecast")

    def forecast_at(self, where: Location, requested_us: int, *, look_back_us: int = 0) -> IntensitySeries:
        """Refuse.

        Raises:
            CapabilityError: Always.
        """
        del requested_us, look_back_us
        raise CapabilityError(f"{self.name} has no forecasts", self.name, where.label, "historical_forecast")

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()
