"""Whatever happens to a ledger, in whatever order: every microgram is accounted for, and nothing is bought for none.

The machine keeps books of its own, as plain lists, and a service that really sells; after every step the ledger's
sums must be those of the lists, to the microgram.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from codecarbon.handlers.offset.amounts import MAX_POUNDS_PER_OFFSET
from codecarbon.handlers.offset.ledger import Balance, OffsetState, Refusal
from codecarbon.handlers.offset.provider import Record, Scan
from tests.support.ledgers import DEAD, KG, LB, THRESHOLD_UG, ledger_at, neighbour

OUT = {OffsetState.RESERVED, OffsetState.SENT, OffsetState.UNKNOWN, OffsetState.CONFIRMED}
SPENT = {OffsetState.SENT, OffsetState.UNKNOWN, OffsetState.CONFIRMED}
masses = st.one_of(
    st.integers(0, 4 * KG),
    st.sampled_from([0, 1, LB - 1, LB, LB + 1, THRESHOLD_UG - 1, THRESHOLD_UG, 3 * LB, 25_000_000 * LB]),
)
runs = st.sampled_from(["a", "b", "c"])
caps = st.sampled_from([None, 0, LB - 1, LB, 3 * LB + 5, 50 * KG])


@dataclass
class Entry:
    """What the machine's own books say about an offset."""

    pounds: int
    mass_ug: int
    automatic_ug: int
    run_id: str
    owner: int
    state: OffsetState = OffsetState.RESERVED
    was_sent: bool = False
    is_cancelled: bool = False
    purchase: Record | None = None  # what the service has, whether or not its answer came


