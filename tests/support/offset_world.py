"""What processes that buy offsets share: the ledger's file and the service's books, and what must be true of them."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Hashable
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from codecarbon.handlers.offset.desk import Desk, Standing
from codecarbon.handlers.offset.ledger import Balance, Ledger, OffsetState, Refusal
from codecarbon.handlers.offset.owners import Owner
from codecarbon.handlers.offset.provider import Order
from codecarbon.units import iso_from_us
from tests.support.explorer import Actor, Choice, World
from tests.support.ledgers import LB, NOON_US, THRESHOLD_UG
from tests.support.offset_players import LAG_US, QUIET, USER, WRITES, Books, Part, PlainService, Scenario, Sold

_NAMES = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


class Saved(NamedTuple):
    """Both."""

    file: bytes
    books: Books


class OffsetWorld(World):
    """The ledger's file, the service's books, and what must be true of them."""

    def __init__(self, folder: Path, scenario: Scenario) -> None:
        self.scenario = scenario
        self.budget = scenario.budget
        self.may_crash = scenario.may_crash
        self.path = str(folder / "offsets.sqlite3")
        self.dead: set[str] = set()
        self.books = Books()
        self._numbers: dict[str, str] = {}
        self._file: bytes | None = None
        self._rows: tuple[Any, ...] | None = None
        self.repairs = Counter[str]()
        if scenario.earlier:
            self._buy_before()
        self.parts = [Part(self, player) for player in scenario.players]
        self.actors = [part.actor for part in self.parts]
        self._by_name = {part.player.name: part for part in self.parts}

    def open(self, key: str, owner: Owner) -> Ledger:
        """Open a ledger as a process does."""
        return self.scenario.ledger(
            self.path, provider="fake", fingerprint=key, environment="sandbox", clock=self._clock, owner=owner
        )

    def _clock(self) -> float:
        return self.books.now_s

    def _buy_before(self) -> None:
        ledger = self.open("f1", Owner("long ago", 1, 1, ""))
        ledger.adopt(USER)
        ledger.accrue("earlier", 1, LB, is_automatic=True)
        offset = ledger.reserve(is_manual=True, threshold_ug=0, run_id="earlier", cap_ug=None)
        assert not isinstance(offset, Refusal)
        assert ledger.mark_sent(offset.offset_id)
        time_utc = iso_from_us(NOON_US - LAG_US)
        ledger.confirm(offset.offset_id, user_id=USER, time_utc=time_utc, pounds=1)
        sold = Sold(offset.offset_id, ledger.ledger_id, 1, time_utc, "", True, NOON_US - LAG_US, True)
        self.books = Books((sold,), (offset.offset_id,), (("earlier", LB, True),))

    # For the explorer

    def begin(self) -> None:
        self.dead.clear()

    def save(self) -> Saved:
        if self._file is None:
            self._file = Path(self.path).read_bytes()
        return Saved(self._file, self.books)

    def load(self, saved: Saved) -> None:
        if self._file is not saved.file:
            Path(self.path).write_bytes(saved.file)
            self.has_changed()
            self._file = saved.file
        self.books = saved.books
        for part in self.parts:  # time has not gone back for them: it is another one
            part.real._store._changes = 0

    def state(self) -> Hashable:
        return self.rows(), self.write(self.books), tuple(sorted(self.dead))

    def write(self, value: Any) -> str:
        return _NAMES.sub(lambda found: self._numbers.get(found[0], found[0]), _plain(value))

    def ended(self, actor: Actor) -> None:
        if actor.is_crashed or not self._by_name[actor.name].player.stays:
            self.dead.add(actor.name)

    def extras(self) -> list[tuple[str, int]]:
        return [
            (what, 0 if what.startswith("wait") else 1)
            for what in self.scenario.extras
            if what not in self.books.extras
        ]

    def happen(self, what: str) -> None:
        books = self.books._replace(extras=tuple(sorted((*self.books.extras, what))))
        if what.startswith("wait"):
            books = books._replace(server_us=books.server_us + LAG_US + 1)
        else:
            books = books._replace(now_s=books.now_s + (86_400 if what == "forth" else -86_400))
        self.books = books

    # For the players

    def has_changed(self) -> None:
        """Look at the file anew."""
        self._file = self._rows = None

    def rows(self) -> tuple[Any, ...]:
        """All that is in the file, with numbers in place of random names."""
        if self._rows is None:
            database = sqlite3.connect(f"{Path(self.path).as_uri()}?mode=ro&immutable=1", uri=True)
            try:
                offsets = database.execute("SELECT * FROM offsets ORDER BY number").fetchall()
                accruals = tuple(database.execute("SELECT * FROM accruals"))
                others = [tuple(database.execute(f"SELECT * FROM {table}")) for table in ("accounts", "keys")]
            finally:
                database.close()
            self._numbers = {row[1]: f"#{row[0]}" for row in offsets}
            self._rows = (tuple((row[0], "", *row[2:]) for row in offsets), accruals, self.write(others))
        return self._rows

    def doubts(self) -> int:
        """How many outcomes are unknown."""
        return sum(row[4] == "unknown" for row in self.rows()[0])

    def accrued(self, run_id: str, mass_ug: int, *, is_automatic: bool) -> None:
        """Keep account of what was accrued."""
        self.books = self.books._replace(accrued=(*self.books.accrued, (run_id, mass_ug, is_automatic)))

    def must_show(self, sold: Sold) -> bool:
        """Whether a purchase is certain to be in the records by now."""
        return self.scenario.auto_release and self.books.server_us - sold.born_us >= LAG_US

    def take_in(self, part: Part, order: Order, how: str) -> None:
        """The order arrives: it is counted, whatever comes of it."""
        books = self.books
        rows = {f"#{row[0]}": row for row in self.rows()[0]}
        row = rows.get(self._numbers.get(order.offset_id, ""))
        assert row is not None, "an order without a row"
        assert row[4] == "sent", f"an order went out while its row was {row[4]}"
        assert part.owner.boot_id in row, "an order went out for somebody else's row"
        assert order.offset_id not in books.posts, "an offset was ordered twice"
        assert part.actor.name not in self.dead
        books = books._replace(
            posts=(*books.posts, order.offset_id),
            arrived=(*books.arrived, (order.offset_id, how)),
        )
        if how == "bought":
            time_utc = iso_from_us(NOON_US + len(books.posts) * 1000)
            sold = Sold(
                order.offset_id,
                order.ledger_id,
                order.pounds,
                time_utc,
                part.player.name,
                bool(row[5]),
                books.server_us,
                is_visible=False,
            )
            books = books._replace(sold=(*books.sold, sold))
        self.books = books

    # What must be true

    def check(self, trace: list[Choice]) -> None:
        """Hold what was sold against what was accrued, to the microgram, and the ledger's sums against its rows."""
        books = self.books
        accrued_ug = sum(ug for _, ug, _ in books.accrued)
        automatic_ug = sum(ug for _, ug, is_automatic in books.accrued if is_automatic)
        sold_ug = sum(sold.pounds for sold in books.sold) * LB
        by_itself_ug = sum(sold.pounds for sold in books.sold if not sold.is_manual) * LB
        assert sold_ug <= accrued_ug, f"{sold_ug} ug were bought, and {accrued_ug} accrued"
        assert by_itself_ug <= automatic_ug, f"{by_itself_ug} ug were bought automatically, of {automatic_ug}"
        if trace and trace[-1].what.partition(" ")[0] in WRITES:
            offsets, accruals, _ = self.rows()
            assert sum(row[3] for row in accruals) == accrued_ug, "an accrual was lost"
            given_back = {f"#{row[0]}" for row in offsets if row[4] == "rejected"}
            for sold in books.sold:
                assert self._numbers[sold.offset_id] not in given_back, "what was bought counts as not bought"
            out_ug = sum(row[7] for row in offsets if row[4] != "rejected")
            assert out_ug <= accrued_ug, f"{out_ug} ug are taken out of {accrued_ug}"

    def check_balance(self, balance: Balance) -> None:
        """Hold the sums of an account against each other."""
        out_ug = balance.confirmed_ug + balance.pending_ug + balance.unknown_ug
        assert balance.accrued_ug - out_ug == balance.open_ug - balance.debt_ug
        assert 0 <= balance.automatic_ug <= balance.open_ug
        assert balance.debt_ug == 0, "more was taken out than was accrued"

    def finish(self) -> None:
        """Reconcile with all records visible, have a person release what is not there, buy the rest: all is spent."""
        saved = self.save()
        dead = set(self.dead)
        try:
            self.dead.update(part.player.name for part in self.parts)
            self._settle_up()
        finally:
            self.has_changed()
            self.load(saved)
            self.dead.clear()
            self.dead.update(dead)

    def _settle_up(self) -> None:
        sold = {entry.offset_id for entry in self.books.sold}
        for key in sorted({part.player.key for part in self.parts}):
            ledger = self.open(key, Owner("the end", 1, 1, "the end"))
            last = self.scenario.desk(ledger, PlainService(self), threshold_ug=THRESHOLD_UG, cap_ug=None, log=QUIET)
            last.reconcile()
            for offset in ledger.unsettled():
                assert offset.state is OffsetState.UNKNOWN, f"nobody settles an offset that is {offset.state.value}"
                assert offset.offset_id not in sold, "a purchase that is in the records stays unknown"
                ledger.release(offset.offset_id)
                self.repairs["released"] += 1
            last.buy("the end", is_manual=True)
        self.has_changed()
        self.check([Choice("the end", "settle ok", 0)])
        accounts = Ledger.accounts(self.path)
        for account in accounts:
            self.check_balance(account.balance)
        accrued_ug = sum(ug for _, ug, _ in self.books.accrued)
        sold_ug = sum(entry.pounds for entry in self.books.sold) * LB
        open_ug = sum(account.balance.open_ug for account in accounts)
        assert accrued_ug - sold_ug == open_ug, f"{accrued_ug - sold_ug} ug are left, and the ledger says {open_ug}"
        assert len(accounts) == 1
        assert open_ug < LB, "a pound stays unbought"


def _plain(value: Any) -> str:
    if value is None or isinstance(value, str | int | float | bool | Enum):
        return repr(value)
    if isinstance(value, Order):
        value = value._replace(send_by_s=0.0)  # the one thing that depends on when the test runs
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_plain, value))})"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(_plain, value)))}}}"
    if isinstance(value, Standing):
        return _plain((value.is_ready, value.key_fault, value.is_quoted, value.looked_for, value.may_look_s > 0))
    if isinstance(value, Desk):
        return _plain(value._standing)
    return type(value).__name__
