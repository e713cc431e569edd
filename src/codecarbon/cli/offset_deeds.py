"""``codecarbon offset now``, ``reconcile`` and ``cancel``: what spends, settles or takes back, after asking."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from codecarbon import units
from codecarbon._version import __version__
from codecarbon.cli import document, text
from codecarbon.cli import offset_words as words
from codecarbon.cli.offset_account import Account, open_account
from codecarbon.cli.offset_watch import Manner, watch
from codecarbon.cli.options import FAILURE, USAGE_ERROR, fail
from codecarbon.errors import ConfigError, LedgerError
from codecarbon.handlers.offset.desk import Ending as Why
from codecarbon.handlers.offset.entries import OffsetState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from codecarbon.cli.offset_account import Ask
    from codecarbon.handlers.offset.entries import Offset, Settlement
    from codecarbon.handlers.offset.provider import Cancellation, Quote, Record

DONE, UNSETTLED = 0, 3
SCHEMAS = {name: f"codecarbon.offset.{name}/1" for name in ("now", "reconcile", "cancel")}
_LONGEST_REASON = 200
_STAY = "the order may be out already: waiting for its answer; Ctrl-C once more leaves it unknown"


class Ending(NamedTuple):
    """How a command ended.

    Attributes:
        exit_code: Its exit code.
        result: The same in a word, for programs.
        message: The same for people, lines without a full stop at the end.
        facts: What else programs are told.
    """

    exit_code: int
    result: str
    message: str
    facts: dict[str, Any]

    def show(self, name: str, account: Account, manner: Manner) -> int:
        """Print it and give the exit code."""
        environment = account.environment
        if manner.is_json:
            content = {
                "schema": SCHEMAS[name],
                "codecarbon_version": __version__,
                "provider": account.provider.name,
                "environment": environment,
                "result": self.result,
                "message": self.message,
                **self.facts,
                "balance": words.balance_dict(account.ledger.balance()),
            }
            document.write(content, to_stdout=True, path=None)
        else:
            typer.echo(words.marked(self.message, environment), nl=False, err=self.exit_code != DONE)
        return self.exit_code


def _need_somebody(manner: Manner, why: str) -> None:
    """End with a usage error where nobody can be asked."""
    if not manner.can_go_on:
        fail(f"{why}, and there is no terminal to ask on: nothing was done; --yes does it without asking", USAGE_ERROR)


# --- now --------------------------------------------------------------------------------------------------------------


def now(ask: Ask, pounds: str | None, manner: Manner) -> int:
    """Buy what waits, or some pounds of it.

    Args:
        ask: Which account.
        pounds: How much, as it was written; None for every whole pound.
        manner: Whether to ask, and how to answer.

    Returns:
        The exit code.
    """
    wanted = None if pounds is None else _read_pounds(pounds)
    _need_somebody(manner, "Buying has to be agreed to")
    account = open_account(ask)
    return _now(account, wanted, manner).show("now", account, manner)


def _read_pounds(given: str) -> int:
    try:
        pounds = int(given)
    except ValueError:
        pounds = 0
    if pounds < 1:
        raise ConfigError("pounds", given, "option --pounds", "a whole number of pounds, 1 or more")
    return pounds


def _now(account: Account, wanted: int | None, manner: Manner) -> Ending:
    settlement = _settle(account)
    balance = account.ledger.balance()
    if balance.unknown_ug:
        message = "\n".join((*_settlement_lines(settlement), _unknown_text(account)))
        return Ending(UNSETTLED, "blocked", message, _facts(offsets=settlement.still_unknown))
    if not settlement.is_complete:
        message = f"the records could not be read: {settlement.error}; nothing was bought"
        return Ending(FAILURE, "not_ready", message, _facts())
    held = units.lb_from_ug(balance.open_ug)
    if not held:
        message = f"{words.kg_text(balance.open_ug)} waits; from 1 lb (0.453593 kg) on it can be bought"
        return Ending(DONE, "nothing_due", message, _facts())
    if wanted is not None and wanted > held:
        message = (
            f"nothing was bought: {words.kg_text(balance.open_ug)} waits, enough for {words.pounds_text(held)} only"
        )
        return Ending(FAILURE, "too_little", message, _facts())
    pounds = held if wanted is None else wanted
    quote = watch("asking for a quote", account.environment, lambda: account.provider.quote(pounds))
    manner.tell(_quote_text(account, quote, balance.open_ug), account.environment)
    if not manner.agrees(_question(account.environment, pounds), account.environment):
        return Ending(FAILURE, "declined", "nothing was bought", _facts(quote))
    return _buy(account, quote)


def _question(environment: str, pounds: int) -> str:
    amount = words.pounds_text(pounds)
    if words.mark_of(environment):
        return f"Buy {amount}, without money?"
    return f"Buy {amount} for real money?"


def _quote_text(account: Account, quote: Quote, open_ug: int) -> str:
    """What would be bought, from whom, for what, at which price."""
    mass_ug = units.ug_from_lb(quote.pounds)
    rest = words.kg_text(open_ug - mass_ug)
    rows = [
        (
            "to buy",
            f"{words.pounds_text(quote.pounds)} of captured CO2 ({words.kg_text(mass_ug)})",
        ),
        ("from", f"{account.name}, {account.environment}"),
        ("account", quote.account or "that of the key"),
        ("price", "not known" if quote.cost_cents is None else words.price_text(quote.cost_cents)),
        ("for", f"{words.kg_text(open_ug)} that waits; {rest} stays for the next time"),
        *([("note", quote.note)] if quote.note else []),
    ]
    return "".join(f"{line}\n" for label, content in rows for line in text.wrap(f"{label:<9} ", content, 72))


def _buy(account: Account, quote: Quote) -> Ending:
    """Buy what was shown, and never more."""
    desk = account.desk(cap_ug=units.ug_from_lb(quote.pounds))
    run_id = str(uuid.uuid4())
    try:
        bought = watch("buying", account.environment, lambda: desk.buy(run_id, is_manual=True), warning=_STAY)
    except KeyboardInterrupt:
        text.say(f"{words.mark_of(account.environment)}{_left_text(account.environment)}")
        raise
    except LedgerError as error:
        # Perhaps before anything was sent, perhaps when the answer was to be written down.
        again = words.command("reconcile", account.environment)
        fail(f"{error}; an order may be out: {again} tells, once the ledger can be used again", UNSETTLED)
    own = [offset for offset in account.ledger.offsets() if offset.run_id == run_id]
    facts = _facts(quote, own)
    lines = [_bought_text(offset) for offset in bought.offsets]
    doubts = [offset for offset in own if offset.state is OffsetState.UNKNOWN]
    if doubts:
        lines += [f"it is not known whether {_name(offset)} was bought: {offset.error}" for offset in doubts]
        lines.append(
            f"nothing more is bought until that is known: run {words.command('reconcile', account.environment)}"
        )
        return Ending(UNSETTLED, "unknown", "\n".join(lines), facts)
    is_all = sum(offset.pounds for offset in bought.offsets) >= quote.pounds
    if not is_all:
        lines.append(bought.message)
    lines.append(f"{words.kg_text(account.ledger.balance().open_ug)} stays for the next time")
    code = DONE if is_all else UNSETTLED if bought.ending is Why.BLOCKED else FAILURE
    return Ending(code, "bought" if is_all else bought.ending.value, "\n".join(lines), facts)


def _left_text(environment: str) -> str:
    return f"left before the answer came; {words.command('reconcile', environment)} tells what became of the order"


def _bought_text(offset: Offset) -> str:
    pounds = words.pounds_of(offset)
    other = f", in place of the {words.pounds_text(offset.pounds)} that were ordered" if pounds != offset.pounds else ""
    mass = words.kg_text(offset.mass_ug)
    return f"bought {words.pounds_text(pounds)} ({mass}){other}: offset {words.short(offset.offset_id)}"


def _facts(quote: Quote | None = None, offsets: Iterable[Offset] = ()) -> dict[str, Any]:
    """What programs are told about a purchase."""
    told = None
    if quote is not None:
        told = {
            "mass_lb": quote.pounds,
            **words.mass_dict("mass", units.ug_from_lb(quote.pounds)),
            "cost_usd_cents": quote.cost_cents,
            "account": quote.account,
            "note": quote.note or None,
        }
    return {"quote": told, "offsets": [words.offset_dict(offset) for offset in offsets]}


# --- reconcile --------------------------------------------------------------------------------------------------------


def reconcile(ask: Ask, manner: Manner, *, is_release: bool) -> int:
    """Settle what is unknown by the service's records, and give up what they lack if that is agreed to.

    Returns:
        The exit code.
    """
    if is_release:
        _need_somebody(manner, "Giving up has to be agreed to")
    account = open_account(ask)
    settlement = _settle(account)
    lines = list(_settlement_lines(settlement))
    released: list[Offset] = []
    if settlement.still_unknown and is_release and settlement.is_complete:
        manner.tell("".join(f"{line}\n" for line in lines), account.environment)
        released, lines = _release(account, settlement, manner), []
    return _reconciled(account, settlement, released, lines).show("reconcile", account, manner)


def _settle(account: Account) -> Settlement:
    return watch(f"reading the records of {account.name}", account.environment, account.desk().reconcile)


def _settlement_lines(settlement: Settlement) -> Iterator[str]:
    """What the records say about each purchase that was unknown."""
    for offset in settlement.confirmed:
        yield f"{_name(offset)} is in the records: it was bought at {offset.time_utc}"
    for offset in settlement.imported:
        yield f"{_name(offset)} is in the records and was missing here: it counts as bought now"
    for offset in settlement.released:
        yield f"{_name(offset)} is not in the records, again: it counts as not bought (offset_auto_release)"
    for record in settlement.duplicates:
        yield (
            f"{words.pounds_text(record.pounds)} at {record.time_utc} are in the records a second time for offset "
            f"{words.short(record.offset_id or '')}, and count as bought"
        )
    for offset in settlement.still_unknown:
        since = words.moment(offset.sent_us or offset.created_us)
        where = "is not in the records" if settlement.is_complete else "may be in the records, which could not be read"
        yield f"{_name(offset)}, sent {since}, {where}"


def _name(offset: Offset) -> str:
    return f"offset {words.short(offset.offset_id)} of {words.pounds_text(words.pounds_of(offset))}"


_RISK = (
    "Records may appear late, so it may have been bought all the same: then its mass is bought, and paid for, twice.\n"
    "Look at the account on the service's own pages first.\n"
)


def _release(account: Account, settlement: Settlement, manner: Manner) -> list[Offset]:
    """Ask for each purchase that the records lack whether to give it up."""
    released = []
    manner.tell(_RISK, account.environment)
    for offset in settlement.still_unknown:
        if manner.agrees(f"Give up {_name(offset)}?", account.environment):
            given_up = account.ledger.release(offset.offset_id)
            manner.tell(f"{_name(offset)} counts as not bought; its mass waits again\n", account.environment)
            released.append(given_up)
    return released


def _reconciled(account: Account, settlement: Settlement, released: list[Offset], lines: list[str]) -> Ending:
    """Say where things stand after reading the records, and after giving up."""
    given_up = {offset.offset_id for offset in released}
    left = tuple(offset for offset in settlement.still_unknown if offset.offset_id not in given_up)
    under_way = [offset for offset in account.ledger.unsettled() if offset.state is not OffsetState.UNKNOWN]
    for offset in under_way:
        since = words.moment(words.when_us(offset))
        lines.append(f"{_name(offset)} is {words.state_of(offset)} since {since}, and left to the process that buys it")
    facts = {
        "is_scan_complete": settlement.is_complete,
        "confirmed": [words.offset_dict(offset) for offset in settlement.confirmed],
        "imported": [words.offset_dict(offset) for offset in settlement.imported],
        "released": [words.offset_dict(offset) for offset in (*settlement.released, *released)],
        "under_way": [words.offset_dict(offset) for offset in under_way],
        "still_unknown": [words.offset_dict(offset) for offset in left],
        "duplicates": [_record_dict(record) for record in settlement.duplicates],
    }
    if not settlement.is_complete:
        lines.append(f"the records could not be read completely: {settlement.error}; nothing was given up")
        return Ending(FAILURE, "incomplete", "\n".join(lines), facts)
    if left:
        lines.append(_unknown_text(account))
        return Ending(UNSETTLED, "unknown", "\n".join(lines), facts)
    lines.append("nothing is unknown" + ("" if lines or released else ": there was nothing to settle"))
    return Ending(DONE, "settled", "\n".join(lines), facts)


def _unknown_text(account: Account) -> str:
    """What to do about purchases that stay unknown."""
    again = words.command("reconcile", account.environment)
    return (
        "nothing is bought until that is known; records may appear late\n"
        f"to look again later: {again}\n"
        f"when the account shows that it was not bought: {again} --release"
    )


def _record_dict(record: Record) -> dict[str, Any]:
    return {
        "user_id": record.user_id,
        "time_utc": record.time_utc,
        "mass_lb": record.pounds,
        "offset_id": record.offset_id,
        "is_cancelled": record.cancelled,
    }


# --- cancel -----------------------------------------------------------------------------------------------------------


def cancel(ask: Ask, offset_id: str, reason: str, manner: Manner) -> int:
    """Cancel an offset that was bought.

    Args:
        ask: Which account.
        offset_id: The offset, or the beginning of its id.
        reason: Why, for the service; empty to say nothing.
        manner: Whether to ask, and how to answer.

    Returns:
        The exit code.
    """
    if len(reason) > _LONGEST_REASON:
        raise ConfigError("reason", reason, "option --reason", f"at most {_LONGEST_REASON} characters")
    _need_somebody(manner, "Cancelling has to be agreed to")
    account = open_account(ask)
    return _cancel(account, _find(account, offset_id), reason, manner).show("cancel", account, manner)


def _find(account: Account, given: str) -> Offset:
    """Find an offset by its id or the beginning of it."""
    wanted = given.strip().casefold()
    found = [offset for offset in account.ledger.offsets() if offset.offset_id.casefold().startswith(wanted)]
    if len(found) != 1 or not wanted:
        where = f"in the ledger of {account.name}, {account.environment}"
        problem = f"{len(found)} offsets {where} begin with {given!r}" if found else f"no offset {given!r} is {where}"
        fail(f"{problem}; {words.command('ledger', account.environment)} lists them", FAILURE)
    return found[0]


def _cancel(account: Account, offset: Offset, reason: str, manner: Manner) -> Ending:
    name, facts = _name(offset), _facts(offsets=(offset,))
    if offset.cancelled_us is not None:
        return Ending(DONE, "cancelled", f"{name} was cancelled at {words.moment(offset.cancelled_us)}", facts)
    provider = account.provider
    user_id, time_utc = offset.user_id, offset.time_utc
    if words.state_of(offset) != "confirmed" or not user_id or not time_utc or not hasattr(provider, "cancel"):
        why = (
            f"{account.name} cannot cancel"
            if words.state_of(offset) == "confirmed"
            else "only what was bought can be cancelled"
        )
        return Ending(FAILURE, "not_cancelled", f"{name} is {words.state_of(offset)}: {why}", facts)
    manner.tell(_cancel_text(offset), account.environment)
    if not manner.agrees(f"Cancel {name}?", account.environment):
        return Ending(FAILURE, "declined", "nothing was cancelled", facts)
    answer = watch("cancelling", account.environment, lambda: provider.cancel(user_id, time_utc, reason))
    return _cancelled(account, offset, answer)


def _cancel_text(offset: Offset) -> str:
    """What would be cancelled, and what then."""
    when = words.moment(offset.settled_us or offset.created_us)
    return (
        f"to cancel  {_name(offset)} ({words.kg_text(offset.mass_ug)}), bought at {when}\n"
        "then       its mass waits for buying by hand only; automatic buying leaves it alone\n"
    )


def _cancelled(account: Account, offset: Offset, answer: Cancellation) -> Ending:
    """Note what came of cancelling."""
    name, facts = _name(offset), _facts(offsets=(offset,))
    if answer.kind == "cancelled":
        done = account.ledger.cancel(offset.offset_id)
        waits = words.kg_text(account.ledger.balance().open_ug)
        return Ending(DONE, "cancelled", f"cancelled {name}; {waits} waits now", _facts(offsets=(done,)))
    if answer.kind == "unknown":
        message = f"whether {name} was cancelled is not known: {answer.message}; the same command may be given again"
        return Ending(UNSETTLED, "unknown", message, facts)
    return Ending(FAILURE, "not_cancelled", f"{name} was not cancelled: {answer.message}", facts)
