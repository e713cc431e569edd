"""What the server counts, for readiness and metrics; written on the event loop only."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from codecarbon.errors import IntensityError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codecarbon.errors import CodeCarbonError


class Counts:
    """Numbers since the server started.

    Attributes:
        hits: Answers that were known.
        misses: Questions that were worked on.
        failures: Failed questions by provider and kind of error.
        answers: Questions answered with a provider's values.
        last_success_us: When a provider's values were last had from it or from a cache, by provider.
        last_failure: When a provider last failed, and how, by provider.
    """

    def __init__(self) -> None:
        self.hits = 0
        self.misses = 0
        self.failures: Counter[tuple[str, str]] = Counter()
        self.answers: Counter[str] = Counter()
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

    def failed(self, error: CodeCarbonError, now_us: int) -> None:
        """Count a question that a provider did not answer; errors of the client's do not count."""
        if isinstance(error, IntensityError):
            kind = type(error).__name__
            self.failures[error.provider, kind] += 1
            self.last_failure[error.provider] = now_us, kind
