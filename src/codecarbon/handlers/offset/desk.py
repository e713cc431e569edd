"""Where offsets are bought and doubts are settled; for runs and for the command line alike.

The order of things decides that nothing is bought twice: a reservation is written down, then that it is sent, then one
order goes out, and its result is written down. No lock of the ledger is held meanwhile, and no order is repeated.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from codecarbon.errors import LedgerError
from codecarbon.forks import renew_after_fork
from codecarbon.handlers.offset import words
from codecarbon.handlers.offset.amounts import pounds_of
from codecarbon.handlers.offset.ledger import OffsetState, Refusal
from codecarbon.handlers.offset.provider import Order, Outcome
from codecarbon.units import SECONDS_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Callable

    from codecarbon.handlers.offset.ledger import Ledger, Offset, Settlement
    from codecarbon.handlers.offset.provider import OffsetProvider

logger = logging.getLogger("codecarbon")
KEY_ERROR = "key_error"
# A service that failed is left alone for a while, by everything that is not asked for by hand.
REST_S, LONGEST_REST_S = 30.0, SECONDS_PER_HOUR
# Records that do not show what is in doubt are not read again for so long, however many runs begin meanwhile.
LOOK_AGAIN_S = 60.0


class Ending(str, Enum):
    """Why buying ended."""

    NOTHING_DUE = "nothing_due"
    BELOW_THRESHOLD = "below_threshold"
    CAP_REACHED = "cap_reached"
    BLOCKED = "blocked"
    NOT_READY = "not_ready"
    NOT_BOUGHT = "not_bought"
    KEY_REFUSED = "key_refused"
    UNKNOWN = "unknown"
    RESTING = "resting"


class Bought(NamedTuple):
    """What came of buying.

    Attributes:
        offsets: What was bought, for certain.
        ending: Why no more was bought.
        message: The same in words, for people.
    """

    offsets: tuple[Offset, ...]
    ending: Ending
    message: str


class Standing:
    """What this process knows of an account; all desks of the account share it.

    Attributes:
        lock: Held while something is bought or settled, so that one desk does so at a time.
        is_buying: Whether a desk buys now; it goes on until nothing is due.
        is_ready: Whether the service's records were compared with the ledger.
        key_fault: What the service said against the key; empty when it said nothing.
        is_quoted: Whether a quote was shown.
        looked_for: The runs for which the records were looked at.
        may_look_s: From when on they may be looked at for another run, by the monotonic clock.
        failures: How often in a row the service failed.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.lock = threading.RLock()
        self.failures = 0
        self._rested_s = 0.0
        self._monotonic = monotonic
        self.is_ready = self.is_buying = False
        self.key_fault = ""
        self.is_quoted = False
        self.looked_for: set[str] = set()
        self.may_look_s = -math.inf
        renew_after_fork(self)

    def after_fork(self) -> None:
        """A child is a process of its own: it looks at the records itself before it buys."""
        self.lock = threading.RLock()
        self.is_ready = self.is_buying = False

    @property
    def rest_s(self) -> float:
        """How long the service is left alone from now on, seconds; 0 when it may be asked."""
        return max(0.0, self._rested_s - self._monotonic())

    def wants_look(self, run_id: str) -> bool:
        """Whether a run is to look at the records for what is in doubt: once, and not soon after a look in vain."""
        return run_id not in self.looked_for and self._monotonic() >= self.may_look_s

    def note_look(self, *, is_in_vain: bool) -> None:
        """Say whether the records told what is in doubt."""
        self.may_look_s = self._monotonic() + LOOK_AGAIN_S if is_in_vain else -math.inf

    def note(self, *, has_failed: bool) -> None:
        """Say whether the service did what it was asked."""
        if not has_failed:
            self.failures, self._rested_s = 0, 0.0
            return
        self._rested_s = self._monotonic() + min(REST_S * 2.0**self.failures, LONGEST_REST_S)
        self.failures += 1


