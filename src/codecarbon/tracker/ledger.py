"""Which stretches of time belong to a run, and how its energy is spread over five-minute slots.

A run with ``start()`` is one open stretch; a run of tasks only is the union of its task windows. Stretches are kept
as pairs of marks, so that every figure is a difference of totals and nothing accumulates rounding or races.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecarbon.tracker.pricing import split_whole

if TYPE_CHECKING:
    import threading

    from codecarbon.measure import Mark, Session
    from codecarbon.model import EnergyWindow

    Pieces = list[tuple["Stretch", Mark]]

FOLD_ABOVE = 1024
FOLD_NEWS = 256


class Stretch:
    """A half-open piece of time inside the run.

    Attributes:
        start: Its begin.
        priced_from: Begin of the part whose slots are not closed yet.
        end: Its end, None while it is open.
    """

    __slots__ = ("end", "priced_from", "start")

    def __init__(self, start: Mark) -> None:
        self.start = start
        self.priced_from = start
        self.end: Mark | None = None


class RunLedger:
    """The stretches of one run.

    Args:
        session: Where the energy of marks comes from.
        lock: The tracker's lock; ``open`` and ``close`` are called with it held, the others without.
    """

    def __init__(self, session: Session, lock: threading.RLock) -> None:
        self._session = session
        self._lock = lock
        self._stretches: list[Stretch] = []
        self._slots_j: dict[int, float] = {}
        self._folded: EnergyWindow | None = None

    @property
    def is_open(self) -> bool:
        """Whether time belongs to the run right now."""
        return bool(self._stretches) and self._stretches[-1].end is None

    @property
    def is_empty(self) -> bool:
        """Whether no time ever belonged to the run."""
        return not self._stretches and self._folded is None

    @property
    def wants_folding(self) -> bool:
        """Whether there are more stretches than are worth keeping one by one; said once in a while, not every time."""
        count = len(self._stretches)
        return count > FOLD_ABOVE and count % FOLD_NEWS == 0

    def open(self, mark: Mark) -> None:
        """Let the run's time begin at a mark; does nothing while it is running."""
        if not self.is_open:
            self._stretches.append(Stretch(mark))

    def close(self, mark: Mark) -> None:
        """Let the run's time pause at a mark; does nothing while it is paused."""
        if self.is_open:
            self._stretches[-1].end = mark

    def pieces(self) -> Pieces:
        """The stretches up to now, each with its end; one view serves a window and its slots alike."""
        with self._lock:
            now = self._session.mark() if self.is_open else None
            return [(entry, end) for entry in self._stretches if (end := entry.end or now) is not None]

    def window(self, pieces: Pieces) -> EnergyWindow:
        """Energy of the run.

        Raises:
            ValueError: No time belongs to the run.
        """
        if not pieces and self._folded is not None:
            return self._folded
        window = self._session.window([(stretch.start, end) for stretch, end in pieces])
        return self._with_folded(window)

    def slots(self, pieces: Pieces, whole_j: float) -> list[tuple[int, float]]:
        """Spread the run's energy over the five-minute slots.

        Slots that are over and whose samples are in are closed for good, so a long run costs no more than a short one.

        Args:
            pieces: The view that the window was made from.
            whole_j: The window's energy.

        Returns:
            ``(begin of the slot in UTC seconds, energy in J)``, in order, summing to ``whole_j``.
        """
        parts = [
            (stretch, part)
            for stretch, end in pieces
            if stretch.priced_from is not end
            for part in self._session.boundaries(stretch.priced_from, end)
        ]
        newest = max([slot for _, (slot, _, _) in parts] + list(self._slots_j), default=0)
        open_j: dict[int, float] = {}
        for stretch, (slot, start, end) in parts:
            if slot == newest:
                continue
            energy_j = known_j(self._session.joules(start, end))
            if stretch.priced_from is start and self._session.settle(end):
                self._slots_j[slot] = self._slots_j.get(slot, 0.0) + energy_j
                stretch.priced_from = end
            else:
                open_j[slot] = open_j.get(slot, 0.0) + energy_j
        for slot, energy_j in self._slots_j.items():
            open_j[slot] = open_j.get(slot, 0.0) + energy_j
        return split_whole(open_j, newest, whole_j)

    def fold(self) -> None:
        """Sum up the oldest closed stretches whose samples are in, when there are too many to keep."""
        if len(self._stretches) <= FOLD_ABOVE:
            return
        done: Pieces = []
        for stretch, end in self.pieces():
            if stretch.end is None or not (self._session.settle(stretch.start) and self._session.settle(end)):
                break
            done.append((stretch, end))
        if not done:
            return
        window = self._session.window([(stretch.start, end) for stretch, end in done])
        for stretch, end in done:
            if stretch.priced_from is not end:
                for slot, first, last in self._session.boundaries(stretch.priced_from, end):
                    self._slots_j[slot] = self._slots_j.get(slot, 0.0) + known_j(self._session.joules(first, last))
        self._folded = self._with_folded(window)
        with self._lock:
            del self._stretches[: len(done)]

    def _with_folded(self, window: EnergyWindow) -> EnergyWindow:
        if self._folded is None:
            return window
        from codecarbon.tracker.merging import merge_windows

        return merge_windows(self._folded, window)


def known_j(joules: tuple[float | None, float | None, float | None, bool]) -> float:
    """Sum of the components that are known."""
    return (joules[0] or 0.0) + (joules[1] or 0.0) + (joules[2] or 0.0)
