"""What is said about offsets: masses, states, and what happens next, in words; nothing here asks anybody."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from codecarbon import units
from codecarbon.cli import picture
from codecarbon.handlers.offset.entries import Accrual

if TYPE_CHECKING:
    from codecarbon.handlers.offset.entries import Balance, Offset

_MG = 1_000  # micrograms
_DIGITS = 9
_HIDDEN_DIGITS = 3
_SHORT = 8
_RANDOM = re.compile(r"[0-9a-f]{8}-")
# Blanks at the end of a line, before what ends its attributes.
_PADDING = re.compile("[ ]+((?:\x1b\\[[0-9;]*m)*)$")

STATES = {
    "reserved": "set aside; nothing was sent yet",
    "sent": "sent; the answer is awaited",
    "confirmed": "bought",
    "rejected": "not bought; its mass waits again",
    "unknown": "may have been bought; nothing more is until codecarbon offset reconcile settles it",
    "cancelled": "bought, then cancelled; its mass waits for buying by hand only",
}


class Plan(NamedTuple):
    """What the settings say about automatic buying.

    Attributes:
        threshold_ug: From which mass on it buys.
        is_automatic: Whether it does at all.
        hindrance: What hinders it; empty when nothing does that is known here.
    """

    threshold_ug: int
    is_automatic: bool
    hindrance: str = ""


def kg_text(mass_ug: int, *, is_ceiling: bool = False) -> str:
    """Write a mass in kg, to the nearest milligram, or rounded up for what is still missing."""
    mass_mg = -(-mass_ug // _MG) if is_ceiling else (mass_ug + _MG // 2) // _MG
    whole, rest = divmod(abs(mass_mg) * _MG, units.UG_PER_KG)
    return f"{'-' if mass_mg < 0 else ''}{whole:,}.{rest:0{_DIGITS}d}"[:-_HIDDEN_DIGITS] + " kg"


def short_kg_text(mass_ug: int) -> str:
    """Write a mass that somebody chose, as short as it is."""
    return f"{units.kg_from_ug(mass_ug):g} kg"


def pounds_text(pounds: int) -> str:
    """Write whole pounds."""
    return f"{pounds:,} lb"


def pounds_of(offset: Offset) -> int:
    """What was bought, or ordered while nobody knows."""
    return offset.pounds if offset.bought_pounds is None else offset.bought_pounds


def price_text(cost_cents: int) -> str:
    """Write a price."""
    dollars, cents = divmod(cost_cents, 100)
    return f"{dollars:,}.{cents:02d} US dollars"


def moment(unix_us: int) -> str:
    """Write a moment in local time."""
    return f"{picture.local_time(unix_us):%Y-%m-%d %H:%M:%S}"


def minute(unix_us: int) -> str:
    """Write a moment in local time, without seconds."""
    return f"{picture.local_time(unix_us):%Y-%m-%d %H:%M}"


def short(offset_id: str) -> str:
    """The beginning of an id, enough to name it; all of one that the service made up, which begin alike."""
    return offset_id[:_SHORT] if _RANDOM.match(offset_id) else offset_id


def mark_of(environment: str) -> str:
    """What stands before every line about an account that spends no money; nothing for one that does."""
    words = [word for word in ("sandbox", "dry run") if word in environment]
    return f"{', '.join(words)}: " if words else ""


def marked(lines: str, environment: str) -> str:
    """Put the account's mark before every line."""
    mark = mark_of(environment)
    return "".join(_PADDING.sub(r"\1", f"{mark}{line}") + "\n" for line in lines.splitlines())


def command(name: str, environment: str) -> str:
    """The command to give next, with the options that lead to an account."""
    words = ["codecarbon offset", name]
    if "sandbox" in environment:
        words.append("--environment sandbox")
    if "dry run" in environment:
        words.append("--dry-run")
    return " ".join(words)


def when_us(row: Accrual | Offset) -> int:
    """When a row of the ledger got what it says."""
    if isinstance(row, Accrual):
        return row.changed_us
    return max(row.created_us, row.sent_us or 0, row.settled_us or 0, row.cancelled_us or 0)


def state_of(offset: Offset) -> str:
    """The state's word; a cancelled offset has one of its own."""
    return "cancelled" if offset.cancelled_us is not None else str(offset.state.value)


def say_next(balance: Balance, plan: Plan, environment: str, *, is_current: bool) -> str:
    """Say what happens next to what waits, in a sentence without full stop.

    Args:
        balance: The account's sums.
        plan: The settings.
        environment: The account's environment.
        is_current: Whether the configured key is the account's.
    """
    if balance.unknown_ug:
        return "nothing more is bought until it is known what became of the unknown purchase"
    if balance.pending_ug:
        settle = command("reconcile", environment)
        return f"the answer about what is under way is awaited; should its process have ended: {settle}"
    by_hand = units.lb_from_ug(balance.open_ug)
    hand = f"{pounds_text(by_hand)} can be bought by hand: {command('now', environment)}" if by_hand else ""
    held = f"{pounds_text(by_hand)} can be bought" if by_hand else "less than 1 lb waits"
    foreign = "that takes the key of this account and its environment, which are not configured here"
    if not is_current or plan.hindrance:
        return plan.hindrance if is_current else f"{held}; {foreign}"
    if not plan.is_automatic:
        return f"automatic buying is off; {hand or 'less than 1 lb waits'}"
    due = units.lb_from_ug(balance.automatic_ug) if balance.automatic_ug >= plan.threshold_ug else 0
    if due:
        return f"{pounds_text(due)} will be bought at the next report of a run with this key"
    more = kg_text(plan.threshold_ug - balance.automatic_ug + balance.debt_ug, is_ceiling=True)
    goal = f"{more} more until {pounds_text(units.lb_from_ug(plan.threshold_ug))} is bought automatically"
    return f"{goal}; {hand}" if hand else goal


def mass_dict(name: str, mass_ug: int) -> dict[str, object]:
    """A mass for programs: exact in whole micrograms, and in kg."""
    return {f"{name}_ug": mass_ug, f"{name}_kg": units.kg_from_ug(mass_ug)}


def balance_dict(balance: Balance) -> dict[str, object]:
    """An account's balance for programs."""
    return {
        **mass_dict("accrued", balance.accrued_ug),
        **mass_dict("confirmed", balance.confirmed_ug),
        **mass_dict("pending", balance.pending_ug),
        **mass_dict("unknown", balance.unknown_ug),
        **mass_dict("open", balance.open_ug),
        **mass_dict("automatic", balance.automatic_ug),
        **mass_dict("debt", balance.debt_ug),
    }


def offset_dict(offset: Offset) -> dict[str, object]:
    """An offset for programs."""
    return {
        "offset_id": offset.offset_id,
        "state": state_of(offset),
        "ordered_lb": offset.pounds,
        "bought_lb": offset.bought_pounds,
        **mass_dict("mass", offset.mass_ug),
        **mass_dict("automatic", offset.automatic_ug),
        "is_manual": offset.is_manual,
        "run_id": offset.run_id,
        "created_utc": units.iso_from_us(offset.created_us),
        "sent_utc": iso_or_none(offset.sent_us),
        "settled_utc": iso_or_none(offset.settled_us),
        "cancelled_utc": iso_or_none(offset.cancelled_us),
        "user_id": offset.user_id,
        "time_utc": offset.time_utc,
        "error": offset.error or None,
    }


def iso_or_none(unix_us: int | None) -> str | None:
    """A moment for programs; None where there is none."""
    return None if unix_us is None else units.iso_from_us(unix_us)
