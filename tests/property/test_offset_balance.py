"""Whatever happens to a ledger, in whatever order: every microgram is accounted for, and nothing is bought for none.

A history keeps books of its own, as plain lists, and a service that really sells; after every step the ledger's sums
must be those of the lists, to the microgram.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from codecarbon.handlers.offset.amounts import MAX_POUNDS_PER_OFFSET
from codecarbon.handlers.offset.ledger import Balance, OffsetState, Refusal
from codecarbon.handlers.offset.provider import Record, Scan
from tests.support.ledgers import DEAD, KG, LB, THRESHOLD_UG, ledger_at, neighbour

OUT = {OffsetState.RESERVED, OffsetState.SENT, OffsetState.UNKNOWN, OffsetState.CONFIRMED}
UNDER_WAY = {OffsetState.RESERVED, OffsetState.SENT}
SPENT = {OffsetState.SENT, OffsetState.UNKNOWN, OffsetState.CONFIRMED}
MASSES = [0, 1, LB - 1, LB, LB + 1, THRESHOLD_UG - 1, THRESHOLD_UG, 3 * LB]
CAPS = [None, LB, 2 * LB, 3 * LB + 5, 10 * LB, 50 * KG, 0, LB - 1]
RUNS = "abc"


@dataclass
class Entry:
    """What the history's own books say about an offset."""

    pounds: int
    mass_ug: int
    automatic_ug: int
    run_id: str
    owner: int
    state: OffsetState = OffsetState.RESERVED
    was_sent: bool = False
    is_cancelled: bool = False
    purchase: Record | None = None  # what the service has, whether or not its answer came


