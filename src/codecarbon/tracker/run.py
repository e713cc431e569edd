"""One run: its stretches of time, its tasks, and what they cost. No settings, no files, no catching of errors."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from codecarbon.tracker.ledger import RunLedger, known_j
from codecarbon.tracker.pricing import Pricer, split_whole
from codecarbon.tracker.rows import local_stamp, make_row, row_from_record, utilisation_columns
from codecarbon.tracker.tasks import Task, TaskTable
from codecarbon.units import NS_PER_S, s_from_ns

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from codecarbon.measure import Mark, Session
    from codecarbon.model import EmissionsData, EmissionsRecord

# Working out bound, coverage and loads costs some 0.1 ms. A task shorter than this gets its energy at once and the
# run's mean loads (loads are read once a second anyway); the rest is worked out when somebody asks for its record.
BRIEF_NS = NS_PER_S // 10
SETTLE_BATCH = 64


class Run:
    """A run on a session.

    Args:
        session: Where energy comes from.
        pricer: What it costs.
        columns: Gives the columns that stay the same during the run, asked again at every report.
        lock: The tracker's lock.
    """

    def __init__(
        self,
        session: Session,
        pricer: Pricer,
        columns: Callable[[], dict[str, Any]],
        lock: threading.RLock,
    ) -> None:
        self.session = session
        self.pricer = pricer
        self.tasks = TaskTable(self.weigh)
        self.ledger = RunLedger(session, lock)
        self.is_whole = False
        self.base: dict[str, Any] = columns()
        self._columns = columns
        self._lock = lock
        self._has_loads = False

    # --- time ------------------------------------------------------------------------------------------------------

    def begin_whole(self, mark: Mark) -> None:
        """From now on all time belongs to the run, not only that of tasks."""
        self.is_whole = True
        self.ledger.open(mark)

    def end(self) -> None:
        """End the open tasks, newest first, and the run's time."""
        mark = self.session.mark()
        self.ledger.close(mark)
        self.is_whole = False
        while (task := self.tasks.find_active(None)) is not None:
            self._end_task(task, mark)

    def start_task(self, name: str | None) -> None:
        """Open a task."""
        session = self.session
        session.hold_fast()
        task = self.tasks.open(name)
        task.start = mark = session.mark()
        if not self.is_whole:
            self.ledger.open(mark)

    def stop_task(self, task: Task, mark: Mark) -> EmissionsData | None:
        """End a task and give what is known of it now; later samples may still narrow that."""
        self._end_task(task, mark)
        data = task.emissions_data
        self.tasks.settle_a_few(self.session.settle)
        return data

    def _end_task(self, task: Task, mark: Mark) -> None:
        task.finish(mark, self.evaluate)
        self.tasks.close(task)
        if not self.is_whole and not self.tasks.active:
            self.ledger.close(mark)
        self.session.release_fast()

    # --- figures ---------------------------------------------------------------------------------------------------

    def totals(self) -> tuple[EmissionsData, EmissionsRecord]:
        """The run so far, as the public record and as the full one."""
        pieces = self.ledger.pieces()
        window = self.ledger.window(pieces)
        record = self.pricer.record(window, self.ledger.slots(pieces, window.energy_j or 0.0))
        base = self._columns()
        base.update(utilisation_columns(window.utilisation))
        self.base = base
        self._has_loads = window.utilisation.cpu_percent is not None
        data = row_from_record(base, self.pricer, record)
        data.timestamp = local_stamp()
        return data, record

    def record(self, start: Mark, end: Mark) -> EmissionsRecord:
        """The full record between two marks of one segment.

        Raises:
            ValueError: The end is before the start, or they belong to different segments.
        """
        window = self.session.window([(start, end)])
        return self.pricer.record(window, self._slots(start, end, window.energy_j or 0.0))

    def evaluate(self, task: Task) -> tuple[EmissionsData, bool]:
        """What a finished task used, and whether that can no longer change."""
        start, end = task.start, task.end
        if start is None or end is None:
            raise ValueError(f"{task!r} has not ended")
        length_ns = end.t_ns - start.t_ns
        is_over = not self.session.is_running
        # Asked first: a price that comes in meanwhile is used, and counts as final the next time.
        is_final = self.is_price_final(start, end)
        if length_ns < BRIEF_NS:
            cpu_j, gpu_j, ram_j, is_provisional = self.session.joules(start, end)
            kg = self._kg(start, end, (cpu_j or 0.0) + (gpu_j or 0.0) + (ram_j or 0.0))
            row = make_row(self.base, self.pricer, (cpu_j, gpu_j, ram_j), s_from_ns(length_ns), emissions_kg=kg)
            return row, is_final and (is_over or (self._has_loads and not is_provisional))
        record = self.record(start, end)
        return row_from_record(self.base, self.pricer, record), is_final and (is_over or not record.window.provisional)

    def is_price_final(self, start: Mark, end: Mark) -> bool:
        """Whether the carbon intensity of a stretch can no longer change."""
        live = self.pricer.live
        return live is None or live.are_final(slot for slot, _, _ in self.session.boundaries(start, end))

    def _kg(self, start: Mark, end: Mark, energy_j: float) -> float:
        """Emissions of a stretch, kg."""
        if self.pricer.live is None:
            return self.pricer.quick_kg(energy_j)
        return self.pricer.live_kg(self._slots(start, end, energy_j))

    def _slots(self, start: Mark, end: Mark, energy_j: float) -> list[tuple[int, float]]:
        """Spread the energy of a stretch of one segment over its slots."""
        *closed, (newest, _, _) = self.session.boundaries(start, end)
        parts = {slot: known_j(self.session.joules(first, last)) for slot, first, last in closed}
        return split_whole(parts, newest, energy_j)

    def weigh(self, task: Task) -> tuple[float, float, float]:
        """Duration (s), energy after PUE (kWh) and emissions (kg) of a finished task, and nothing else about it."""
        start, end = task.start, task.end
        if start is None or end is None:
            raise ValueError(f"{task!r} has not ended")
        energy_j = known_j(self.session.joules(start, end))
        return s_from_ns(end.t_ns - start.t_ns), self.pricer.kwh(energy_j), self._kg(start, end, energy_j)

    def as_mark(self, instant: Mark | datetime) -> Mark:
        """The mark of an instant of the running segment.

        Raises:
            ValueError: A datetime has no time zone.
        """
        if isinstance(instant, datetime):
            return self.session.mark_at(self.session.anchors.t_ns(instant))
        return instant

    def settle_tasks(self) -> None:
        """Pin the marks of all finished tasks whose later samples are in, without holding the lock for long."""
        before = -1
        while before != (before := self.tasks.unsettled_count):
            with self._lock:
                self.tasks.settle(self.session.settle, SETTLE_BATCH)


class RecordWindow:
    """A named stretch of code; its record is there once the block is left.

    Attributes:
        name: What the caller named it.
    """

    def __init__(self, run: Run | None, name: str, lock: threading.RLock) -> None:
        self.name = name
        self._run = run
        self._lock = lock
        self._start: Mark | None = None
        self._end: Mark | None = None
        self._record: EmissionsRecord | None = None
        self._is_final = False

    def __enter__(self) -> Self:
        if self._run is not None and self._run.session.is_running:
            with self._lock:
                self._run.session.hold_fast()
            self._start = self._run.session.mark()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._run is not None and self._start is not None and self._run.session.is_running:
            self._end = self._run.session.mark()
            with self._lock:
                self._run.session.release_fast()

    @property
    def record(self) -> EmissionsRecord | None:
        """The block's record, settled as far as the samples allow; None while it runs or when nothing was measured."""
        if self._run is None or self._start is None or self._end is None:
            return None
        if self._record is None or not self._is_final:
            self._is_final = self._run.is_price_final(self._start, self._end)
            self._record = self._run.record(self._start, self._end)
            self._is_final = self._is_final and not self._record.window.provisional
        return self._record
