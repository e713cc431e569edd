"""Several sources in an order: the first that has an answer gives it, and the answer says whose it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from codecarbon.errors import CapabilityError, ConfigError, IntensityError, NoIntensityData

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from codecarbon.intensity.provider import Capability, IntensityProvider
    from codecarbon.model import IntensitySeries, Location, TimeSpan

Outcome = Literal["answered", "nothing", "failed", "incapable"]


class Attempt(NamedTuple):
    """What one source of a chain did with a question.

    Attributes:
        provider: Its name.
        outcome: Whether it ``answered``, had ``nothing`` for that time, ``failed``, or is ``incapable`` of it.
        error: Why it failed, or None.
    """

    provider: str
    outcome: Outcome
    error: IntensityError | None = None

    def __str__(self) -> str:
        return f"{self.provider}: {self.error or self.outcome}"


class ChainAnswer(NamedTuple):
    """An answer and how it came about.

    Attributes:
        series: The first answer with points, or an empty one when nobody had any and nobody failed; None otherwise.
        attempts: What each source did, in order; sources behind the one that answered were not asked.
    """

    series: IntensitySeries | None
    attempts: tuple[Attempt, ...]


def check_signals(signals: Sequence[tuple[str, str]], *, origin: str = "the chain of sources") -> None:
    """Refuse sources whose values do not mean the same.

    Args:
        signals: Names of sources, each with its signal.
        origin: Who put them together, for the error.

    Raises:
        ConfigError: One is average and another one marginal.
    """
    for name, signal in signals[1:]:
        first, first_signal = signals[0]
        if signal != first_signal:
            raise ConfigError(
                "intensity_providers",
                ",".join(entry for entry, _ in signals),
                origin,
                f"sources of one signal: {first} is {first_signal} and {name} is {signal}, which answer different "
                "questions and cannot be added up",
            )


class Chain:
    """Sources of one signal, asked in order; never mixed within one series.

    Args:
        providers: The sources.
        may_mix: Whether average and marginal sources may stand side by side; each series still has one signal, which
            it names.

    Raises:
        ConfigError: There is no source, or the signals differ.
    """

    name = "chain"

    def __init__(self, providers: Sequence[IntensityProvider], *, may_mix: bool = False) -> None:
        if not providers:
            raise ConfigError("intensity_providers", "", "the chain of sources", "at least one source")
        if not may_mix:
            check_signals([(provider.name, provider.signal) for provider in providers])
        self.providers = tuple(providers)
        self.signal = providers[0].signal

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What at least one source offers."""
        return frozenset(capability for provider in self.providers for capability in provider.capabilities)

    def zone_of(self, where: Location) -> str:
        """Find the zone of a place at the first source that has one.

        Raises:
            IntensityError: None has; the first source's reason.
        """
        errors: list[IntensityError] = []
        for provider in self.providers:
            try:
                return provider.zone_of(where)
            except IntensityError as error:  # noqa: PERF203 (a question to each, not a loop over data)
                errors.append(error)
        raise errors[0]

    def observed(self, where: Location, span: TimeSpan) -> IntensitySeries:
        """Get the points of the first source that has some; empty when none has and none failed.

        Raises:
            IntensityError: None has and some failed, or none covers the place; the reason of the first that failed,
                else of the first.
        """
        return _series(self.ask_observed(where, span), "observed", where)

    def forecast(self, where: Location) -> IntensitySeries:
        """Get the forecast of the first source that has one.

        Raises:
            IntensityError: None has; the reason of the first that failed.
        """
        return _series(self.ask_forecast(where), "forecast", where)

    def forecast_at(self, where: Location, requested_us: int, *, look_back_us: int = 0) -> IntensitySeries:
        """Get an old forecast from the first source that has one; see the protocol.

        Raises:
            IntensityError: None has; the reason of the first that failed.
        """
        answer = self._ask(
            "historical_forecast",
            lambda provider: provider.forecast_at(where, requested_us, look_back_us=look_back_us),
        )
        return _series(answer, "historical_forecast", where)

    def ask_observed(self, where: Location, span: TimeSpan) -> ChainAnswer:
        """Ask for points, and learn what each source did."""
        return self._ask("observed", lambda provider: provider.observed(where, span))

    def ask_forecast(self, where: Location) -> ChainAnswer:
        """Ask for the current forecast, and learn what each source did."""
        return self._ask("forecast", lambda provider: provider.forecast(where))

    def _ask(self, capability: Capability, ask: Callable[[IntensityProvider], IntensitySeries]) -> ChainAnswer:
        attempts: list[Attempt] = []
        empty: IntensitySeries | None = None
        for provider in self.providers:
            if capability not in provider.capabilities:
                attempts.append(Attempt(provider.name, "incapable"))
                continue
            try:
                series = ask(provider)
            except IntensityError as error:
                attempts.append(Attempt(provider.name, "failed", error))
                continue
            if series.points:
                return ChainAnswer(_labelled(series, attempts), (*attempts, Attempt(provider.name, "answered")))
            attempts.append(Attempt(provider.name, "nothing"))
            empty = empty or series
        has_failed = any(_is_failure(attempt) for attempt in attempts)
        return ChainAnswer(None if has_failed else empty, tuple(attempts))


def _series(answer: ChainAnswer, capability: Capability, where: Location) -> IntensitySeries:
    if answer.series is not None:
        return answer.series
    # Who does not cover a place says nothing about why another, who does, gave no answer.
    for attempt in sorted(answer.attempts, key=_is_failure, reverse=True):
        if attempt.error is not None:
            raise attempt.error
    names = ", ".join(attempt.provider for attempt in answer.attempts)
    raise CapabilityError(f"none of {names} has that: {capability}", Chain.name, where.label, capability)


def _is_failure(attempt: Attempt) -> bool:
    """Whether a source failed, rather than having nothing for the place or time."""
    return attempt.error is not None and not isinstance(attempt.error, NoIntensityData)


def _labelled(series: IntensitySeries, attempts: Sequence[Attempt]) -> IntensitySeries:
    """Say in the note whose place the answer takes."""
    missed = [attempt for attempt in attempts if attempt.outcome != "incapable"]
    if not missed:
        return series
    from dataclasses import replace

    words = {True: "failed", False: "had nothing"}
    text = "in place of " + ", ".join(f"{attempt.provider}, which {words[_is_failure(attempt)]}" for attempt in missed)
    return replace(series, note=f"{series.note}; {text}" if series.note else text)
