"""The output handler that adds up what a run emits and has it offset; see docs/how-to/offset.md.

Adding up writes a local file on the thread that reports. Buying may wait for a network, so it happens on a thread of
its own; only the end of a run waits for it, and not for long. What fails is logged once and harms no measurement.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
import uuid
from typing import TYPE_CHECKING

from codecarbon.config import warn_once
from codecarbon.errors import LedgerError, MissingExtraError, OffsetError
from codecarbon.forks import renew_after_fork
from codecarbon.handlers.base import BaseOutput
from codecarbon.handlers.offset import words
from codecarbon.handlers.offset.amounts import ug_from_kg
from codecarbon.handlers.offset.desk import Bought, Desk, Ending
from codecarbon.handlers.offset.worker import Worker
from codecarbon.units import SECONDS_PER_HOUR, kg_from_ug

if TYPE_CHECKING:
    from collections.abc import Callable

    from codecarbon.handlers.base import RunView
    from codecarbon.handlers.offset.ledger import Ledger
    from codecarbon.handlers.offset.plan import Plan
    from codecarbon.handlers.offset.provider import OffsetProvider
    from codecarbon.model import EmissionsData

logger = logging.getLogger(__name__)

MANUAL_WAIT_S = 180.0
NOT_NOW = "Nothing more is offset for now"
BUY, BUY_BY_HAND, SETTLE = "buy", "buy by hand", "settle"
# What lasts would be told by each of a thousand short runs in a loop: it is told once in so long.
LASTING = frozenset({Ending.BLOCKED, Ending.CAP_REACHED, Ending.RESTING})
TOLD_AGAIN_S = SECONDS_PER_HOUR


class _Count:
    """How much of a run is counted.

    Attributes:
        run_id: The run; a forked child's part of it has a name of its own.
        segment: The number of its stretch, from 1.
        final_kg: Gives its emissions so far.
        needs_claim: Whether one run of the machine counts for all.
        is_claimed: Whether this one does.
        unclaimed_from_kg: Its emissions when another run began to count in its place; None while it counts.
        excluded_kg: What others counted.
        has_bought: Whether something was bought for it.
        told: What the log has of it already.
    """

    def __init__(self, run_id: str, *, needs_claim: bool) -> None:
        self.run_id = run_id
        self.segment = 0
        self.final_kg: Callable[[], float] = float
        self.needs_claim = needs_claim
        self.is_claimed = False
        self.unclaimed_from_kg: float | None = None
        self.excluded_kg = 0.0
        self.has_bought = False
        self.told: set[str] = set()


class OffsetOutput(BaseOutput):
    """Adds up emissions in the ledger, and buys offsets when enough is held.

    Args:
        plan: What the settings say.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._pid = os.getpid()
        self._own_id = str(uuid.uuid4())
        self._lock = threading.RLock()
        self._worker = Worker()
        self._ledger: Ledger | None = None
        self._desk: Desk | None = None
        self._count: _Count | None = None
        self._reported_s: float | None = None  # when the last result came, until the end of the stretch
        self._provider_fault = ""
        self._provider = self._make_provider()
        if plan.remark:
            self._say_once(f"offset key {plan.fingerprint}", plan.remark, logging.WARNING)
        if self._provider is not None:
            text = words.switched_on(plan)
            self._say_once(text, text, logging.INFO)
        renew_after_fork(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._plan.provider_name}, {self._plan.environment})"

    def after_fork(self) -> None:
        """Count and buy nothing in a child, whose parent does; a run that begins there is the child's own."""
        self._lock = threading.RLock()
        self._ledger = self._desk = self._count = None
        self._own_id = str(uuid.uuid4())

    # --- for users -------------------------------------------------------------------------------------------------

    def get_accumulated_emissions(self) -> float:
        """What was emitted and not offset yet, kg CO2e, by all runs that use this key on this machine.

        Not a number when the ledger cannot be read; the log says why.
        """
        try:
            return kg_from_ug(self._open_ledger().balance().open_ug)
        except LedgerError as error:
            self._tell_ledger_fault(error)
            return math.nan

    def manual_offset(self) -> bool:
        """Buy an offset now for all that is held, in whole pounds, whatever the threshold; waits for the service.

        Returns:
            Whether something was bought. The log says what, or why not.
        """
        if self._provider is None:
            self._say(f"Nothing was offset: {self._provider_fault}", logging.ERROR)
            return False
        run_id = self._own_id if self._count is None else self._count.run_id
        results: list[Bought | None] = []
        if not self._worker.put(BUY_BY_HAND, lambda: results.append(self._buy(run_id, is_manual=True)), is_urgent=True):
            self._say("Nothing was offset: this process is ending. `codecarbon offset now` buys what is held")
            return False
        if not self._worker.wait(BUY_BY_HAND, MANUAL_WAIT_S) or not results:
            self._say(
                f"The purchase has had no answer for {MANUAL_WAIT_S:.0f} s; what comes of it is written down when it "
                "comes, and `codecarbon offset status` shows it"
            )
            return False
        found = results[0]
        if found is None:
            return False
        if found.ending is Ending.UNKNOWN:
            self._say(found.message)
        elif not found.offsets:
            self._say(f"Nothing was offset: {found.message}")
        elif found.ending not in {Ending.NOTHING_DUE, Ending.BELOW_THRESHOLD}:
            self._say(f"No more was offset: {found.message}")
        return bool(found.offsets)

    # --- for the dispatcher ----------------------------------------------------------------------------------------

    def run_begins(self, run: RunView) -> None:
        """Begin to count a stretch of a run, unless another run of this machine counts already."""
        with self._lock:
            run_id = run.run_id if os.getpid() == self._pid else f"{run.run_id}/{self._own_id}"
            count = self._count
            if count is None or count.run_id != run_id:
                count = self._count = _Count(run_id, needs_claim=run.tracking_mode == "machine")
            count.segment += 1
            count.final_kg = run.final_kg
            try:
                self._claim(count, run.final_kg())
            except LedgerError as error:
                self._tell_ledger_fault(error)
                return
        if self._provider is not None:
            self._worker.put(SETTLE, lambda: self._settle_doubts(count.run_id))

    def live_out(self, total: EmissionsData, delta: EmissionsData) -> None:
        """Count what was emitted since, and buy when enough is held."""
        del delta
        self._report(total)

    def out(self, total: EmissionsData, delta: EmissionsData) -> None:
        """Likewise; the same total twice counts once."""
        del delta
        self._reported_s = time.monotonic()
        self._report(total)

    def exit(self) -> None:
        """Let another run count, wait a little for a purchase that is under way, and say why there was none."""
        count = self._count
        if count is None:
            return
        now_s, wait_s = time.monotonic(), self._plan.stop_wait_s
        # A ledger that is locked may have kept the end of the run waiting already.
        ends_s = (now_s if self._reported_s is None else self._reported_s) + wait_s
        self._reported_s = None
        try:
            self._release(count)
            is_done = self._worker.wait(BUY, ends_s - time.monotonic())
            self._tell_end(count, is_done=is_done)
        except LedgerError as error:
            self._tell_ledger_fault(error)

    # --- counting --------------------------------------------------------------------------------------------------

    def _report(self, total: EmissionsData) -> None:
        with self._lock:
            count = self._count
            if count is None:
                return
            try:
                self._accrue(count, total.emissions)
                self._buy_if_due(count)
            except LedgerError as error:
                self._tell_ledger_fault(error)

    def _accrue(self, count: _Count, total_kg: float) -> None:
        """Add what this run has emitted to the ledger, which remembers how much of it it has."""
        final_kg = count.final_kg()
        # While another run counts, what has no final price yet is the other one's as well.
        if not self._claim(count, max(final_kg, total_kg)):
            return
        ug = ug_from_kg(final_kg - count.excluded_kg)
        if ug:
            self._open_ledger().accrue(count.run_id, count.segment, ug, is_automatic=self._plan.is_automatic)

    def _release(self, count: _Count) -> None:
        if count.is_claimed:
            count.is_claimed = False
            try:
                self._open_ledger().release_host(count.run_id)
            except LedgerError as error:
                self._tell_ledger_fault(error)

    def _claim(self, count: _Count, total_kg: float) -> bool:
        """Have this run count for the machine; only what comes after another one did so is then this one's."""
        if count.is_claimed or not count.needs_claim:
            return True
        was_refused = count.unclaimed_from_kg is not None
        if not was_refused:
            count.unclaimed_from_kg = total_kg  # until it is known otherwise
        holder = self._open_ledger().claim_host(count.run_id)
        if holder:
            if "claim" not in count.told:
                count.told.add("claim")
                text = f"This run is not counted for offsets: {holder}"
                self._say_once("offset claim", text, logging.INFO, again_after_s=TOLD_AGAIN_S)
                self._open_ledger().skip(count.run_id, holder)
            return False
        if was_refused and count.unclaimed_from_kg is not None:
            count.excluded_kg += max(0.0, total_kg - count.unclaimed_from_kg)
            self._say("This run is counted for offsets from now on", logging.INFO)
        count.unclaimed_from_kg = None
        count.is_claimed = True
        return True

    # --- buying ----------------------------------------------------------------------------------------------------

    def _buy_if_due(self, count: _Count) -> None:
        """Buy by itself, on the worker's thread."""
        if not self._plan.is_automatic or self._provider is None:
            return
        desk = self._open_desk()
        if not desk.is_due(is_manual=False):
            return
        if desk.is_busy and not self._worker.has(BUY):
            # Waiting for another run's purchase would hold up the end of every run that is short.
            count.told.add("end")
            self._say_once("offset busy", "Another run buys what is due", logging.INFO, again_after_s=TOLD_AGAIN_S)
            return
        hindrance = desk.find_hindrance()
        if hindrance is not None:
            self._tell(count, hindrance[0], f"{NOT_NOW}: {hindrance[1]}")
        elif not self._worker.put(BUY, lambda: self._buy_by_itself(count)):
            self._tell(count, "ending", "This process is ending, so an offset that is due is left to the next run")

    def _buy_by_itself(self, count: _Count) -> None:
        found = self._buy(count.run_id, is_manual=False)
        if found is None:
            return
        if found.offsets:
            count.has_bought = True
        if found.ending is Ending.KEY_REFUSED:
            count.told.add("end")
            text = f"No more offsets are bought by this process, emissions are still added up: {found.message}"
            self._say_once(f"offset key refused {self._plan.fingerprint}", text, logging.ERROR)
        elif found.ending is Ending.UNKNOWN:
            count.told.add(Ending.BLOCKED)
            self._tell(count, Ending.UNKNOWN, found.message)
        elif found.ending not in {Ending.NOTHING_DUE, Ending.BELOW_THRESHOLD}:
            self._tell(count, found.ending, f"{NOT_NOW}: {found.message}")

    def _buy(self, run_id: str, *, is_manual: bool) -> Bought | None:
        """Buy; None when the ledger cannot be used."""
        try:
            return self._open_desk().buy(run_id, is_manual=is_manual)
        except LedgerError as error:
            self._tell_ledger_fault(error)
            return None

    def _settle_doubts(self, run_id: str) -> None:
        try:
            self._open_desk().settle_doubts(run_id)
        except LedgerError as error:
            self._tell_ledger_fault(error)

    # --- parts -----------------------------------------------------------------------------------------------------

    def _make_provider(self) -> OffsetProvider | None:
        name = words.title(self._plan.provider_name)
        try:
            return self._plan.make_provider()
        except MissingExtraError as error:
            # The line as users' documents have it, so that it is found there.
            fault = f"{name} needs an optional dependency: pip install codecarbon[{error.extra}]"
        except OffsetError as error:
            fault = f"Failed to initialize {name} SDK: {error}"
        self._provider_fault = fault
        text = f"Nothing will be offset, emissions are only added up: {fault}"
        self._say_once(text, text, logging.ERROR)
        return None

    def _open_ledger(self) -> Ledger:
        if self._ledger is None:
            self._ledger = self._plan.open_ledger()
        return self._ledger

    def _open_desk(self) -> Desk:
        if self._provider is None:
            raise OffsetError(self._provider_fault)
        if self._desk is None:
            self._desk = self._plan.open_desk(self._open_ledger(), self._provider, logger)
        return self._desk

    # --- telling ---------------------------------------------------------------------------------------------------

    def _say(self, text: str, level: int = logging.WARNING) -> None:
        logger.log(level, "%s", words.placed(text, self._plan.provider_name, self._plan.environment))

    def _say_once(self, cause: str, text: str, level: int, *, again_after_s: float = math.inf) -> bool:
        """Say something once for a process, or once in a while; returns whether it was said now."""
        text = words.placed(text, self._plan.provider_name, self._plan.environment)
        key = f"{cause} {self._plan.environment}"
        return warn_once(key, "%s", text, level=level, again_after_s=again_after_s, log=logger)

    def _tell(self, count: _Count, cause: str, message: str) -> None:
        """Warn once for a run and cause; the end of the run adds no other reason then."""
        count.told.add("end")
        if cause in count.told:
            return
        count.told.add(cause)
        if cause in LASTING:
            cause = f"offset {cause} {self._plan.fingerprint}"
            self._say_once(cause, message, logging.WARNING, again_after_s=TOLD_AGAIN_S)
        else:
            self._say(message)

    def _tell_ledger_fault(self, error: LedgerError) -> None:
        if self._count is not None:
            self._count.told.add("end")
        text = f"The ledger of offsets cannot be used, so nothing is offset for now; tracking goes on: {error}"
        if not self._say_once(f"offset {error}", text, logging.ERROR, again_after_s=TOLD_AGAIN_S):
            self._say(text, logging.DEBUG)

    def _tell_end(self, count: _Count, *, is_done: bool) -> None:
        if not is_done:
            self._say(
                f"A purchase is still under way after {self._plan.stop_wait_s:g} s; what comes of it is written down "
                "when it comes, else the next run or `codecarbon offset reconcile` finds out"
            )
        elif not count.has_bought and "end" not in count.told and count.unclaimed_from_kg is None:
            count.told.add("end")
            balance = self._open_ledger().balance()
            if balance.unknown_ug:
                self._tell(count, Ending.BLOCKED, f"{NOT_NOW}: {words.blocked(balance)}")
                return
            if not self._plan.is_automatic:
                text = words.switched_off(balance)
            else:
                text = words.below_threshold(balance, self._plan.threshold_ug)
            if self._provider is not None:
                cause = f"offset nothing {self._plan.is_automatic} {self._plan.fingerprint}"
                self._say_once(cause, f"Nothing was offset: {text}", logging.INFO, again_after_s=TOLD_AGAIN_S)
