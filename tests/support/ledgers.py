"""Ledgers for tests: small files with fixed names, a clock that moves when told, and processes that never were."""

from __future__ import annotations

from codecarbon.handlers.offset.ledger import Ledger
from codecarbon.handlers.offset.owners import Owner, this_process
from codecarbon.handlers.offset.provider import Record, Scan
from codecarbon.units import UG_PER_LB, US_PER_MIN

KG = 1_000_000_000
LB = UG_PER_LB
THRESHOLD_UG = KG // 2
MINUTE = US_PER_MIN
NOON_US = 1_795_262_400_000_000  # 2026-11-21T12:00Z, the service's time at the beginning
DEAD = Owner("a boot long past", 4242, 1, "1")


class Clock:
    """Seconds since 1970, which pass only when told."""

    def __init__(self, now_s: float = 1_795_262_400.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


def ledger_at(path, *, fingerprint="f1", environment="sandbox", owner=None, clock=None, **options) -> Ledger:
    """Open a ledger."""
    return Ledger(
        path,
        provider="fake",
        fingerprint=fingerprint,
        environment=environment,
        clock=clock or Clock(),
        owner=owner,
        **options,
    )


def neighbour(pid: int = 4242) -> Owner:
    """A living process as far as anybody can tell: one of another container."""
    return this_process()._replace(pid=pid, pid_namespace="another")


def reserve(ledger: Ledger, *, is_manual=False, threshold_ug=THRESHOLD_UG, run_id="run", cap_ug=None):
    """Reserve with the usual threshold."""
    return ledger.reserve(is_manual=is_manual, threshold_ug=threshold_ug, run_id=run_id, cap_ug=cap_ug)


def reserved(ledger: Ledger, **options):
    """Reserve, and be sure of it."""
    offset = reserve(ledger, **options)
    assert not isinstance(offset, str), offset
    return offset


def sent(ledger: Ledger, **options):
    """Reserve and mark as sent."""
    offset = reserved(ledger, **options)
    assert ledger.mark_sent(offset.offset_id)
    return offset


def time_of(number: int) -> str:
    """When the service made its purchase of that number."""
    return f"2026-11-21T12:{number // 60:02}:{number % 60:02}.207Z"


def bought(ledger: Ledger, number: int, **options):
    """Buy, with the service's purchase of that number as the answer."""
    offset = sent(ledger, **options)
    return ledger.confirm(offset.offset_id, user_id="U1", time_utc=time_of(number), pounds=offset.pounds)


def unknown(ledger: Ledger, **options):
    """Buy, and never hear of it again."""
    return ledger.mark_unknown(sent(ledger, **options).offset_id, "no answer")


def record(number: int, *, pounds=1, offset_id=None, ledger_id=None, cancelled=False) -> Record:
    """The service's purchase of that number."""
    return Record("U1", time_of(number), pounds, offset_id, ledger_id, cancelled)


def scan(*records: Record, is_complete=True, server_us: int | None = NOON_US) -> Scan:
    """What the service lists."""
    return Scan(records, is_complete, server_us, "" if is_complete else "page 2 did not come")


def accounted(ledger: Ledger) -> None:
    """Every microgram is somewhere, and in one place only."""
    balance = ledger.balance()
    out = balance.confirmed_ug + balance.pending_ug + balance.unknown_ug
    assert balance.accrued_ug - out == balance.open_ug - balance.debt_ug
    assert 0 <= balance.automatic_ug <= balance.open_ug
    assert not (balance.open_ug and balance.debt_ug)
