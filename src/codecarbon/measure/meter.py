"""Joules without prices: a session for people who only want energy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecarbon.measure.session import Session

if TYPE_CHECKING:
    from datetime import datetime
    from types import TracebackType

    from typing_extensions import Self

    from codecarbon.hardware import MeasureRequest
    from codecarbon.measure.marks import Mark
    from codecarbon.model import EnergyWindow


class Window:
    """A named stretch of code; its energy is in ``record`` once the block is left.

    Attributes:
        name: What the caller named it.
        record: The energy, asked again each time until it is settled; None while the block runs.
    """

    def __init__(self, session: Session, name: str, *, sync: bool = False) -> None:
        self.name = name
        self._sync = sync
        self._session = session
        self._start: Mark | None = None
        self._end: Mark | None = None
        self._record: EnergyWindow | None = None

    def __enter__(self) -> Self:
        self._session.hold_fast()
        self._start = self._session.mark(sync=self._sync)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end = self._session.mark(sync=self._sync)
        self._session.release_fast()

    @property
    def record(self) -> EnergyWindow | None:
        """The energy of the block; None while it runs."""
        if self._start is None or self._end is None:
            return None
        if self._record is None or self._record.provisional:
            self._record = self._session.window([(self._start, self._end)])
        return self._record


class EnergyMeter:
    """Energy between any two instants, without carbon and without files of results.

    Example::

        with codecarbon.EnergyMeter() as meter:
            with meter.window("epoch") as epoch:
                train()
        print(epoch.record.energy_j, epoch.record.low_j, epoch.record.high_j)

    Args:
        request: What to measure; by default what the settings of the environment and the configuration files say,
            and without any the whole machine.

    Raises:
        ConfigError: One of these settings has a value that cannot be used.
    """

    def __init__(self, request: MeasureRequest | None = None) -> None:
        self._session = Session(_configured() if request is None else request)
        self._start: Mark | None = None

    def start(self) -> Mark:
        """Attach to the sensors and return the first mark.

        Raises:
            TrackerStateError: The meter runs already.
        """
        self._start = self._session.start()
        return self._start

    def stop(self) -> EnergyWindow | None:
        """Detach from the sensors and return the energy since ``start``; None when the meter does not run."""
        if self._start is None or not self._session.is_running:
            return None
        return self._session.window([(self._start, self._session.stop())])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def mark(self, *, sync: bool = False) -> Mark:
        """The present instant, for ``energy``; costs a timestamp.

        Args:
            sync: Wait up to 3 ms for the counters' next update first, for windows of milliseconds.

        Raises:
            TrackerStateError: The meter does not run.
        """
        return self._session.mark(sync=sync)

    def energy(self, start: Mark | datetime, end: Mark | datetime | None = None) -> EnergyWindow:
        """Energy between two instants, past or open.

        Args:
            start: A mark, or an aware datetime.
            end: A mark, an aware datetime, or None for now.

        Returns:
            The window; ``provisional`` tells whether a later sample can still narrow it.

        Raises:
            ValueError: The window ends before it starts, or a datetime has no time zone.
            TrackerStateError: A datetime or None was given and the meter does not run.
        """
        return self._session.energy(start, end)

    def window(self, name: str, *, sync: bool = False) -> Window:
        """Measure a block: ``with meter.window("epoch") as w: ...``, then ``w.record``.

        Args:
            name: What to call it.
            sync: Begin and end right behind an update of the counters, each up to 3 ms later.
        """
        return Window(self._session, name, sync=sync)


def _configured() -> MeasureRequest:
    """What the settings of the environment and of the configuration files say."""
    from codecarbon.config import announce, resolve
    from codecarbon.hardware import make_request

    settings = resolve()
    announce(settings)
    return make_request(settings)
