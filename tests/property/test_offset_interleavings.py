"""Everything that processes, crashes, a bad service and a failing disk can do to a purchase, one order after another.

The paths are explored exhaustively (see ``tests/support/explorer.py``): every order of the processes' steps, and at
every step every fault, as many on one path as the scenario's budget has. After each step what the service sold is at
most what was accrued; each order goes out once, and only for a row that is marked as sent; nothing accrued is lost. At
the end of each path everybody is dead, the records show everything, a person releases what is not in them, and what is
then bought leaves less than a pound.

So that this cannot become less without being noticed, each scenario names the least number of states and of faults.
What it would find, `MUTANTS` shows: a ledger or desk with one rule taken out each, which it must catch.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from codecarbon.handlers.offset import purchases
from codecarbon.handlers.offset.desk import Desk
from codecarbon.handlers.offset.ledger import Ledger, OffsetState
from codecarbon.handlers.offset.provider import Order
from tests.support.explorer import Explorer
from tests.support.ledgers import LB, THRESHOLD_UG
from tests.support.offset_players import Part, Player, Scenario
from tests.support.offset_world import OffsetWorld

pytestmark = pytest.mark.slow


# What players do


def automatic(part: Part) -> None:
    """A run that reaches the threshold."""
    part.accrue(THRESHOLD_UG)
    part.buy()


def again(part: Part) -> None:
    """The program starts once more."""
    part.desk.settle_doubts("again")
    part.accrue(THRESHOLD_UG, run_id="again")
    part.buy()


def manual(part: Part) -> None:
    """A run that may not buy by itself, and a person who has it bought."""
    part.accrue(LB, is_automatic=False)
    part.buy(is_manual=True)


def by_hand(part: Part) -> None:
    """A person has bought what there is."""
    part.buy(is_manual=True)


def look(part: Part) -> None:
    """A person has the records looked at."""
    part.desk.reconcile()


def look_twice(part: Part) -> None:
    """And once more."""
    part.desk.reconcile()
    part.desk.reconcile()


def count(part: Part) -> None:
    """A run that goes on counting, and tells one of its totals twice."""
    part.accrue(THRESHOLD_UG)
    part.accrue(2 * THRESHOLD_UG)
    part.accrue(2 * THRESHOLD_UG)


A = Player("A", automatic)
RESTARTED = Player("A2", again, after="A")

SCENARIOS = {
    # name: what happens, least states, least faults
    "two that buy by themselves": (
        Scenario((A, Player("B", automatic)), budget=1, is_brief=True),
        7000,
        3000,
    ),
    "one by itself and one by hand": (Scenario((A, Player("B", manual)), budget=0), 1000, 0),
    "three": (Scenario((A, Player("B", look), Player("C", count)), budget=0), 2000, 0),
    "a crash and its restart beside a person": (
        Scenario((A, RESTARTED, Player("B", look)), budget=1, is_brief=True),
        1400,
        200,
    ),
    "one that crashes twice, and clocks that step": (
        Scenario((A, RESTARTED, Player("A3", by_hand, after="A2")), budget=2, extras=("forth", "back")),
        2500,
        500,
    ),
    "a disk that fails under one that lives on": (
        Scenario((replace(A, stays=True), Player("B", by_hand)), budget=1, ledger_faults=True),
        1500,
        1000,
    ),
    "two keys of one account": (Scenario((A, Player("B", manual, key="f2")), budget=0), 2000, 0),
    "absence that releases by itself": (
        Scenario(
            (A, Player("B", look_twice)),
            budget=1,
            is_brief=True,
            may_crash=False,
            auto_release=True,
            earlier=True,
            extras=("wait",),
        ),
        3000,
        400,
    ),
}


@pytest.fixture
def folder():
    """In memory, where there is such a place: the ledger waits for the disk at each step."""
    memory = Path("/dev/shm")
    path = tempfile.mkdtemp(prefix="codecarbon-offsets-", dir=memory if memory.is_dir() else None)
    yield Path(path)
    shutil.rmtree(path)


@pytest.mark.parametrize("name", SCENARIOS)
def test_whatever_happens_nothing_is_bought_that_was_not_accrued(folder, name, record_property):
    scenario, least_states, least_faults = SCENARIOS[name]
    world = OffsetWorld(folder, scenario)
    report = Explorer(world).explore()
    faults = sum(report.faults.values())
    record_property("explored", f"{report.runs} runs, {report.states} states, {faults} faults, {report.ends} ends")
    assert report.states >= least_states
    assert faults >= least_faults
    assert report.runs >= least_states // 4
    assert report.ends > 1


# One rule taken out each


class AnyRowMaySend(Ledger):
    """RESERVED to SENT without looking whose it is, or what it is by now."""

    def mark_sent(self, offset_id):
        with self._writing() as (database, _):
            database.execute("UPDATE offsets SET state = 'sent', sent_us = 1 WHERE offset_id = ?", (offset_id,))
        return True


class TakesFromTheLiving(Ledger):
    """Takes over what any other process has under way."""

    def take_over_dead(self):
        with self._writing() as (database, _):
            database.execute(
                "UPDATE offsets SET state = CASE state WHEN 'sent' THEN 'unknown' ELSE 'rejected' END "
                "WHERE state IN ('reserved', 'sent') AND boot_id != ?",
                (self._owner().boot_id,),
            )
        return ()


class DeadMeansNotBought(Ledger):
    """Takes what a dead process had sent for not bought."""

    def take_over_dead(self):
        taken = super().take_over_dead()
        for offset in taken:
            if offset.state is OffsetState.UNKNOWN:
                self.release(offset.offset_id)
        return taken


class BlindToDoubts(Ledger):
    """Buys on while an outcome is unknown."""

    def reserve(self, **wish):
        with self._writing() as (database, account_id):
            database.execute("UPDATE offsets SET state = 'sent', boot_id = boot_id || '!' WHERE state = 'unknown'")
            found = purchases.reserve(database, account_id, purchases.Wish(**wish), self._owner(), self._now_us())
            database.execute(
                "UPDATE offsets SET state = 'unknown', boot_id = rtrim(boot_id, '!') WHERE boot_id LIKE '%!'"
            )
        return found


class ChecksBeforehand(Ledger):
    """Reserves what an earlier look at the balance allowed, not what one in the same transaction allows."""

    _seen = None

    def balance(self):
        self._seen = super().balance()
        return self._seen

    def reserve(self, **wish):
        found = super().reserve(**wish)
        if self._seen is None or self._seen.automatic_ug < THRESHOLD_UG or not isinstance(found, str):
            return found
        with self._writing() as (database, account_id):
            database.execute(
                "INSERT INTO offsets (offset_id, account_id, run_id, state, is_manual, pounds, mass_ug, automatic_ug, "
                "created_us, boot_id, pid, start_ticks, pid_namespace) "
                "VALUES (lower(hex(randomblob(4))) || '-aaaa-4aaa-aaaa-' || lower(hex(randomblob(6))), ?, ?, "
                "'reserved', 0, 1, ?, ?, 0, ?, ?, ?, ?)",
                (account_id, wish["run_id"], LB, LB, *self._owner()),
            )
            (number,) = database.execute("SELECT MAX(number) FROM offsets").fetchone()
            (name,) = database.execute("SELECT offset_id FROM offsets WHERE number = ?", (number,)).fetchone()
            return purchases.get(database, account_id, name)


class ForgetsTheMark(Ledger):
    """Adds a run's total each time that it is told."""

    def accrue(self, run_id, segment, total_ug, *, is_automatic):
        with self._reading() as (database, account_id):
            (known,) = database.execute(
                "SELECT COALESCE(SUM(mass_ug), 0) FROM accruals WHERE account_id = ? AND run_id = ?",
                (account_id, run_id),
            ).fetchone()
        return super().accrue(run_id, segment, known + total_ug, is_automatic=is_automatic)


