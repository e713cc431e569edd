"""Processes that buy offsets, on a real ledger, at a service that goes wrong in every way; for the explorer.

Ledger and desk are the real ones, and so is the file. Steps are the ledger's methods, each one transaction (two look
first whether there is anything to do, and look again inside), and the calls of the service, of which a purchase is two:
the order comes in, the answer comes back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from codecarbon.errors import LedgerError
from codecarbon.handlers.offset.desk import Desk, Standing
from codecarbon.handlers.offset.ledger import Ledger, Refusal
from codecarbon.handlers.offset.owners import Owner
from codecarbon.handlers.offset.provider import Account, Order, Outcome, Quote, Record, Scan
from codecarbon.units import KG_PER_LB, US_PER_MIN, iso_from_us
from tests.support.explorer import Actor, Operation
from tests.support.ledgers import NOON_US, THRESHOLD_UG

if TYPE_CHECKING:
    from tests.support.offset_world import OffsetWorld

QUIET = logging.getLogger("codecarbon.tests.quiet")
QUIET.addHandler(logging.NullHandler())
QUIET.setLevel(logging.CRITICAL + 1)
QUIET.propagate = False
USER = "U1"
LAG_US = 15 * US_PER_MIN
WRITES = {"accrue", "reserve", "mark_sent", "confirm", "reject", "mark_unknown", "take_over_dead", "settle", "adopt"}
_ALIKE = {"breaks", "blank"}
_ORDERS = [("bought", 0), ("absent", 1), ("refused", 1), ("key", 1)]
_LOST = Outcome("unknown", error_kind="connection", message="no usable answer came")


class Boot(str):
    """A machine's start as a process knows it that also knows who has died: their starts are another one."""

    dead: set[str]
    __slots__ = ("dead",)
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return other in self.dead


class Sold(NamedTuple):
    """A purchase in the service's books."""

    offset_id: str
    ledger_id: str
    pounds: int
    time_utc: str
    by: str
    is_manual: bool
    born_us: int
    is_visible: bool


class Books(NamedTuple):
    """All that is not in the ledger's file."""

    sold: tuple[Sold, ...] = ()
    posts: tuple[str, ...] = ()
    accrued: tuple[tuple[str, int, bool], ...] = ()
    arrived: tuple[tuple[str, str], ...] = ()
    server_us: int = NOON_US
    now_s: float = NOON_US / 1e6
    extras: tuple[str, ...] = ()


@dataclass(frozen=True)
class Player:
    """A process of a scenario.

    Attributes:
        name: Its name.
        play: What it does.
        after: The player whose crash it comes after; empty when it is there from the start.
        key: Fingerprint of its key.
        stays: Whether it lives on when it has nothing more to do.
    """

    name: str
    play: Callable[[Part], None]
    after: str = ""
    key: str = "f1"
    stays: bool = False


@dataclass(frozen=True)
class Scenario:
    """Who does what, and what may go wrong.

    Attributes:
        players: The processes.
        budget: How many faults there may be on one path.
        ledger_faults: Whether the ledger may fail.
        extras: What happens besides, once each: "forth" and "back" step the machine's clock, "wait" passes 20 minutes.
        auto_release: Whether absent purchases are released; then they are visible after 15 minutes.
        earlier: Whether a purchase was made before, so that names are known to be listed.
        may_crash: Whether processes crash; each crash is a fault.
        is_brief: Whether faults are left out after which the desk does the same as after another.
        ledger: The ledger's class.
        desk: The desk's class.
    """

    players: tuple[Player, ...]
    budget: int = 1
    ledger_faults: bool = False
    extras: tuple[str, ...] = ()
    auto_release: bool = False
    earlier: bool = False
    is_brief: bool = False
    may_crash: bool = True
    ledger: type[Ledger] = Ledger
    desk: type[Desk] = Desk


class Part:
    """What a player has: its own ledger, service and desk."""

    def __init__(self, world: OffsetWorld, player: Player) -> None:
        self.world, self.player = world, player
        boot = Boot(player.name)
        boot.dead = world.dead
        self.owner = Owner(boot, 1, 1, player.name)
        self.real = world.open(player.key, self.owner)
        self.actor = Actor(player.name, self._run, after=player.after)
        self.ledger = WatchedLedger(self)
        self.service = Service(self)

    def _run(self, _actor: Actor) -> None:
        scenario = self.world.scenario
        self.desk = scenario.desk(
            self.ledger,
            self.service,
            threshold_ug=THRESHOLD_UG,
            cap_ug=None,
            auto_release=scenario.auto_release,
            standing=Standing(),
            log=QUIET,
        )
        # The handler tells a ledger's fault and goes on; a signal ends the process.
        expected = (LedgerError, KeyboardInterrupt) if scenario.ledger_faults else (KeyboardInterrupt,)
        with suppress(*expected):
            self.player.play(self)

    def accrue(self, mass_ug: int, *, is_automatic: bool = True, run_id: str = "") -> None:
        """Accrue; the same run id may come again, with a total that holds what was there."""
        self.ledger.accrue(run_id or self.player.name, 1, mass_ug, is_automatic=is_automatic)

    def buy(self, *, is_manual: bool = False) -> None:
        """Buy."""
        self.desk.buy(self.player.name, is_manual=is_manual)


