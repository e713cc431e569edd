"""What tests of offsets share: a service that does what a script says, and trackers of exactly known emissions."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from codecarbon.handlers.offset import plan as plan_module
from codecarbon.handlers.offset.handler import OffsetOutput
from codecarbon.handlers.offset.ledger import Ledger
from codecarbon.handlers.offset.plan import Plan
from codecarbon.handlers.offset.provider import Account, OffsetProvider, Order, Outcome, Quote, Record, Scan
from codecarbon.handlers.offset.worker import THREAD_NAME
from codecarbon.tracker import OfflineEmissionsTracker
from codecarbon.units import KG_PER_LB, UG_PER_LB
from tests.support.fake_session import FakeClock, FakeSession

KG = 1_000_000_000
FINGERPRINT = "0" * 64


def wait_for_purchases() -> None:
    """Let purchases that a test left under way end with it: else they would speak in the log of the next one."""
    for thread in threading.enumerate():
        if thread.name == THREAD_NAME:
            thread.join(40)
            assert not thread.is_alive(), "a purchase outlives its test"


def bought(order: Order, number: int) -> Outcome:
    """What the service says when all is well."""
    return Outcome("bought", "U1", f"2026-11-20T09:14:{number // 1000 % 60:02d}.{number % 1000:03d}Z", order.pounds)


REFUSED = Outcome("not_bought", error_kind="connection", message="nothing was sent: connection refused")
LOST = Outcome("unknown", error_kind="connection", message="no usable answer came")
BAD_KEY = Outcome(
    "not_bought", error_kind="key_error", message="the service answered 401 key_error: API Key does not exist"
)


class ScriptedProvider:
    """A service whose outcomes a test writes down; it keeps books, so that what it sold can be compared.

    Attributes:
        script: The next outcomes; "lost" sells and does not answer. When it is empty, everything is sold.
        orders: What was ordered, whatever came of it.
        books: What was sold.
        gate: Orders wait for it.
        arrived: Set when an order has come in.
        quotes, scans, accounts: How often each was asked for.
        scan_fault: Why records cannot be read; empty when they can.
        user: Whose key it is; None when the service does not say.
        hidden: Whether records do not show yet what was sold.
        on_purchase: Called with each order, on the thread that orders.
    """

    name = "oneclickimpact"

    def __init__(self, *script: Outcome | str, environment: str = "sandbox") -> None:
        self.environment = environment
        self.script: list[Outcome | str] = list(script)
        self.orders: list[Order] = []
        self.books: list[Record] = []
        self.gate = threading.Event()
        self.gate.set()
        self.arrived = threading.Event()
        self.quotes = self.scans = self.accounts = 0
        self.scan_fault = ""
        self.user: str | None = "U1"
        self.hidden = False
        self.threads: set[str] = set()
        self.on_purchase: Callable[[Order], None] = lambda _order: None

    @property
    def posts(self) -> int:
        """How many orders came in."""
        return len(self.orders)

    @property
    def pounds(self) -> int:
        """How much was sold."""
        return sum(record.pounds for record in self.books)

    def quote(self, pounds: int) -> Quote:
        """Count it."""
        self.quotes += 1
        return Quote(pounds, pounds * KG_PER_LB, None, "a***@example.org", "No price is published.")

    def account(self) -> Account | None:
        """Say whose key it is."""
        self.accounts += 1
        return None if self.user is None else Account(self.user, "a***@example.org")

    def purchase(self, order: Order) -> Outcome:
        """Do what the script says."""
        self.orders.append(order)
        self.threads.add(threading.current_thread().name)
        self.arrived.set()
        self.on_purchase(order)
        assert self.gate.wait(30), "nobody opened the gate"
        step = self.script.pop(0) if self.script else "bought"
        if isinstance(step, Outcome) and step.kind != "bought":
            return step
        outcome = bought(order, len(self.orders)) if isinstance(step, str) else step
        self.books.append(
            Record(outcome.user_id, outcome.time_utc, outcome.pounds, order.offset_id, order.ledger_id, cancelled=False)
        )
        return LOST if step == "lost" else outcome

    def find(self) -> Scan:
        """Show the books."""
        self.scans += 1
        if self.scan_fault:
            return Scan((), is_complete=False, server_us=None, error=self.scan_fault)
        return Scan(() if self.hidden else tuple(self.books), is_complete=True, server_us=1_000_000)


def make_plan(provider: OffsetProvider, path: object, **changes: Any) -> Plan:
    """A plan that buys from 0.5 kg on."""
    values: dict[str, Any] = {
        "provider_name": provider.name,
        "environment": provider.environment,
        "fingerprint": FINGERPRINT,
        "make_provider": lambda: provider,
        "is_automatic": True,
        "threshold_ug": KG // 2,
        "cap_ug": 50 * KG,
        "stop_wait_s": 20.0,
        "may_release": False,
        "ledger_path": str(path),
    }
    return Plan(**{**values, **changes})


def new_process() -> None:
    """Forget what this process knows of services, as another one would."""
    plan_module._standings.clear()


def check_books(ledger: Ledger, pounds: int) -> None:
    """The rule of it all: what was sold is never more than what was accrued, and what is left is known exactly."""
    balance = ledger.balance()
    assert pounds * UG_PER_LB <= balance.accrued_ug
    out_ug = balance.confirmed_ug + balance.pending_ug + balance.unknown_ug
    assert balance.open_ug - balance.debt_ug == balance.accrued_ug - out_ug


class Site:
    """Trackers on a session of exactly known power: one kilogram in ten seconds of its time.

    Args:
        folder: Where their files go.
        **options: Settings of all of them.
    """

    def __init__(self, folder: Any, **options: Any) -> None:
        self.folder = folder
        self.options = options
        self.clock = FakeClock()
        self.trackers: list[OfflineEmissionsTracker] = []

    def tracker(self, *handlers: Any, **options: Any) -> OfflineEmissionsTracker:
        """Make a tracker that emits 100 g in each second of the session's time, and reports when told."""
        settings = {
            "output_dir": str(self.folder),
            "output_handlers": handlers,
            "country_iso_code": "FRA",
            "force_carbon_intensity_g_co2e_kwh": 100,
            "measure_power_secs": 3600,
            "api_call_interval": -1,
            "log_level": "debug",
            "_session_factory": lambda _settings: FakeSession(self.clock, {"cpu": 3.6e6, "ram": 0.0, "gpu": None}),
            **self.options,
            **options,
        }
        tracker = OfflineEmissionsTracker(**settings)
        self.trackers.append(tracker)
        return tracker

    def emit(self, kg: float) -> None:
        """Let so much time pass that running trackers emit so much."""
        self.clock.pass_s(kg * 10)

    def run(self, kg: float, *handlers: Any, **options: Any) -> OfflineEmissionsTracker:
        """Make a run that emits so much."""
        tracker = self.tracker(*handlers, **options)
        tracker.start()
        self.emit(kg)
        tracker.stop()
        return tracker

    def close(self) -> None:
        """Stop what still runs."""
        for tracker in self.trackers:
            tracker.stop()


def offset_handler(tracker: OfflineEmissionsTracker) -> OffsetOutput:
    """The handler of a tracker, found as users find it."""
    (handler,) = [handler for handler in tracker._output_handlers if hasattr(handler, "manual_offset")]
    assert isinstance(handler, OffsetOutput)
    return handler


def messages(log: Any, level: int = logging.INFO) -> str:
    """What was logged about offsets, one line each."""
    return "\n".join(record.message for record in log.records if record.levelno >= level)