class OnePurchaseForTwo(Ledger):
    """Settles an offset with a purchase that settled another one."""

    def confirm(self, offset_id, *, user_id, time_utc, pounds):
        found = super().confirm(offset_id, user_id=user_id, time_utc=time_utc, pounds=pounds)
        if found.state is OffsetState.UNKNOWN and user_id:
            return super().confirm(offset_id, user_id=user_id, time_utc=f"{time_utc} again", pounds=pounds)
        return found


class CountsOldLooks(Ledger):
    """Lets a look that began before an order went out count as one that misses it."""

    def settle(self, scan, *, auto_release, doubted=None):
        return super().settle(scan, auto_release=auto_release)


class SentAfterwards(Desk):
    """Marks an order as sent when it is back."""

    def _order(self, offset, run_id, *, is_manual):
        outcome = self.provider.purchase(Order(offset.offset_id, offset.pounds, self.ledger.ledger_id, run_id))
        self.ledger.mark_sent(offset.offset_id)
        return self._settle(offset, outcome), outcome


class TriesAgain(Desk):
    """Orders once more when no answer came."""

    def _order(self, offset, run_id, *, is_manual):
        settled, outcome = super()._order(offset, run_id, is_manual=is_manual)
        if outcome is not None and outcome.kind == "unknown":
            outcome = self.provider.purchase(Order(offset.offset_id, offset.pounds, self.ledger.ledger_id, run_id))
            settled = self._settle(offset, outcome)
        return settled, outcome