class WatchedLedger:
    """The ledger, which stops before each transaction."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self.ledger_id, self.path = part.real.ledger_id, part.real.path

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._part.real, name)

        def call(*arguments: Any, **named: Any) -> Any:
            return self._part.actor.act(Operation(name, lambda how: perform(how, arguments, named), variants))

        def perform(how: str, arguments: Any, named: Any) -> Any:
            world = self._part.world
            if how == "fails":
                raise LedgerError("the disk is full, and nothing was changed")
            doubts = world.doubts() if name in {"reserve", "mark_sent"} else 0
            found = method(*arguments, **named)
            if doubts:
                assert isinstance(found, Refusal) or found is False, f"{name} while an outcome is unknown"
            if name == "accrue":
                run_id, _, total_ug = arguments
                known = sum(ug for run, ug, _ in world.books.accrued if run == run_id)
                world.accrued(run_id, max(0, total_ug - known), is_automatic=named["is_automatic"])
            if name in WRITES:
                world.has_changed()
            if name == "balance":
                world.check_balance(found)
            return found

        def variants() -> list[tuple[str, int]]:
            may_fail = self._part.world.scenario.ledger_faults and name in WRITES
            return [("ok", 0), ("fails", 1)] if may_fail else [("ok", 0)]

        return call


class Service:
    """The service as one process reaches it."""

    name = "fake"
    environment = "sandbox"

    def __init__(self, part: Part) -> None:
        self._part, self._world = part, part.world

    def quote(self, pounds: int) -> Quote:
        """Tell nothing."""
        return Quote(pounds, pounds * KG_PER_LB, None, None, "")

    def account(self) -> Account | None:
        """Say whose key it is, or not."""
        return self._part.actor.act(
            Operation(
                "account",
                lambda how: Account(USER, "") if how == "ok" else None,
                lambda: [("ok", 0), ("silent", 1)],
                is_private=True,
            )
        )

    def purchase(self, order: Order) -> Outcome:
        """Take an order in, and answer."""
        self._part.actor.act(
            Operation(
                "order",
                lambda how: self._world.take_in(self._part, order, how),
                lambda: _ORDERS[: 3 if self._world.scenario.is_brief else 4],
            )
        )
        return self._part.actor.act(
            Operation("answer", lambda how: self._answer(order, how), lambda: self._answers(order))
        )

    def find(self) -> Scan:
        """Show the books."""
        return self._part.actor.act(Operation("find", self._find, self._looks))

    def _answers(self, order: Order) -> list[tuple[str, int]]:
        arrived = dict(self._world.books.arrived)[order.offset_id]
        if arrived in {"refused", "key"}:
            return [(arrived, 0)]
        others = any(sold.offset_id != order.offset_id for sold in self._world.books.sold)
        found = [("lost", 0 if arrived == "absent" else 1), ("interrupt", 1), ("breaks", 1), ("blank", 1)]
        if arrived == "bought":
            found.insert(0, ("ok", 0))
        if self._world.scenario.is_brief:
            found = [way for way in found if way[0] not in _ALIKE]
        return [*found, ("repeat", 0 if arrived == "absent" else 1)] if others else found

    def _answer(self, order: Order, how: str) -> Outcome:
        sold = self._world.books.sold
        mine = [entry for entry in sold if entry.offset_id == order.offset_id]
        if how == "repeat":
            mine = [entry for entry in sold if entry.offset_id != order.offset_id]
        if how in {"ok", "repeat"}:
            return Outcome("bought", USER, mine[-1].time_utc, mine[-1].pounds)
        if how == "blank":
            return Outcome("bought", "", "", 0)
        if how == "breaks":
            raise RuntimeError("the SDK broke")
        if how == "interrupt":
            raise KeyboardInterrupt
        if how == "lost":
            return _LOST
        return Outcome("not_bought", error_kind="key_error" if how == "key" else "connection", message="refused")

    def _looks(self) -> list[tuple[str, int]]:
        world = self._world
        looks = [("all", 0), ("half", 1)]
        if any(not sold.is_visible and not world.must_show(sold) for sold in world.books.sold):
            looks.insert(1, ("late", 0))
        return looks

    def _find(self, how: str) -> Scan:
        world = self._world
        books = world.books
        if how != "half":
            shown = tuple(
                sold._replace(is_visible=sold.is_visible or how == "all" or world.must_show(sold))
                for sold in books.sold
            )
            world.books = books = books._replace(sold=shown)
        records = tuple(
            Record(USER, sold.time_utc, sold.pounds, sold.offset_id, sold.ledger_id, cancelled=False)
            for sold in reversed(books.sold)
            if sold.is_visible
        )
        if how == "half":
            return Scan(records[: len(records) // 2], is_complete=False, server_us=books.server_us, error="page 2")
        return Scan(records, is_complete=True, server_us=books.server_us)


class PlainService(Service):
    """The service on a good day, when nobody else is there."""

    def __init__(self, world: OffsetWorld) -> None:
        self._world = world

    def account(self) -> Account | None:
        return Account(USER, "")

    def purchase(self, order: Order) -> Outcome:
        self._take(order)
        return self._answer(order, "ok")

    def find(self) -> Scan:
        return self._find("all")

    def _take(self, order: Order) -> None:
        books = self._world.books
        sold = Sold(
            order.offset_id,
            order.ledger_id,
            order.pounds,
            iso_from_us(NOON_US + (len(books.posts) + 1) * 1000),
            "",
            True,
            books.server_us,
            True,
        )
        self._world.books = books._replace(sold=(*books.sold, sold), posts=(*books.posts, order.offset_id))