class Desk:
    """Buys from one service what one ledger holds.

    Args:
        ledger: What was emitted and bought.
        provider: The service.
        threshold_ug: From what mass on something is bought by itself.
        cap_ug: The most that one run may buy; None for no limit.
        auto_release: Whether settling may take a purchase for not made that the records do not show.
        standing: What the process knows of the account; the desk's own when it is left out.
        log: Who is told.
    """

    def __init__(
        self,
        ledger: Ledger,
        provider: OffsetProvider,
        *,
        threshold_ug: int,
        cap_ug: int | None,
        auto_release: bool = False,
        standing: Standing | None = None,
        log: logging.Logger = logger,
    ) -> None:
        self.ledger = ledger
        self.provider = provider
        self._threshold_ug = threshold_ug
        self._cap_ug = cap_ug
        self._auto_release = auto_release
        self._standing = standing or Standing()
        self._log = log

    @property
    def is_busy(self) -> bool:
        """Whether this process buys for the account now, until nothing is due any more; asks nobody."""
        return self._standing.is_buying

    def find_hindrance(self) -> tuple[Ending, str] | None:
        """What hinders buying by itself for now, since the service has failed a moment ago; asks nobody but the ledger.

        Raises:
            LedgerError: The ledger cannot be used.
        """
        rest_s = self._standing.rest_s
        if not rest_s:
            return None
        balance = self.ledger.balance()
        if balance.unknown_ug:
            return Ending.BLOCKED, words.blocked(balance)
        return Ending.RESTING, f"the last try failed, the next one waits for {math.ceil(rest_s)} s or longer"

    def is_due(self, *, is_manual: bool) -> bool:
        """Whether enough is held for a purchase; asks nobody but the ledger.

        Raises:
            LedgerError: The ledger cannot be used.
        """
        balance = self.ledger.balance()
        if is_manual:
            return pounds_of(balance.open_ug) > 0
        return balance.automatic_ug >= self._threshold_ug

    def buy(self, run_id: str, *, is_manual: bool) -> Bought:
        """Buy what is due, in as many orders as it takes; waits for the service.

        Args:
            run_id: The run that it is bought for.
            is_manual: Whether somebody asks for it: then all that is held is bought, whatever the threshold.

        Raises:
            LedgerError: The ledger cannot be used. What was ordered by then is reconciled later.
        """
        with self._standing.lock:
            self._standing.is_buying = True
            try:
                return self._buy(run_id, is_manual=is_manual)
            finally:
                self._standing.is_buying = False

    def reconcile(self) -> Settlement:
        """Compare the ledger with the service's records, and settle what is in doubt; buys nothing.

        Raises:
            LedgerError: The ledger cannot be used.
        """
        with self._standing.lock:
            self._adopt()
            return self._look()[0]

    def settle_doubts(self, run_id: str) -> None:
        """Do so once for a run if anything is in doubt, unless the service has just failed or another desk is at it.

        Raises:
            LedgerError: The ledger cannot be used.
        """
        standing, lock = self._standing, self._standing.lock
        if not lock.acquire(blocking=False):
            return
        try:
            self.ledger.take_over_dead()
            if self.ledger.balance().unknown_ug and standing.wants_look(run_id) and not standing.rest_s:
                standing.looked_for.add(run_id)
                standing.note(has_failed=not self.reconcile().is_complete)
        finally:
            lock.release()

    # --- inside ----------------------------------------------------------------------------------------------------

    def _buy(self, run_id: str, *, is_manual: bool) -> Bought:
        if self._standing.key_fault and not is_manual:
            return Bought((), Ending.KEY_REFUSED, self._standing.key_fault)
        self.ledger.take_over_dead()  # another process may have died with a reservation, or an order that was out
        has_doubt = self.ledger.balance().unknown_ug > 0
        if self.is_due(is_manual=is_manual) or has_doubt:
            unready = self._get_ready(run_id, is_manual=is_manual, has_doubt=has_doubt)
            if unready:
                self._standing.note(has_failed=True)
                return Bought((), Ending.NOT_READY, unready)
        offsets: list[Offset] = []
        while True:
            found = self.ledger.reserve(
                is_manual=is_manual, threshold_ug=self._threshold_ug, run_id=run_id, cap_ug=self._cap_ug
            )
            if isinstance(found, Refusal):
                return Bought(tuple(offsets), *self._explain(found))
            settled, outcome = self._order(found, run_id, is_manual=is_manual)
            if outcome is None:
                return Bought(tuple(offsets), *self._explain_unsent(settled))
            self._standing.note(has_failed=outcome.kind == "not_bought")
            if settled.state is not OffsetState.CONFIRMED:
                return Bought(tuple(offsets), *self._explain_outcome(settled, outcome))
            offsets.append(settled)

    def _get_ready(self, run_id: str, *, is_manual: bool, has_doubt: bool) -> str:
        """Look at the records before the process's first purchase, and again where there is a doubt.

        Returns:
            Why nothing may be bought; empty when it may.
        """
        standing = self._standing
        if standing.is_ready and not (has_doubt and (is_manual or standing.wants_look(run_id))):
            return ""
        standing.looked_for.add(run_id)
        adoption = self._adopt()
        settlement, fault = self._look()
        if settlement.is_complete and not adoption:
            standing.is_ready = True
        if standing.is_ready:
            return ""
        return (
            f"Failed to initialize {words.title(self.provider.name)} SDK: {fault or adoption}. Nothing was ordered. "
            f"{words.KEPT}"
        )

    def _adopt(self) -> str:
        """Take over what an earlier key of the same account has; says what hinders that."""
        ask = getattr(self.provider, "account", None)
        if ask is None:
            return ""
        account = ask()
        if account is None:
            return "the service did not say whose key it is"
        self.ledger.adopt(account.user_id)
        return ""

    def _look(self) -> tuple[Settlement, str]:
        self.ledger.take_over_dead()
        # While records are read, other processes order: what is not in the records then is not missing.
        doubted = {offset.offset_id for offset in self.ledger.unsettled() if offset.state is OffsetState.UNKNOWN}
        scan = self.provider.find()
        settlement = self.ledger.settle(scan, auto_release=self._auto_release, doubted=doubted)
        self._standing.note_look(is_in_vain=bool(settlement.still_unknown))
        where = words.place(self.provider)
        for offset in settlement.confirmed:
            self._log.info("The records of %s show the purchase of %d lb that was in doubt", where, offset.pounds)
        for offset in settlement.released:
            self._log.warning(
                "The records of %s do not show the purchase of %d lb that was in doubt: it counts as not made",
                where,
                offset.pounds,
            )
        for offset in settlement.imported:
            self._log.warning(
                "The records of %s show a purchase of %d lb of this ledger's that it did not know: it counts now",
                where,
                offset.bought_pounds or offset.pounds,
            )
        for record in settlement.duplicates:
            self._log.error(
                "The records of %s show a purchase twice: %d lb at %s came once more than ordered; `codecarbon offset "
                "cancel` can cancel it",
                where,
                record.pounds,
                record.time_utc,
            )
        return settlement, scan.error

    def _order(self, offset: Offset, run_id: str, *, is_manual: bool) -> tuple[Offset, Outcome | None]:
        """Order what is reserved, once, and write down what came of it; no outcome when it was not sent."""
        ledger = self.ledger
        order = Order.now(offset.offset_id, offset.pounds, ledger.ledger_id, run_id)
        try:
            if is_manual:
                self._show_quote(offset.pounds)
            may_send = ledger.mark_sent(offset.offset_id)
        except BaseException:
            ledger.reject(offset.offset_id, "not sent: something broke before")
            raise
        if not may_send:
            return ledger.offset(offset.offset_id) or offset, None
        try:
            outcome = self.provider.purchase(order)
        except Exception as error:  # noqa: BLE001 (whatever broke, the order may be out)
            outcome = Outcome(
                "unknown", error_kind="provider", message=f"the service's code broke: {type(error).__name__}"
            )
        except BaseException as error:
            ledger.mark_unknown(offset.offset_id, f"{type(error).__name__} while the order was out")
            raise
        return self._settle(offset, outcome), outcome

    def _settle(self, offset: Offset, outcome: Outcome) -> Offset:
        ledger, found = self.ledger, offset
        if outcome.kind == "bought":
            try:
                found = ledger.confirm(
                    offset.offset_id, user_id=outcome.user_id, time_utc=outcome.time_utc, pounds=outcome.pounds
                )
            except LedgerError:
                self._log.error(
                    "%s bought at %s, which cannot be written down now: it still counts as under way, and the next "
                    "process finds it in the service's records",
                    words.lb_were(outcome.pounds),
                    words.place(self.provider),
                )
                raise
            if found.state is OffsetState.CONFIRMED:
                self._standing.key_fault = ""
                self._log.info("%s", words.bought(found, ledger.balance(), self.provider))
                if outcome.pounds != offset.pounds:
                    self._log.warning("%s at %s", words.other_amount(found), words.place(self.provider))
        elif outcome.kind == "not_bought":
            ledger.reject(offset.offset_id, outcome.message)
            if outcome.error_kind == KEY_ERROR:
                self._standing.key_fault = outcome.message
        else:
            ledger.mark_unknown(offset.offset_id, outcome.message)
        return ledger.offset(offset.offset_id) or found

    def _show_quote(self, pounds: int) -> None:
        """Say what is about to be bought with real money, before the process's first purchase by hand."""
        if self.provider.environment == "production" and not self._standing.is_quoted:
            self._standing.is_quoted = True
            self._log.info("%s", words.quote(self.provider.quote(pounds), self.provider))

    def _explain(self, refusal: Refusal) -> tuple[Ending, str]:
        balance = self.ledger.balance()
        if refusal is Refusal.BELOW_THRESHOLD:
            return Ending.BELOW_THRESHOLD, words.below_threshold(balance, self._threshold_ug)
        if refusal is Refusal.CAP_REACHED:
            return Ending.CAP_REACHED, words.cap_reached(self._cap_ug, balance)
        if refusal is Refusal.BLOCKED:
            return Ending.BLOCKED, words.blocked(balance)
        return Ending.NOTHING_DUE, words.nothing_due(balance)

    def _explain_unsent(self, offset: Offset) -> tuple[Ending, str]:
        balance = self.ledger.balance()
        if balance.unknown_ug:
            return Ending.BLOCKED, words.blocked(balance)
        return Ending.NOT_BOUGHT, f"{words.lb_were(offset.pounds)} not ordered: {offset.error or 'another process did'}"

    def _explain_outcome(self, offset: Offset, outcome: Outcome) -> tuple[Ending, str]:
        where = words.place(self.provider)
        if offset.state is OffsetState.UNKNOWN:
            return Ending.UNKNOWN, (
                f"It is not known whether {words.lb_were(offset.pounds)} bought at {where}: {offset.error}. Nothing "
                f"more is bought before that is settled; emissions are still added up. {words.RECONCILE}"
            )
        text = f"{words.lb_were(offset.pounds)} not bought at {where}: {outcome.message}"
        if outcome.error_kind == KEY_ERROR:
            return Ending.KEY_REFUSED, f"{text}; check offset_api_key and offset_environment"
        return Ending.NOT_BOUGHT, f"{text}. {words.KEPT}"