class Books(RuleBasedStateMachine):
    """Three processes and two keys of one account on one file, against lists."""

    offsets = Bundle("offsets")

    def __init__(self):
        super().__init__()
        self.folder = tempfile.mkdtemp(prefix="codecarbon-books-")
        path = f"{self.folder}/offsets.sqlite3"
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

    def teardown(self):
        shutil.rmtree(self.folder)

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

    # What can happen

    @rule(who=st.integers(0, 2), run_id=runs, segment=st.integers(0, 2), mass_ug=masses, automatic=st.booleans())
    def accrue(self, who, run_id, segment, mass_ug, automatic):
        mark = self.marks.get(run_id, 0)
        total_ug = mark + mass_ug if mass_ug % 3 else mass_ug  # some totals were seen before
        added = self.ledgers[who].accrue(run_id, segment, total_ug, is_automatic=automatic)
        assert added == max(0, total_ug - mark)
        assert self.ledgers[who].accrue(run_id, segment + 1, total_ug, is_automatic=automatic) == 0
        self.marks[run_id] = max(mark, total_ug)
        self.automatic_ug += added if automatic else 0

    @rule(
        target=offsets, who=st.integers(0, 2), run_id=runs, manual=st.booleans(), cap_ug=caps, spare=st.integers(0, 2)
    )
    def reserve(self, who, run_id, manual, cap_ug, spare):
        before = self.expected()
        threshold_ug = THRESHOLD_UG + spare * KG
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
            assert offset.automatic_ug <= before.automatic_ug
            assert offset.mass_ug - offset.automatic_ug <= before.open_ug - before.automatic_ug
            self.entries[offset.offset_id] = Entry(offset.pounds, offset.mass_ug, offset.automatic_ug, run_id, who)
            return offset.offset_id
        return None

    @rule(offset_id=offsets, who=st.integers(0, 2))
    def send(self, offset_id, who):
        entry = self.entries.get(offset_id)
        if entry is None:
            return
        is_blocked = any(other.state is OffsetState.UNKNOWN for other in self.entries.values())
        is_mine = entry.owner == who and entry.state is OffsetState.RESERVED
        assert self.ledgers[who].mark_sent(offset_id) is (is_mine and not is_blocked)
        if is_mine:
            entry.state = OffsetState.REJECTED if is_blocked else OffsetState.SENT
            entry.was_sent = not is_blocked

    @rule(offset_id=offsets, extra=st.sampled_from([0, 0, 0, 0, -1, 2]), is_heard=st.booleans())
    def post(self, offset_id, extra, is_heard):
        """The one request: it buys, and the answer comes, or does not."""
        entry = self.entries.get(offset_id)
        if entry is None or entry.purchase is not None or entry.state is not OffsetState.SENT:
            return
        ledger = self.ledgers[entry.owner]
        purchase = self.sell(offset_id, entry, max(1, entry.pounds + extra))
        if is_heard:
            ledger.confirm(offset_id, user_id=purchase.user_id, time_utc=purchase.time_utc, pounds=purchase.pounds)
            self.confirm(entry, purchase)
        else:
            ledger.mark_unknown(offset_id, "no answer")
            entry.state = OffsetState.UNKNOWN

    @rule(offset_id=offsets)
    def post_in_vain(self, offset_id):
        entry = self.entries.get(offset_id)
        if entry is None or entry.purchase is not None or entry.state not in {OffsetState.RESERVED, OffsetState.SENT}:
            return
        self.ledgers[entry.owner].reject(offset_id, "401")
        entry.state = OffsetState.REJECTED

    @rule(offset_id=offsets, who=st.integers(0, 2))
    def hear_late(self, offset_id, who):
        entry = self.entries.get(offset_id)
        if entry is None or entry.purchase is None:
            return
        purchase = entry.purchase
        self.ledgers[who].confirm(
            offset_id, user_id=purchase.user_id, time_utc=purchase.time_utc, pounds=purchase.pounds
        )
        self.confirm(entry, purchase)

    @rule(offset_id=offsets, who=st.integers(0, 2))
    def doubt(self, offset_id, who):
        entry = self.entries.get(offset_id)
        if entry is None or entry.state not in {OffsetState.SENT, OffsetState.UNKNOWN}:
            return
        self.ledgers[who].mark_unknown(offset_id, "in doubt")
        entry.state = OffsetState.UNKNOWN

    @rule(offset_id=offsets, who=st.integers(0, 2))
    def release(self, offset_id, who):
        entry = self.entries.get(offset_id)
        if entry is None or entry.state is not OffsetState.UNKNOWN:
            return
        self.ledgers[who].release(offset_id)
        entry.state = OffsetState.REJECTED
        self.released_pounds += entry.pounds

    @rule(offset_id=offsets, who=st.integers(0, 2))
    def cancel(self, offset_id, who):
        entry = self.entries.get(offset_id)
        if entry is None or entry.state is not OffsetState.CONFIRMED:
            return
        self.ledgers[who].cancel(offset_id)
        entry.is_cancelled = True

    @rule(run_id=runs, cap_ug=caps)
    def die_half_way(self, run_id, cap_ug):
        """Another process reserves, sends or not, and dies; the service may have sold."""
        dead = ledger_at(self.ledgers[0].path, fingerprint="f2", owner=DEAD)
        offset = dead.reserve(is_manual=True, threshold_ug=0, run_id=run_id, cap_ug=cap_ug)
        if isinstance(offset, Refusal):
            return
        entry = Entry(offset.pounds, offset.mass_ug, offset.automatic_ug, run_id, -1)
        self.entries[offset.offset_id] = entry
        if offset.mass_ug % 2:
            entry.was_sent = dead.mark_sent(offset.offset_id)
            if offset.pounds % 3:
                self.sell(offset.offset_id, entry, offset.pounds)
        (taken,) = self.ledgers[0].take_over_dead()
        assert taken.offset_id == offset.offset_id
        entry.state = OffsetState.UNKNOWN if entry.was_sent else OffsetState.REJECTED
        assert taken.state is entry.state

    @rule(pounds=st.integers(1, 5))
    def buy_elsewhere(self, pounds):
        """What a copy of the ledger bought: known to the service, and here only after the next look."""
        self.sold.append(
            Record(
                "U1", f"purchase {len(self.sold)}", pounds, f"copy {len(self.sold)}", self.ledgers[1].ledger_id, False
            )
        )

    @precondition(lambda self: self.sold)
    @rule(who=st.integers(0, 2), is_complete=st.booleans(), hidden=st.integers(0, 3), data=st.data())
    def reconcile(self, who, is_complete, hidden, data):
        """Look at the records; the newest may not be visible yet, and pages may repeat some."""
        visible = self.sold[: max(0, len(self.sold) - hidden)]
        shown = data.draw(st.permutations(visible)) + visible[:1]
        self.ledgers[who].settle(Scan(tuple(shown), is_complete, None), auto_release=True)
        for purchase in visible:
            entry = self.entries.get(purchase.offset_id)
            if entry is None:
                entry = Entry(purchase.pounds, purchase.pounds * LB, purchase.pounds * LB, "", -1)
                entry.purchase = purchase
                self.entries[purchase.offset_id] = entry
            self.confirm(entry, purchase)

    # What is always so

    @invariant()
    def every_microgram_is_accounted_for(self):
        assert {ledger.balance() for ledger in self.ledgers} == {self.expected()}

    @invariant()
    def states_are_those_of_the_lists(self):
        assert {offset.offset_id: offset.state for offset in self.ledgers[0].offsets()} == {
            offset_id: entry.state for offset_id, entry in self.entries.items()
        }

    @invariant()
    def nothing_is_bought_for_nothing(self):
        """What was sent never exceeds what was accrued, but for what the service or a person did by itself."""
        entries = self.entries.values()
        spent = sum(entry.pounds * LB for entry in entries if entry.state in SPENT and entry.owner >= 0)
        beyond = sum(max(0, entry.mass_ug - entry.pounds * LB) for entry in entries)
        cancelled = sum(entry.mass_ug for entry in entries if entry.is_cancelled)
        released = self.released_pounds * LB
        assert spent <= sum(self.marks.values()) + beyond + cancelled + released


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=40, stateful_step_count=40, derandomize=True, deadline=None, database=None)


def laws(examples: int) -> settings:
    return settings(derandomize=True, deadline=None, database=None, max_examples=examples)


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
