"""The commands of ``codecarbon offset``: what they are called and which options they have."""

from __future__ import annotations

import sys
from typing import Annotated, Literal, Optional

import typer

from codecarbon.cli import options as cli_options
from codecarbon.cli import text

_MARKUP: Literal["rich"] | None = "rich" if text.is_terminal(sys.stdout) and text.is_terminal(sys.stderr) else None

program = typer.Typer(
    cls=cli_options.Group,
    no_args_is_help=True,
    rich_markup_mode=_MARKUP,
    help="Show, buy, settle and cancel offsets of what runs emitted.",
)

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output, and nothing else.")]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; for scripts.")]
_Environment = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--environment",
        metavar="production|sandbox",
        help="Whose account it is about (default: the setting offset_environment).",
        show_default=False,
    ),
]
_DryRun = Annotated[
    Optional[bool],  # noqa: UP045
    typer.Option(
        "--dry-run/--no-dry-run",
        help="Use the account of dry runs, for which nothing is ever bought (default: the setting offset_dry_run).",
        show_default=False,
    ),
]


@program.command("status", cls=cli_options.Command)
def _status(*, environment: _Environment = None, dry_run: _DryRun = None, json: _Json = False) -> None:
    """Say what was emitted, what was bought for it, what waits, and what happens next.

    It shows every account that was ever used by this user on this machine, asks no service, changes nothing, and needs
    no key. The key comes from CODECARBON_OFFSET_API_KEY or a file, never from an option, since everybody on a machine
    sees the options of its processes.

    Exit codes: 0, whatever it shows; 1 when the settings or the ledger cannot be used; 2 for a wrong option.
    """
    from codecarbon.cli import offset_account, offset_status

    offset_status.status(offset_account.Ask(environment, dry_run), json=json)


@program.command("ledger", cls=cli_options.Command)
def _ledger(
    *,
    limit: Annotated[
        str, typer.Option("--limit", "-n", metavar="NUMBER", help="How many rows to show at most, newest first.")
    ] = "20",
    environment: _Environment = None,
    dry_run: _DryRun = None,
    json: _Json = False,
) -> None:
    """List what was emitted and what was bought, newest first.

    States of an offset: reserved (set aside, nothing sent yet); sent (the answer is awaited); confirmed (bought);
    rejected (not bought, its mass waits again); unknown (it may have been bought: nothing more is until reconcile
    settles it); cancelled (bought and cancelled, its mass waits for buying by hand). "By hand" beside what was emitted
    says that automatic buying leaves it alone.

    Exit codes: 0, whatever it shows; 1 when the settings or the ledger cannot be used; 2 for a wrong option.
    """
    from codecarbon.cli import offset_account, offset_status

    offset_status.ledger(offset_account.Ask(environment, dry_run), limit, json=json)


@program.command("now", cls=cli_options.Command)
def _now(
    *,
    pounds: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--pounds", metavar="NUMBER", help="How much to buy (default: every whole pound that waits)."),
    ] = None,
    yes: _Yes = False,
    environment: _Environment = None,
    dry_run: _DryRun = None,
    json: _Json = False,
) -> None:
    """Buy offsets for what waits, whole pounds only, after showing a quote and asking.

    Neither threshold nor offset_max_per_run_kg counts here, but never more is bought than was emitted.

    Exit codes: 0 when it was bought, or when less than a pound waits; 1 when nothing was bought because the service
    refused, less waits than --pounds asks for, you said no, or something cannot be used; 2 for a wrong option, or
    without --yes where nobody can be asked; 3 when the outcome of a purchase, this one or an earlier one, is unknown;
    130 after Ctrl-C.
    """
    from codecarbon.cli import offset_account, offset_deeds
    from codecarbon.cli.offset_watch import Manner

    ask = offset_account.Ask(environment, dry_run)
    raise typer.Exit(offset_deeds.now(ask, pounds, Manner(is_yes=yes, is_json=json)))


@program.command("reconcile", cls=cli_options.Command)
def _reconcile(
    *,
    release: Annotated[
        bool,
        typer.Option("--release", help="Ask for each purchase that the service's records lack whether to give it up."),
    ] = False,
    yes: _Yes = False,
    environment: _Environment = None,
    dry_run: _DryRun = None,
    json: _Json = False,
) -> None:
    """Settle purchases whose outcome is unknown, by reading the records of the service; it never buys.

    A purchase that the records lack may still have been bought, since records may appear late. Given up with --release,
    its mass is bought again, and you pay twice if it was: look at the account on the service's own pages first.

    Exit codes: 0 when nothing is unknown any more; 1 when the service could not be asked, or something cannot be used;
    2 for a wrong option, or --release without --yes where nobody can be asked; 3 when something is still unknown; 130
    after Ctrl-C.
    """
    from codecarbon.cli import offset_account, offset_deeds
    from codecarbon.cli.offset_watch import Manner

    ask = offset_account.Ask(environment, dry_run)
    manner = Manner(is_yes=yes, is_json=json)
    raise typer.Exit(offset_deeds.reconcile(ask, manner, is_release=release))


@program.command("cancel", cls=cli_options.Command)
def _cancel(
    offset_id: Annotated[
        str, typer.Argument(metavar="OFFSET_ID", help="The offset as ledger shows it, or the beginning of it.")
    ],
    *,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why, for the service; up to 200 characters.")
    ] = "",
    yes: _Yes = False,
    environment: _Environment = None,
    dry_run: _DryRun = None,
    json: _Json = False,
) -> None:
    """Cancel an offset that was bought, after showing it and asking.

    Its mass waits again, for buying by hand only: automatic buying leaves it alone.

    Exit codes: 0 when it is cancelled, now or before; 1 when the service refused, there is no such offset, you said no,
    or something cannot be used; 2 for a wrong option, or without --yes where nobody can be asked; 3 when the outcome
    is unknown, in which case the same command may be given again; 130 after Ctrl-C.
    """
    from codecarbon.cli import offset_account, offset_deeds
    from codecarbon.cli.offset_watch import Manner

    ask = offset_account.Ask(environment, dry_run)
    raise typer.Exit(offset_deeds.cancel(ask, offset_id, reason, Manner(is_yes=yes, is_json=json)))