class Books:
    """Three processes and two keys of one account on one file, against lists."""

    def __init__(self, folder: str, choices: random.Random) -> None:
        self.choices = choices
        path = f"{folder}/offsets.sqlite3"
        first = ledger_at(path, fingerprint="f1")
        first.adopt("U1")
        second = ledger_at(path, fingerprint="f2", owner=neighbour(7))
        second.adopt("U1")
        third = ledger_at(path, fingerprint="f1", owner=neighbour(8))
        self.ledgers = [first, second, third]
        self.marks: dict[str, int] = {}
        self.automatic_ug = 0
        self.entries: dict[str, Entry] = {}
        self.sold: list[Record] = []
        self.released_pounds = 0  # on somebody's word, who may be wrong

    def anybody(self):
        """One of the ledgers."""
        return self.choices.choice(self.ledgers)

    # The lists

    def expected(self) -> Balance:
        accrued = sum(self.marks.values())
        entries = self.entries.values()

        def total(*states):
            return sum(entry.mass_ug for entry in entries if entry.state in states and not entry.is_cancelled)

        confirmed, unknown = total(OffsetState.CONFIRMED), total(OffsetState.UNKNOWN)
        pending = total(OffsetState.RESERVED, OffsetState.SENT)
        rest = accrued - confirmed - unknown - pending
        pool = self.automatic_ug - sum(entry.automatic_ug for entry in entries if entry.state in OUT)
        open_ug = max(rest, 0)
        return Balance(accrued, confirmed, pending, unknown, open_ug, min(max(pool, 0), open_ug), max(-rest, 0))

    def used_by(self, run_id) -> int:
        return sum(
            entry.mass_ug
            for entry in self.entries.values()
            if entry.run_id == run_id and (entry.was_sent or entry.state is not OffsetState.REJECTED)
        )

    def confirm(self, entry, purchase):
        if entry.state is not OffsetState.CONFIRMED:
            entry.automatic_ug = max(0, purchase.pounds * LB - (entry.mass_ug - entry.automatic_ug))
            entry.mass_ug = purchase.pounds * LB
            entry.state = OffsetState.CONFIRMED

    def sell(self, offset_id, entry, pounds):
        purchase = Record("U1", f"purchase {len(self.sold)}", pounds, offset_id, self.ledgers[0].ledger_id, False)
        self.sold.append(purchase)
        entry.purchase = purchase
        return purchase

    def pick(self, is_meant):
        """Choose an offset for which something can happen; None where there is none."""
        meant = [offset_id for offset_id, entry in self.entries.items() if is_meant(entry)]
        return self.choices.choice(meant) if meant else None

    # What can happen

    def accrue(self):
        run_id, ledger = self.choices.choice(RUNS), self.anybody()
        automatic = self.choices.random() < 0.6
        mass_ug = self.choices.choice([*MASSES, *(self.choices.randrange(6 * KG) for _ in range(20))])
        if self.choices.random() < 0.01:
            mass_ug = 25_000_000 * LB
        mark = self.marks.get(run_id, 0)
        total_ug = self.choices.choice([mark + mass_ug, mark + mass_ug, mass_ug])  # some totals were seen before
        added = ledger.accrue(run_id, self.choices.randrange(3), total_ug, is_automatic=automatic)
        assert added == max(0, total_ug - mark)
        assert self.anybody().accrue(run_id, 3, total_ug, is_automatic=automatic) == 0
        self.marks[run_id] = max(mark, total_ug)
        self.automatic_ug += added if automatic else 0

    def reserve(self):
        before = self.expected()
        who, run_id = self.choices.randrange(3), self.choices.choice(RUNS)
        manual, cap_ug = self.choices.random() < 0.4, self.choices.choice(CAPS)
        threshold_ug = THRESHOLD_UG + self.choices.choice([0, 0, KG])
        offset = self.ledgers[who].reserve(is_manual=manual, threshold_ug=threshold_ug, run_id=run_id, cap_ug=cap_ug)
        pool = before.open_ug if manual else before.automatic_ug
        pounds = min(pool // LB, MAX_POUNDS_PER_OFFSET)
        room = pounds if cap_ug is None else max(0, cap_ug - self.used_by(run_id)) // LB
        if any(entry.state is OffsetState.UNKNOWN for entry in self.entries.values()):
            assert offset is Refusal.BLOCKED
        elif pool < (LB if manual else threshold_ug):
            assert offset in {Refusal.NOTHING_DUE, Refusal.BELOW_THRESHOLD}
        elif not room:
            assert offset is Refusal.CAP_REACHED
        else:
            assert (offset.pounds, offset.mass_ug) == (min(pounds, room), min(pounds, room) * LB)
            by_hand_ug = before.open_ug - before.automatic_ug
            assert offset.automatic_ug == (max(0, offset.mass_ug - by_hand_ug) if manual else offset.mass_ug)
            self.entries[offset.offset_id] = Entry(offset.pounds, offset.mass_ug, offset.automatic_ug, run_id, who)

    def send(self):
        is_odd = self.choices.random() < 0.2  # somebody else tries, or it was sent before
        offset_id = self.pick(lambda entry: is_odd or entry.state is OffsetState.RESERVED)
        if offset_id is None:
            return
        entry = self.entries[offset_id]
        who = self.choices.randrange(3) if is_odd else max(0, entry.owner)
        is_blocked = any(other.state is OffsetState.UNKNOWN for other in self.entries.values())
        is_mine = entry.owner == who and entry.state is OffsetState.RESERVED
        assert self.ledgers[who].mark_sent(offset_id) is (is_mine and not is_blocked)
        if is_mine:
            entry.state = OffsetState.REJECTED if is_blocked else OffsetState.SENT
            entry.was_sent = not is_blocked

    def post(self):
        """The one request: it buys, and the answer comes, or does not."""
        offset_id = self.pick(lambda entry: entry.purchase is None and entry.state is OffsetState.SENT)
        if offset_id is None:
            return
        entry = self.entries[offset_id]
        ledger = self.ledgers[entry.owner]
        purchase = self.sell(offset_id, entry, max(1, entry.pounds + self.choices.choice([0, 0, 0, 0, -1, 2])))
        if self.choices.random() < 0.7:
            ledger.confirm(offset_id, user_id=purchase.user_id, time_utc=purchase.time_utc, pounds=purchase.pounds)
            self.confirm(entry, purchase)
        else:
            ledger.mark_unknown(offset_id, "no answer")
            entry.state = OffsetState.UNKNOWN

    def post_in_vain(self):
        offset_id = self.pick(lambda entry: entry.purchase is None and entry.state in UNDER_WAY)
        if offset_id is not None:
            entry = self.entries[offset_id]
            self.ledgers[entry.owner].reject(offset_id, "401")
            entry.state = OffsetState.REJECTED

    def hear_late(self):
        offset_id = self.pick(lambda entry: entry.purchase is not None)
        if offset_id is not None:
            entry = self.entries[offset_id]
            purchase = entry.purchase
            self.anybody().confirm(
                offset_id, user_id=purchase.user_id, time_utc=purchase.time_utc, pounds=purchase.pounds
            )
            self.confirm(entry, purchase)

    def doubt(self):
        offset_id = self.pick(lambda entry: entry.state is OffsetState.SENT)
        if offset_id is not None:
            self.anybody().mark_unknown(offset_id, "in doubt")
            self.entries[offset_id].state = OffsetState.UNKNOWN

    def release(self):
        offset_id = self.pick(lambda entry: entry.state is OffsetState.UNKNOWN)
        if offset_id is not None:
            entry = self.entries[offset_id]
            self.anybody().release(offset_id)
            entry.state = OffsetState.REJECTED
            self.released_pounds += entry.pounds

    def cancel(self):
        offset_id = self.pick(lambda entry: entry.state is OffsetState.CONFIRMED)
        if offset_id is not None:
            self.anybody().cancel(offset_id)
            self.entries[offset_id].is_cancelled = True

    def die_half_way(self):
        """Another process reserves, sends or not, and dies; the service may have sold."""
        run_id = self.choices.choice(RUNS)
        dead = ledger_at(self.ledgers[0].path, fingerprint="f2", owner=DEAD)
        offset = dead.reserve(is_manual=True, threshold_ug=0, run_id=run_id, cap_ug=self.choices.choice(CAPS))
        if isinstance(offset, Refusal):
            return
        entry = Entry(offset.pounds, offset.mass_ug, offset.automatic_ug, run_id, -1)
        self.entries[offset.offset_id] = entry
        if self.choices.random() < 0.6:
            entry.was_sent = dead.mark_sent(offset.offset_id)
            assert entry.was_sent
            if self.choices.random() < 0.6:
                self.sell(offset.offset_id, entry, offset.pounds)
        (taken,) = self.ledgers[0].take_over_dead()
        assert taken.offset_id == offset.offset_id
        entry.state = OffsetState.UNKNOWN if entry.was_sent else OffsetState.REJECTED
        assert taken.state is entry.state

    def buy_elsewhere(self):
        """What a copy of the ledger bought: known to the service, and here only after the next look."""
        name = f"copy {len(self.sold)}"
        pounds = self.choices.randrange(1, 6)
        self.sold.append(Record("U1", f"purchase {len(self.sold)}", pounds, name, self.ledgers[1].ledger_id, False))

    def reconcile(self):
        """Look at the records; the newest may not be visible yet, and pages may repeat some."""
        visible = self.sold[: max(0, len(self.sold) - self.choices.choice([0, 0, 0, 1, 3]))]
        shown = self.choices.sample(visible, len(visible)) + visible[:1]
        self.anybody().settle(Scan(tuple(shown), self.choices.random() < 0.5, None), auto_release=True)
        for purchase in visible:
            entry = self.entries.get(purchase.offset_id)
            if entry is None:
                entry = Entry(purchase.pounds, purchase.pounds * LB, purchase.pounds * LB, "", -1)
                entry.purchase = purchase
                self.entries[purchase.offset_id] = entry
            self.confirm(entry, purchase)

    # What is always so

    def check(self):
        assert {ledger.balance() for ledger in self.ledgers} == {self.expected()}
        states = {offset.offset_id: offset.state for offset in self.ledgers[0].offsets()}
        assert states == {offset_id: entry.state for offset_id, entry in self.entries.items()}
        # What was sent never exceeds what was accrued, but for what the service or a person did by itself.
        entries = self.entries.values()
        spent = sum(entry.pounds * LB for entry in entries if entry.state in SPENT and entry.owner >= 0)
        beyond = sum(max(0, entry.mass_ug - entry.pounds * LB) for entry in entries)
        cancelled = sum(entry.mass_ug for entry in entries if entry.is_cancelled)
        released = self.released_pounds * LB
        assert spent <= sum(self.marks.values()) + beyond + cancelled + released


# What happens, and how often.
STEPS = {
    Books.accrue: 5,
    Books.reserve: 7,
    Books.send: 7,
    Books.post: 6,
    Books.post_in_vain: 1,
    Books.hear_late: 2,
    Books.doubt: 1,
    Books.release: 1,
    Books.cancel: 1,
    Books.die_half_way: 1,
    Books.buy_elsewhere: 1,
    Books.reconcile: 3,
}


def laws(examples: int) -> settings:
    """Try the same examples in every run: a red run means that the change broke a law."""
    return settings(derandomize=True, deadline=None, database=None, max_examples=examples)


def history(seed: int, steps: int) -> Counter[object]:
    """Live through a history; return how often which states were seen after a step."""
    seen: Counter[object] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        books = Books(folder, random.Random(seed))
        for _ in range(steps):
            (step,) = books.choices.choices([*STEPS], [*STEPS.values()])
            step(books)
            books.check()
            seen.update(entry.state for entry in books.entries.values())
            seen["cancelled"] += any(entry.is_cancelled for entry in books.entries.values())
            seen["imported"] += any(entry.run_id == "" for entry in books.entries.values())
            seen["debt"] += books.expected().debt_ug > 0
    return seen


@laws(25)
@given(st.integers(0, 2**32), st.integers(20, 70))
def test_sums_are_those_of_plain_lists_whatever_happens(seed, steps):
    history(seed, steps)


def test_the_histories_are_eventful():
    seen = sum((history(seed, 60) for seed in range(6)), Counter())
    assert {kind for kind, count in seen.items() if count > 5} == {*OffsetState, "cancelled", "imported", "debt"}


@laws(25)
@given(st.lists(st.tuples(st.integers(0, 10**9), st.booleans()), max_size=12))
def test_buying_whenever_due_leaves_less_than_the_threshold(steps):
    with tempfile.TemporaryDirectory() as folder:
        ledger = ledger_at(f"{folder}/offsets.sqlite3")
        total_ug = 0
        pounds = 0
        for step_ug, is_replayed in steps:
            total_ug += step_ug
            for _ in range(1 + is_replayed):
                ledger.accrue("run", 0, total_ug, is_automatic=True)
            offset = ledger.reserve(is_manual=False, threshold_ug=THRESHOLD_UG, run_id="run", cap_ug=None)
            if not isinstance(offset, Refusal):
                assert ledger.mark_sent(offset.offset_id)
                ledger.confirm(offset.offset_id, user_id="U1", time_utc=offset.offset_id, pounds=offset.pounds)
                pounds += offset.pounds
            balance = ledger.balance()
            assert pounds * LB + balance.open_ug == total_ug
            assert balance.open_ug < THRESHOLD_UG


@laws(25)
@given(st.integers(0, 45_000_000), st.integers(0, LB - 1))
def test_any_mass_is_split_into_orders_that_the_service_takes(pounds, rest_ug):
    with tempfile.TemporaryDirectory() as folder:
        ledger = ledger_at(f"{folder}/offsets.sqlite3")
        ledger.accrue("run", 0, pounds * LB + rest_ug, is_automatic=True)
        orders = []
        while not isinstance(
            offset := ledger.reserve(is_manual=True, threshold_ug=THRESHOLD_UG, run_id="run", cap_ug=None), Refusal
        ):
            orders.append(offset.pounds)
        assert sum(orders) == pounds
        assert all(1 <= order <= MAX_POUNDS_PER_OFFSET for order in orders)
        assert len(orders) == -(-pounds // MAX_POUNDS_PER_OFFSET)
        assert ledger.balance().open_ug == rest_ug
