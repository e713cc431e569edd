"""The trackers: settings in, measured runs and tasks out. Nothing here raises once a tracker is constructed."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from codecarbon.config import UNSET, announce, merge_arguments, resolve, set_up_logging
from codecarbon.handlers import Lock, build_handlers
from codecarbon.model import EmissionsData
from codecarbon.tracker.compat import OldNames
from codecarbon.tracker.guard import attempt, guarded
from codecarbon.tracker.lifecycle import REGISTRY, State
from codecarbon.tracker.reports import Reports
from codecarbon.tracker.rows import base_columns
from codecarbon.tracker.run import RecordWindow, Run
from codecarbon.tracker.wiring import (
    check_sources,
    conf_of,
    find_gpus,
    gpu_conf,
    hardware_conf,
    make_pricer,
    open_session,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from inspect import Signature
    from types import FrameType, TracebackType

    from typing_extensions import Self, Unpack

    from codecarbon.config import Settings
    from codecarbon.handlers import HandlerFault
    from codecarbon.measure import Mark, Session
    from codecarbon.model import EmissionsRecord
    from codecarbon.tracker.options import OfflineOptions, TrackerOptions
    from codecarbon.tracker.pricing import Pricer
    from codecarbon.tracker.tasks import TaskTotals

logger = logging.getLogger("codecarbon")


class BaseEmissionsTracker(OldNames):
    """What both trackers share; construct one of those.

    Attributes:
        run_id: Identity of the run; stays the same when it is started again.
        final_emissions: Emissions of the run at its last stop, kg; None before.
        final_emissions_data: The same as a full row; None before.
        final_record: The same with method, bound, source and everything that is missing; None before.
        force_carbon_intensity_g_co2e_kwh: The forced intensity, or None.
        settings: The settings in force, each with its origin.
    """

    _is_offline: ClassVar[bool] = False

    def __init__(self, project_name: str | None = UNSET, *args: Any, **options: Unpack[TrackerOptions]) -> None:  # type: ignore[assignment]
        given: dict[str, Any] = dict(options)
        self._session_factory: Callable[[Settings], Session] = given.pop("_session_factory", open_session)
        self._pricer_factory: Callable[..., Pricer] = given.pop("_pricer_factory", make_pricer)
        self._arguments = merge_arguments((project_name, *args), given)
        self.settings = settings = resolve(self._arguments, offline=self._is_offline)
        check_sources(settings, offline=self._is_offline)
        set_up_logging(settings)
        announce(settings)
        self._conf = conf_of(settings)
        self.run_id = uuid.uuid4()
        self.final_emissions: float | None = None
        self.final_emissions_data: EmissionsData | None = None
        self.final_record: EmissionsRecord | None = None
        self.force_carbon_intensity_g_co2e_kwh = settings.force_carbon_intensity_g_co2e_kwh
        self._has_fault = False
        self.noted_faults: set[str] = set()
        self._state = State.NEW
        self._is_inherited = False
        self._another_instance_already_running = False
        self._exclusive: Lock | None = None
        self._start_time: float | None = None
        self._run: Run | None = None
        # Order of locking: stop, then report, then state; the state lock is held for microseconds only.
        self._stop_lock = threading.Lock()
        self._lock = threading.RLock()
        self._output_handlers = build_handlers(settings)
        self._reports = Reports(settings, self._output_handlers, self._lock, self._update_conf)

    # --- runs ------------------------------------------------------------------------------------------------------

    @guarded
    def start(self) -> None:
        """Begin to measure; after a stop, begin another stretch of the same run."""
        if self._is_inherited:
            return
        with self._lock:
            if self._run is not None and self._state is State.RUNNING and self._run.is_whole:
                logger.warning("Already started tracking")
                return
            run = self._running()
            if run is None:
                return
            run.begin_whole(run.session.mark())
        self._reports.first(run)

    @guarded
    def stop(self) -> float | None:
        """End the run, write its row and return its emissions, kg; None when nothing was measured.

        A second call returns the same value and writes nothing.
        """
        if self._is_inherited:
            return None
        with self._stop_lock:
            run = self._run
            if self._state is State.RUNNING and run is not None:
                self._finish(run)
            elif self._state is State.NEW:
                self._tell_not_started()
            return self.final_emissions

    @guarded
    def flush(self) -> float | None:
        """Write the run so far without ending it and return its emissions, kg."""
        if self._is_inherited:
            return None
        run = self._run
        if self._state is not State.RUNNING or run is None:
            if self._state is State.NEW:
                self._tell_not_started()
            return self.final_emissions
        run.session.tick()
        return self._reports.publish(run)[0].emissions

    @property
    def handler_faults(self) -> tuple[HandlerFault, ...]:
        """The output handlers that failed, each with its first failure; their log messages may be switched off."""
        return self._reports.outlet.faults

    @property
    def is_degraded(self) -> bool:
        """Whether something failed, so that figures or files are incomplete; the log says what."""
        return self._has_fault or self._reports.is_degraded

    @is_degraded.setter
    def is_degraded(self, value: bool) -> None:
        self._has_fault = value

    @property
    def task_totals(self) -> dict[str, TaskTotals]:
        """Sums, by name, over finished tasks that are so many that they are no longer kept one by one."""
        return {} if self._run is None else dict(self._run.tasks.totals)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def service_shutdown(self, signum: int, frame: FrameType | None) -> None:
        """A signal handler that stops the tracker; never installed by the library itself."""
        del frame
        logger.warning("Received signal %d, stopping the tracker", signum)
        self.stop()

    # --- tasks -----------------------------------------------------------------------------------------------------

    @guarded
    def start_task(self, task_name: str | None = None) -> None:
        """Open a task; tasks may nest and overlap, and need no ``start()``.

        Args:
            task_name: Its name; one that was used before gets a suffix, and still ends by the name as given.
        """
        if self._is_inherited:
            return
        with self._lock:
            run = self._run
            if run is None or self._state is not State.RUNNING:
                run = attempt(self, "beginning to measure", self._running)
            if run is not None:
                run.start_task(task_name)
            elif not self._another_instance_already_running:
                logger.error("Tracker not initialized: the task %s is not measured", task_name or "")
        self._reports.announce()

    @guarded
    def stop_task(self, task_name: str | None = None) -> EmissionsData | None:
        """End the newest open task, or the open one of a name, and return what it used.

        The result is provisional while no later sample exists; ``task_record`` and all outputs have the settled one.
        A task that has ended already returns its stored result.
        """
        run = self._run
        if self._is_inherited or run is None:
            if not self._is_inherited:
                self._tell_no_task(task_name)
            return None
        with self._lock:
            task = run.tasks.find_active(task_name)
            if task is not None:
                data = run.stop_task(task, run.session.mark())
                if run.ledger.wants_folding:
                    self._reports.wake()
                return data
            finished = run.tasks.find_finished(task_name) if task_name else None
        if finished is None:
            self._tell_no_task(task_name)
            return None
        return finished.emissions_data

    @guarded
    def task_record(self, task_name: str) -> EmissionsRecord | None:
        """The full record of a finished task, or None when there is none of that name."""
        run = self._run
        if run is None:
            return None
        with self._lock:
            task = run.tasks.find_finished(task_name)
        if task is None or task.start is None or task.end is None:
            return None
        return run.record(task.start, task.end)

    # --- instants --------------------------------------------------------------------------------------------------

    @guarded
    def mark(self) -> Mark | None:
        """The present instant, for ``energy``; costs a timestamp. None while nothing is measured."""
        if self._run is None or self._is_inherited or not self._run.session.is_running:
            return None
        return self._run.session.mark()

    @guarded
    def energy(self, start: Mark | datetime | None, end: Mark | datetime | None = None) -> EmissionsRecord | None:
        """The full record between two instants, marks or aware datetimes; no end means now."""
        run = self._run
        if run is None or start is None or self._is_inherited:
            return None
        return run.record(run.as_mark(start), run.session.mark() if end is None else run.as_mark(end))

    def window(self, name: str = "window") -> RecordWindow:
        """Measure a ``with`` block: ``with tracker.window("load") as w`` and then ``w.record``."""
        return RecordWindow(None if self._is_inherited else self._run, name, self._lock)

    def get_detected_hardware(self) -> dict[str, Any]:
        """What was found: memory, processors and graphics cards."""
        if self._run is None:
            with self._lock:
                attempt(self, "looking for hardware", self._prepared)
        self._update_conf()
        if not self._conf.get("gpu_count"):
            # A run learns of the cards while it goes on; who asks before that waits for their library.
            self._conf.update(gpu_conf(attempt(self, "looking for graphics cards", find_gpus, self.settings) or ()))
        names = ("ram_total_size", "cpu_count", "cpu_physical_count", "cpu_model", "gpu_count", "gpu_model", "gpu_ids")
        return {name: self._conf.get(name) for name in names}

    # --- inside ----------------------------------------------------------------------------------------------------

    def __reduce__(self) -> tuple[Any, ...]:
        # Workers get a tracker with the same settings, never a share of a running one.
        given = {name: value for name, value in self._arguments.items() if value is not UNSET}
        return _rebuild, (type(self), given)

    def become_inert(self) -> None:
        """Do nothing from now on: this process only inherited the tracker from its parent."""
        self._is_inherited = True

    def _prepared(self) -> Run:
        """The run, made on first use: reading the machine's files costs a few milliseconds."""
        if self._run is None:
            pricer = self._pricer_factory(self.settings, offline=self._is_offline)
            session = self._session_factory(self.settings)

            def columns() -> dict[str, Any]:
                return base_columns(self._conf, self.run_id, pricer.location, session.facts, session.gpus)

            self._run = Run(session, pricer, columns, self._lock)
        return self._run

    def _running(self) -> Run | None:
        """The run, measuring; None when another exclusive run does. The caller holds the lock."""
        if self._state is State.RUNNING:
            return self._run
        if not self._may_run():
            return None
        try:
            run = self._prepared()
            run.session.start()
            attempt(self, "asking for carbon intensity", run.pricer.begin)
        except BaseException:
            if self._exclusive is not None:
                self._exclusive.release()
            raise
        self._state = State.RUNNING
        REGISTRY.add(self)
        self._start_time = time.perf_counter()
        self._update_conf()
        self._reports.begin(run)
        return run

    def _may_run(self) -> bool:
        """Take the machine-wide lock if the settings ask for it; one error tells who has it."""
        if self.settings.allow_multiple_runs:
            return True
        self._exclusive = self._exclusive or Lock()
        was_refused = self._another_instance_already_running
        try:
            if not self._exclusive.is_held:
                self._exclusive.acquire()
        except FileExistsError as error:
            self._another_instance_already_running = True
            if not was_refused:
                logger.error(  # noqa: TRY400 (somebody else runs: a traceback would add nothing)
                    "Another instance of codecarbon is already running and allow_multiple_runs is False, so this one "
                    "measures nothing: %s",
                    error,
                )
            return False
        self._another_instance_already_running = False
        return True

    def _finish(self, run: Run) -> None:
        with self._lock:
            self._state = State.STOPPED
            attempt(self, "closing the run", run.end)
        self._reports.end()
        attempt(self, "taking the last sample", run.session.stop)
        attempt(self, "settling the carbon intensity", run.pricer.end)
        attempt(self, "naming what was measured", self._update_conf)
        results = attempt(self, "writing the results", self._reports.publish, run)
        if results is not None:
            data, self.final_record = results
            self.final_emissions, self.final_emissions_data = data.emissions, data
        self._reports.close()
        if self._exclusive is not None:
            self._exclusive.release()
        REGISTRY.remove(self)

    def _current_data(self) -> EmissionsData:
        run = self._prepared()
        if self._state is State.RUNNING and not run.ledger.is_empty:
            return self._reports.totals(run)[0]
        if self.final_emissions_data is not None:
            return self.final_emissions_data
        return EmissionsData(**run.base)

    def _update_conf(self) -> None:
        if self._run is not None:
            self._conf.update(hardware_conf(self._run.session, self._run.pricer.location))

    def _tell_not_started(self) -> None:
        if not self._another_instance_already_running:
            logger.error("You first need to start the tracker.")

    def _tell_no_task(self, task_name: str | None) -> None:
        if not self._another_instance_already_running:
            logger.warning("There is no open task%s to stop", f" named {task_name!r}" if task_name else "")


def _rebuild(kind: type[BaseEmissionsTracker], arguments: dict[str, Any]) -> BaseEmissionsTracker:
    return kind(**arguments)


class _LazySignature:
    """The signature that ``help()`` and ``inspect`` show; made when somebody looks, since most programs never do."""

    def __init__(self, *, offline: bool) -> None:
        self._is_offline = offline

    def __get__(self, instance: object, owner: type | None = None) -> Signature:
        from codecarbon.config import build_signature

        return build_signature(offline=self._is_offline)


class EmissionsTracker(BaseEmissionsTracker):
    """Measures the energy of this program and what it emits at the place where it runs.

    The place comes from the settings, else from the cloud's files or the time zone. Every setting is a keyword and has
    a variable ``CODECARBON_<NAME>``; ``help()`` and the reference list them.
    """

    __signature__ = _LazySignature(offline=False)


class OfflineEmissionsTracker(BaseEmissionsTracker):
    """Measures energy and prices it for the place that is given; never looks anywhere else."""

    _is_offline: ClassVar[bool] = True
    __signature__ = _LazySignature(offline=True)

    if TYPE_CHECKING:

        def __init__(self, project_name: str | None = ..., *args: Any, **options: Unpack[OfflineOptions]) -> None: ...
