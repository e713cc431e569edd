"""What a source of carbon intensity offers; one class each, in a file of its own beside this one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from codecarbon.errors import CapabilityError

if TYPE_CHECKING:
    from codecarbon.model import IntensitySeries, Location, Signal, TimeSpan

Capability = Literal["observed", "forecast", "historical_forecast"]


class IntensityProvider(Protocol):
    """A source of carbon intensity.

    All methods may wait for a network, are called from any thread, and raise an ``IntensityError`` when there is no
    usable answer: never a wrong number, and never zero for what is missing.

    Attributes:
        name: Its name in the registry, for example ``watttime``.
        signal: What its values mean.
    """

    name: str
    signal: Signal

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What it can be asked for."""

    def zone_of(self, where: Location) -> str:
        """Find the provider's zone of a place; cached after the first time.

        Raises:
            NoIntensityData: The place lies outside the provider's area.
        """

    def observed(self, where: Location, span: TimeSpan) -> IntensitySeries:
        """Get every point that overlaps a span, uncut; an empty series when there are none.

        For one instant that is the point covering it. Providers ask a little wider where their data lag or lie on a
        grid, and leave the extra points out.
        """

    def forecast(self, where: Location) -> IntensitySeries:
        """Get the whole newest forecast; its ``generated_us`` is set.

        Raises:
            CapabilityError: The provider has no forecasts.
        """

    def forecast_at(self, where: Location, requested_us: int, *, look_back_us: int = 0) -> IntensitySeries:
        """Get the forecast that was the newest at a moment of the past.

        Args:
            where: The place.
            requested_us: The moment, UTC microseconds since 1970.
            look_back_us: How much earlier it may have been made; 0 asks for the provider's slot of that moment alone.

        Raises:
            CapabilityError: The provider does not keep old forecasts.
            NoIntensityData: None was made within that time.
        """


def refuse_old_forecasts(
    self: IntensityProvider, where: Location, requested_us: int, *, look_back_us: int = 0
) -> IntensitySeries:
    """Refuse, since each forecast replaces the one before: the method ``forecast_at`` of a provider without old ones.

    Raises:
        CapabilityError: Always.
    """
    del requested_us, look_back_us
    raise CapabilityError(f"{self.name} keeps no old forecasts", self.name, where.label, "historical_forecast")
