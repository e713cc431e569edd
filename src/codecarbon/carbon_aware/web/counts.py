"""What the server counts, for readiness and metrics; written on the event loop only."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from codecarbon.errors import IntensityError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from codecarbon.carbon_aware.context import Context
    from codecarbon.errors import CodeCarbonError
    from codecarbon.intensity.provider import IntensityProvider


class Counts:
    """Numbers since the server started.

    Attributes:
        hits: Answers that were known.
        misses: Questions that were worked on.
        failures: Failed questions by provider and kind of error.
        answers: Questions answered with a provider's values.
        failing: Providers whose last question failed.
        last_success_us: When a provider's values were last had from it or from a cache, by provider.
        last_failure: When a provider last failed, and how, by provider.
    """

    def __init__(self) -> None:
        self.hits = 0
        self.misses = 0
        self.failures: Counter[tuple[str, str]] = Counter()
        self.answers: Counter[str] = Counter()
        self.failing: set[str] = set()
        self.last_success_us: dict[str, int] = {}
        self.last_failure: dict[str, tuple[int, str]] = {}

    def hit(self) -> None:
        """Count an answer that was known."""
        self.hits += 1

    def miss(self) -> None:
        """Count a question that has to be worked on."""
        self.misses += 1

    def answered(self, sources: Iterable[str], now_us: int) -> None:
        """Count an answer of providers."""
        for name in sources:
            self.answers[name] += 1
            self.last_success_us[name] = now_us
            self.failing.discard(name)

    def failed(self, error: CodeCarbonError, now_us: int) -> None:
        """Count a question that a provider did not answer; errors of the client's do not count."""
        if isinstance(error, IntensityError):
            kind = type(error).__name__
            self.failures[error.provider, kind] += 1
            self.last_failure[error.provider] = now_us, kind
            self.failing.add(error.provider)


def sources_of(context: Context) -> Iterator[tuple[str, IntensityProvider | None]]:
    """Yield role and provider of everything that is configured, the members of a chain one by one."""
    for role, source in (("emissions", context.emissions), ("forecast", context.forecast)):
        for member in getattr(source, "providers", (source,)):
            yield role, member
