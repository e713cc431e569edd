"""``codecarbon offset status`` and ``ledger``: what stands in the file, for people and programs; nothing is changed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from codecarbon import units
from codecarbon._version import __version__
from codecarbon.cli import document, offset_tables
from codecarbon.cli import offset_words as words
from codecarbon.cli.offset_account import environment_of, is_sdk_there, open_ledger, tell_fingerprint, tell_key
from codecarbon.errors import ConfigError
from codecarbon.handlers.offset.amounts import ug_from_kg
from codecarbon.handlers.offset.entries import Offset, OffsetState
from codecarbon.handlers.offset.ledger import accounts, holders
from codecarbon.handlers.offset.provider import BUILT_IN_PROVIDERS, check_key, fingerprint_of, get_provider_factory
from codecarbon.handlers.offset.schema import default_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from codecarbon.cli.offset_account import Ask
    from codecarbon.config import Settings
    from codecarbon.handlers.offset.entries import AccountSummary, Accrual, Holder
    from codecarbon.handlers.offset.ledger import Ledger

STATUS_SCHEMA = "codecarbon.offset.status/1"
LEDGER_SCHEMA = "codecarbon.offset.ledger/1"
_MOST_ROWS = 1_000_000
# An order is answered or given up within a minute; one that is older was left behind.
_LONG_US = 2 * units.US_PER_MIN
_NEWS_US = units.US_PER_DAY


class AccountView(NamedTuple):
    """An account as it is shown.

    Attributes:
        summary: What the ledger says.
        key: Its keys in words.
        is_current: Whether the configured key is one of them.
        plan: What the settings say.
        holder: The run that counts for the host now; None when none does.
        skipped: The last run that did not count, and why; empty when there is none.
        warnings: What should be done, each with the command.
    """

    summary: AccountSummary
    key: str
    is_current: bool
    plan: words.Plan
    holder: Holder | None
    skipped: str
    warnings: tuple[str, ...]


def status(ask: Ask, *, json: bool) -> None:
    """Print every account of the ledger.

    Raises:
        ConfigError: A setting cannot be used.
        LedgerError: The ledger cannot be used.
    """
    settings = ask.settings()
    views = [_view(summary, settings) for summary in accounts() if ask.includes(summary.environment)]
    # The key's own account first, then those that spend money.
    views.sort(key=lambda view: (not view.is_current, bool(words.mark_of(view.summary.environment))))
    key_text = _key_text(settings, views)
    if json:
        content = {
            "schema": STATUS_SCHEMA,
            "codecarbon_version": __version__,
            "ledger_path": default_path(),
            "has_key": bool(settings.offset_api_key),
            "is_sdk_installed": is_sdk_there(),
            "is_automatic": settings.auto_offset,
            **words.mass_dict("threshold", ug_from_kg(settings.offset_threshold) or 0),
            "accounts": [_view_dict(view) for view in views],
        }
        document.write(content, to_stdout=True, path=None)
        return
    typer.echo(f"Ledger: {default_path()}\n{key_text}")
    for view in views:
        typer.echo("\n" + offset_tables.account_text(view), nl=False)
    if not views:
        typer.echo("\nNothing was ever recorded here: no run has counted its emissions for offsetting.")


def _key_text(settings: Settings, views: Iterable[AccountView]) -> str:
    if not settings.offset_api_key:
        return "Key:    none is configured; set CODECARBON_OFFSET_API_KEY, or offset_api_key in ~/.codecarbon.config"
    told = f"Key:    {tell_key(settings.offset_api_key)}, {environment_of(settings)}"
    if not any(view.is_current for view in views):
        told += "; no run has used it here"
    hindrance = _hindrance(settings)
    return f"{told}\nWarning: {hindrance}" if hindrance else told


def _hindrance(settings: Settings) -> str:
    """What forbids every purchase with these settings; empty when nothing does that can be known without asking."""
    key = settings.offset_api_key
    if not key:
        return ""
    if settings.offset_provider not in BUILT_IN_PROVIDERS:
        try:
            get_provider_factory(settings.offset_provider)
        except ConfigError as error:
            return f"nothing is bought, since offset_provider is not {error.expected}"
        return ""
    try:
        check_key(key, settings.offset_environment)
    except ConfigError as error:
        return f"nothing is bought, since the key is not {error.expected}"
    if not is_sdk_there():
        return "makeimpact is not installed, so nothing is bought: pip install 'codecarbon[offset]'"
    return ""


def _view(summary: AccountSummary, settings: Settings) -> AccountView:
    key = settings.offset_api_key
    is_current = False
    told = tell_fingerprint(summary.fingerprints[0])
    wanted = (settings.offset_provider, environment_of(settings))
    if key and wanted == (summary.provider, summary.environment) and fingerprint_of(key) in summary.fingerprints:
        is_current, told = True, tell_key(key)
    more = len(summary.fingerprints) - 1
    return AccountView(
        summary,
        f"{told} and {more} more" if more else told,
        is_current,
        words.Plan(
            ug_from_kg(settings.offset_threshold) or 0,
            settings.auto_offset,
            _hindrance(settings) if is_current else "",
        ),
        next((holder for holder in holders() if holder.environment == summary.environment), None),
        _last_skip(open_ledger(summary)),
        tuple(_warnings(summary, is_current=is_current)),
    )


def _last_skip(ledger: Ledger) -> str:
    """The last run that did not count, and why, as long as that is news."""
    for skip in ledger.skips(1):
        if units.us_from_s(time.time()) - skip.changed_us < _NEWS_US:
            return f"run {words.short(skip.run_id)} at {words.moment(skip.changed_us)}: {skip.reason}"
    return ""


def _warnings(summary: AccountSummary, *, is_current: bool) -> Iterator[str]:
    """What should be done about an account, and the command that does it."""
    with_key = "" if is_current else ", with the key of this account"
    command = words.command("reconcile", summary.environment)
    if summary.balance.unknown_ug:
        yield f"it is not known what became of an order: run {command}{with_key}"
    limit_us = units.us_from_s(time.time()) - _LONG_US
    if any(offset.sent_us is not None and offset.sent_us < limit_us for offset in _under_way(summary)):
        yield f"an order was left without an answer: run {command}{with_key}"


def _under_way(summary: AccountSummary) -> list[Offset]:
    return [offset for offset in summary.unsettled if offset.state is not OffsetState.UNKNOWN]


def _view_dict(view: AccountView) -> dict[str, Any]:
    """An account for programs."""
    summary, holder = view.summary, view.holder
    return {
        "provider": summary.provider,
        "environment": summary.environment,
        "user_id": summary.user_id,
        "fingerprints": list(summary.fingerprints),
        "is_current": view.is_current,
        **words.balance_dict(summary.balance),
        "next": words.say_next(summary.balance, view.plan, summary.environment, is_current=view.is_current),
        "unsettled": [words.offset_dict(offset) for offset in summary.unsettled],
        "last_bought": None if summary.last_bought is None else words.offset_dict(summary.last_bought),
        "last_scan_utc": words.iso_or_none(summary.last_scan_us),
        "counting": None
        if holder is None
        else {"run_id": holder.run_id, "pid": holder.pid, "since_utc": units.iso_from_us(holder.since_us)},
        "skipped": view.skipped or None,
        "warnings": list(view.warnings),
    }


# --- ledger -----------------------------------------------------------------------------------------------------------


def ledger(ask: Ask, limit: str, *, json: bool) -> None:
    """Print what was emitted and bought, newest first.

    Args:
        ask: Which accounts.
        limit: How many rows of each at most, as it was written.
        json: Print JSON instead of the tables.

    Raises:
        ConfigError: A setting cannot be used.
        LedgerError: The ledger cannot be used.
    """
    count = _read_limit(limit)
    ask.settings()
    found = [
        (summary, _rows(open_ledger(summary), count)) for summary in accounts() if ask.includes(summary.environment)
    ]
    if json:
        content = {
            "schema": LEDGER_SCHEMA,
            "codecarbon_version": __version__,
            "ledger_path": default_path(),
            "accounts": [
                {
                    "provider": summary.provider,
                    "environment": summary.environment,
                    "user_id": summary.user_id,
                    "fingerprints": list(summary.fingerprints),
                    "rows": [_row_dict(row) for row in rows],
                }
                for summary, rows in found
            ],
        }
        document.write(content, to_stdout=True, path=None)
        return
    for summary, rows in found:
        typer.echo(offset_tables.title_text(summary) + offset_tables.ledger_text(rows, summary.environment))
    states = [words.state_of(row) for _, rows in found for row in rows if isinstance(row, Offset)]
    typer.echo(offset_tables.legend_text(dict.fromkeys(states)), nl=False)
    if not any(rows for _, rows in found):
        typer.echo(f"Nothing was ever recorded in {default_path()}.")


def _read_limit(given: str) -> int:
    try:
        limit = int(given)
    except ValueError:
        limit = 0
    if not 1 <= limit <= _MOST_ROWS:
        raise ConfigError("limit", given, "option --limit", "a whole number, 1 or more")
    return limit


def _rows(ledger: Ledger, count: int) -> list[Accrual | Offset]:
    """Accruals and offsets of an account, newest first."""
    rows: list[Accrual | Offset] = [*ledger.accruals(), *ledger.offsets()]
    return sorted(rows, key=words.when_us, reverse=True)[:count]


def _row_dict(row: Accrual | Offset) -> dict[str, Any]:
    if isinstance(row, Offset):
        return {"kind": "offset", **words.offset_dict(row)}
    return {
        "kind": "accrual",
        "run_id": row.run_id,
        "segment": row.segment,
        **words.mass_dict("mass", row.mass_ug),
        **words.mass_dict("automatic", row.automatic_ug),
        "created_utc": units.iso_from_us(row.created_us),
        "changed_utc": units.iso_from_us(row.changed_us),
    }
