"""Named stretches of a run: which are open, which are finished, and which were forgotten down to their sums.

A task is two marks on the run's one stream of samples, so tasks nest and overlap without disturbing each other or
the run.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Callable

    from codecarbon.measure import Mark
    from codecarbon.model import EmissionsData, TaskEmissionsData

KEPT_TASKS = 10_000
SETTLED_PER_STOP = 3
SKIPPED_STOPS = 16


class Task:
    """One task: open between its two marks, then a finished record.

    Args:
        task_name: The name it is stored under.
        wanted_name: The name it was started with, when that one was taken.
    """

    __slots__ = ("_data", "_evaluate", "_is_settled", "end", "start", "task_name", "wanted_name")

    def __init__(self, task_name: str, wanted_name: str | None = None) -> None:
        self.task_name = task_name
        self.wanted_name = wanted_name or task_name
        self.start: Mark | None = None
        self.end: Mark | None = None
        self._data: EmissionsData | None = None
        self._is_settled = False
        self._evaluate: Callable[[Task], tuple[EmissionsData, bool]] | None = None

    @property
    def is_active(self) -> bool:
        """Whether the task was started and not yet stopped."""
        return self.start is not None and self.end is None

    @property
    def emissions_data(self) -> EmissionsData | None:
        """What the task used, settled as far as the samples allow; None while it is open."""
        if self.end is not None and not self._is_settled and self._evaluate is not None:
            self._data, self._is_settled = self._evaluate(self)
        return self._data

    def finish(self, end: Mark, evaluate: Callable[[Task], tuple[EmissionsData, bool]]) -> None:
        """Set the end; what was used is worked out when somebody asks.

        Args:
            end: The end.
            evaluate: Gives the record, and whether it can no longer change.
        """
        self._evaluate = evaluate
        self.end = end

    def out(self) -> TaskEmissionsData | None:
        """The task as a row of the task file; None while it is open."""
        from codecarbon.model import TaskEmissionsData

        data = self.emissions_data
        return None if data is None else TaskEmissionsData.from_emissions_data(self.task_name, data)

    def __repr__(self) -> str:
        state = "active" if self.is_active else "finished" if self.end is not None else "new"
        return f"Task({self.task_name!r}, {state})"


class TaskTotals:
    """Sums over finished tasks of one name that are no longer kept one by one.

    Attributes:
        count: How many.
        duration_s: Their summed duration.
        energy_kwh: Their summed energy after PUE.
        emissions_kg: Their summed emissions.
    """

    # Written out: a dataclass would take longer to make than everything else in this module.
    __slots__ = ("count", "duration_s", "emissions_kg", "energy_kwh")

    def __init__(self) -> None:
        self.count = 0
        self.duration_s = 0.0
        self.energy_kwh = 0.0
        self.emissions_kg = 0.0

    def add(self, duration_s: float, energy_kwh: float, emissions_kg: float) -> None:
        """Add one finished task."""
        self.count += 1
        self.duration_s += duration_s
        self.energy_kwh += energy_kwh
        self.emissions_kg += emissions_kg


class TaskTable:
    """All tasks of a run; the caller holds the tracker's lock.

    Args:
        weigh: Gives duration (s), energy after PUE (kWh) and emissions (kg) of a task that is about to be forgotten.
        kept: Finished tasks to keep one by one.
    """

    def __init__(self, weigh: Callable[[Task], tuple[float, float, float]], kept: int = KEPT_TASKS) -> None:
        self.by_name: dict[str, Task] = {}
        self.active: dict[str, Task] = {}
        self.totals: dict[str, TaskTotals] = {}
        self._weigh = weigh
        self._kept = kept
        self._finished: deque[Task] = deque()
        self._unsettled: deque[Task] = deque()
        self._shared_names: set[str] = set()
        self._id_head = str(uuid4())[:24]
        self._ids = 0
        self._stops_to_skip = 0

    def open(self, name: str | None) -> Task:
        """Add a task; a name that is taken gets a suffix, and the task still answers to the name as given."""
        if not name:
            task = Task(self._new_id())
        elif name in self.by_name:
            task = Task(f"{name}_{self._new_id()}", name)
            self._shared_names.add(name)
        else:
            task = Task(name)
        self.by_name[task.task_name] = self.active[task.task_name] = task
        return task

    def find_active(self, name: str | None) -> Task | None:
        """Find the newest open task, or the newest open one that was started with a name."""
        if not name:
            return next(reversed(self.active.values()), None)
        if name not in self._shared_names:
            return self.active.get(name)
        for task in reversed(self.active.values()):
            if task.wanted_name == name:
                return task
        return None

    def _new_id(self) -> str:
        """A UUID that no other task has: random once per table, then counted, which costs a tenth of drawing it."""
        self._ids += 1
        return f"{self._id_head}{self._ids:012x}"

    def find_finished(self, name: str) -> Task | None:
        """Find the newest finished task that was started with a name, or is stored under it."""
        if name in self._shared_names:
            return next((task for task in reversed(self._finished) if task.wanted_name == name), None)
        task = self.by_name.get(name)
        return None if task is None or task.is_active else task

    def close(self, task: Task) -> None:
        """Move a task whose end is set to the finished ones, and forget the oldest of those when there are too many."""
        del self.active[task.task_name]
        self._finished.append(task)
        self._unsettled.append(task)
        if len(self._finished) > self._kept:
            self._forget(self._finished.popleft())

    def settle_a_few(self, settle: Callable[[Mark], bool]) -> None:
        """Pin the oldest finished tasks, a few at each stop, so that no backlog grows however many tasks there are.

        Samples are milliseconds apart: after an attempt that came too early the next stops do not even try.
        """
        if self._stops_to_skip:
            self._stops_to_skip -= 1
        elif not self.settle(settle, SETTLED_PER_STOP):
            self._stops_to_skip = SKIPPED_STOPS

    def settle(self, settle: Callable[[Mark], bool], limit: int) -> bool:
        """Pin the marks of the oldest finished tasks.

        Args:
            settle: Pins a mark; False when a later sample is still needed.
            limit: Most tasks to look at.

        Returns:
            False when it came to a task that still needs a later sample.
        """
        queue = self._unsettled
        for _ in range(min(limit, len(queue))):
            task = queue[0]
            if task.start is None or task.end is None:
                queue.popleft()
                continue
            if not (settle(task.end) and settle(task.start)):
                return False
            queue.popleft()
        return True

    @property
    def unsettled_count(self) -> int:
        """How many finished tasks still wait for a later sample, or to be looked at."""
        return len(self._unsettled)

    @property
    def finished(self) -> list[Task]:
        """The finished tasks that are kept, in the order in which they were started."""
        return [task for task in self.by_name.values() if task.end is not None]

    def _forget(self, task: Task) -> None:
        del self.by_name[task.task_name]
        self.totals.setdefault(task.wanted_name, TaskTotals()).add(*self._weigh(task))