class SilenceMeansNo(Desk):
    """Takes an order without an answer for not bought."""

    def _settle(self, offset, outcome):
        return super()._settle(offset, outcome._replace(kind="not_bought") if outcome.kind == "unknown" else outcome)


class StopMeansNo(Desk):
    """Takes an order that was interrupted for not bought."""

    def _order(self, offset, run_id, *, is_manual):
        try:
            return super()._order(offset, run_id, is_manual=is_manual)
        except KeyboardInterrupt:
            self.ledger.reject(offset.offset_id, "interrupted")
            raise


class OneLookIsEnough(Desk):
    """Takes what one look at the records does not show for not bought."""

    def _look(self):
        settlement, fault = super()._look()
        for offset in settlement.still_unknown:
            self.ledger.release(offset.offset_id)
        return settlement, fault


class NeverLooks(Desk):
    """Takes the records for empty."""

    def reconcile(self):
        with self._standing.lock:
            self._adopt()
            self.ledger.take_over_dead()
            return self.ledger.settle(self.provider.find()._replace(records=()), auto_release=False)


PAIR, ALONE, DISK, THREE, RELEASE, PERSON = (
    "two that buy by themselves",
    "one that crashes twice, and clocks that step",
    "a disk that fails under one that lives on",
    "three",
    "absence that releases by itself",
    "a crash and its restart beside a person",
)
MUTANTS = [
    (AnyRowMaySend, PAIR, "while an outcome is unknown|an order went out while its row was"),
    (TakesFromTheLiving, PAIR, "an order went out while its row was"),
    (DeadMeansNotBought, ALONE, "counts as not bought|were bought"),
    (BlindToDoubts, PAIR, "while an outcome is unknown"),
    (ChecksBeforehand, PAIR, "are taken out of|were bought"),
    (ForgetsTheMark, THREE, "an accrual was lost"),
    (OnePurchaseForTwo, PAIR, "are left"),
    (CountsOldLooks, RELEASE, "counts as not bought|were bought"),
    (SentAfterwards, PAIR, "an order went out while its row was"),
    (TriesAgain, ALONE, "ordered twice|an order went out while its row was unknown"),
    (SilenceMeansNo, ALONE, "counts as not bought|were bought"),
    (StopMeansNo, DISK, "counts as not bought|were bought"),
    (OneLookIsEnough, PERSON, "counts as not bought|were bought"),
    (NeverLooks, ALONE, "stays unknown"),
]


@pytest.mark.parametrize(("mutant", "name", "finding"), MUTANTS, ids=[entry[0].__name__ for entry in MUTANTS])
def test_a_rule_taken_out_is_found_missing(folder, mutant, name, finding):
    scenario = SCENARIOS[name][0]
    broken = replace(scenario, **{"ledger" if issubclass(mutant, Ledger) else "desk": mutant})
    with pytest.raises(AssertionError, match=finding):
        Explorer(OffsetWorld(folder, broken)).explore()
