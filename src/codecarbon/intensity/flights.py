"""Equal questions that come together are asked once."""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from codecarbon.errors import IntensityError, ProviderUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")


class Flight(Generic[T]):
    """One question that is under way.

    Attributes:
        result: The answer, once there is one.
        error: Why there is none.
    """

    def __init__(self) -> None:
        self.result: T | None = None
        self.error: IntensityError | None = None
        self._landed = threading.Event()

    def fly(self, ask: Callable[[], T]) -> T:
        """Ask, on the thread that was first."""
        try:
            self.result = ask()
        except IntensityError as error:
            self.error = error
            raise
        else:
            return self.result
        finally:
            self._landed.set()

    def wait(self) -> T:
        """Take over the answer, or the failure, of the thread that was first."""
        self._landed.wait()
        if self.error is not None:
            # A copy, since each thread adds its own traceback.
            raise copy.copy(self.error) from self.error
        if self.result is None:
            raise ProviderUnavailable("the same question was under way, and was broken off")
        return self.result


class Flights(Generic[T]):
    """Questions that are under way, by what they ask for; the caller holds one lock for ``find`` and ``land``."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, Flight[T]] = {}

    def find(self, key: Hashable) -> tuple[Flight[T], bool]:
        """Find the flight of a question, or begin one.

        Returns:
            The flight, and whether the caller is the one who has to fly it, and then to ``land`` it.
        """
        flight = self._flights.get(key)
        if flight is not None:
            return flight, False
        flight = self._flights[key] = Flight()
        return flight, True

    def land(self, key: Hashable) -> None:
        """Forget a question that was answered, or that failed."""
        del self._flights[key]
