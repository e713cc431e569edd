"""How offsets are laid out for people: an account's facts, the rows of its ledger, and every line marked."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Literal

from codecarbon import units
from codecarbon.cli import offset_words as words
from codecarbon.cli import text
from codecarbon.handlers.offset.entries import Offset
from codecarbon.handlers.offset.words import title

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from codecarbon.cli.offset_status import AccountView
    from codecarbon.handlers.offset.entries import AccountSummary, Accrual, Balance, Holder

_WIDEST = 100
# Where nobody reads along, as in a pipe, no row is broken in two.
_PIPE = 400


def columns() -> int:
    """How wide text for people may be."""
    return min(shutil.get_terminal_size((_WIDEST, 24)).columns, _WIDEST)


def render(content: RenderableType, environment: str, width: int) -> str:
    """Lay something out, with the account's mark before every line.

    Args:
        content: What rich can draw.
        environment: The account's environment.
        width: How wide lines may be, mark included.
    """
    from rich.console import Console

    console = Console(width=max(width - len(words.mark_of(environment)), 40), highlight=False, markup=False)
    with console.capture() as capture:
        console.print(content)
    return words.marked(capture.get(), environment)


def account_text(view: AccountView) -> str:
    """Tell an account's sums and what happens next."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for label, content, style in _facts(view):
        grid.add_row(label, Text(content, style=style))
    environment = view.summary.environment
    return title_text(view.summary, view.key) + render(grid, environment, columns())


def title_text(summary: AccountSummary, key: str = "") -> str:
    """Name an account."""
    from rich.text import Text

    told = [title(summary.provider), summary.environment, *([f"account {summary.user_id}"] if summary.user_id else [])]
    return render(Text(", ".join([*told, *([key] if key else [])]), style="bold"), summary.environment, columns())


def _facts(view: AccountView) -> Iterable[tuple[str, str, str]]:
    """Label, fact and style of each line about an account."""
    balance, environment = view.summary.balance, view.summary.environment
    yield "emitted", words.kg_text(balance.accrued_ug), ""
    if balance.confirmed_ug:
        pounds = words.pounds_text(units.lb_from_ug(balance.confirmed_ug))
        yield "bought", f"{words.kg_text(balance.confirmed_ug)} ({pounds})", "green"
    else:
        yield "bought", "nothing", ""
    yield "under way", _told(view, ("reserved", "sent")), ""
    yield "unknown", _told(view, ("unknown",)), "red" if balance.unknown_ug else ""
    if balance.debt_ug:
        yield "bought too much", f"{words.kg_text(balance.debt_ug)}; what is emitted next pays for it first", "yellow"
    yield "waiting", _waiting(balance, view.plan), ""
    yield "next", words.say_next(balance, view.plan, environment, is_current=view.is_current), "bold"
    yield "last bought", _last(view.summary.last_bought), ""
    yield "counting now", _counting(view.holder), ""
    if view.skipped:
        yield "not counted", view.skipped, "yellow"
    for warning in view.warnings:
        yield "warning", warning, "yellow"


def _told(view: AccountView, states: Sequence[str]) -> str:
    """Name the offsets in some states."""
    told = [
        f"{words.pounds_text(offset.pounds)}, {words.state_of(offset)} since "
        f"{words.moment(words.when_us(offset))} (offset {words.short(offset.offset_id)})"
        for offset in view.summary.unsettled
        if words.state_of(offset) in states
    ]
    return "; ".join(told) or "nothing"


def _waiting(balance: Balance, plan: words.Plan) -> str:
    """What nothing was bought for, and who may buy it."""
    held = words.kg_text(balance.open_ug)
    if not balance.open_ug or not plan.is_automatic:
        return held
    by_hand_ug = balance.open_ug - balance.automatic_ug
    if not by_hand_ug:
        return f"{held}, for automatic buying from {words.short_kg_text(plan.threshold_ug)} on"
    if not balance.automatic_ug:
        return f"{held}, for buying by hand only"
    mass, threshold = words.kg_text(balance.automatic_ug), words.short_kg_text(plan.threshold_ug)
    by_hand = words.kg_text(by_hand_ug)
    return f"{held}: {mass} for automatic buying from {threshold} on, {by_hand} for buying by hand only"


def _last(offset: Offset | None) -> str:
    if offset is None:
        return "never"
    when = words.moment(offset.settled_us or offset.created_us)
    cancelled = ", cancelled since" if offset.cancelled_us is not None else ""
    return f"{words.pounds_text(words.pounds_of(offset))} at {when} (offset {words.short(offset.offset_id)}){cancelled}"


def _counting(holder: Holder | None) -> str:
    if holder is None:
        return "no run"
    where = " of another container" if holder.is_elsewhere else ""
    return f"run {words.short(holder.run_id)} of process {holder.pid}{where}, since {words.moment(holder.since_us)}"


_HEADS = ("when", "what", "kg", "lb", "state", "id", "how")
_NUMBERS = {"kg", "lb"}
_STYLES = {"confirmed": "green", "unknown": "red", "rejected": "dim", "cancelled": "dim"}


def ledger_text(rows: Sequence[Accrual | Offset], environment: str) -> str:
    """Lay out rows of an account's ledger, newest first; what was bought has a minus, and what went wrong a line."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in _HEADS:
        justify: Literal["left", "right"] = "right" if head in _NUMBERS else "left"
        table.add_column(head, justify=justify, no_wrap=head != "how", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in _cells(row)))
    width = columns()
    errors = [
        line
        for row in rows
        if isinstance(row, Offset) and row.error
        for line in text.wrap(f"  {words.short(row.offset_id)}  ", row.error, width - len(words.mark_of(environment)))
    ]
    shown = render(table, environment, width if text.is_terminal(sys.stdout) else _PIPE)
    return shown + (words.marked("\n".join(["", *errors]), environment) if errors else "")


def _cells(row: Accrual | Offset) -> tuple[str, ...]:
    """The cells of a row, in the order of the heads."""
    when = words.minute(words.when_us(row))
    mass = words.kg_text(row.mass_ug).removesuffix(" kg")
    if not isinstance(row, Offset):
        by_hand = "by hand" if not row.automatic_ug else "partly by hand"
        return when, "emitted", mass, "", "", words.short(row.run_id), by_hand if row.automatic_ug < row.mass_ug else ""
    pounds, state = f"{words.pounds_of(row):,}", words.state_of(row)
    return when, "offset", f"-{mass}", pounds, state, words.short(row.offset_id), "by hand" if row.is_manual else ""


def legend_text(states: Iterable[str]) -> str:
    """Explain the states that a table shows."""
    lines = []
    for state in states:
        lines += text.wrap(f"  {state:<10} ", words.STATES[state], columns())
    return "".join(f"{line}\n" for line in lines)
