"""The program ``codecarbon``: what its commands are called and which options they have."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal, Optional

import typer

from codecarbon._version import __version__
from codecarbon.cli import options as cli_options
from codecarbon.cli import text

# Rich lays help and usage errors out on a terminal; elsewhere it is not even imported.
_MARKUP: Literal["rich"] | None = "rich" if text.is_terminal(sys.stdout) and text.is_terminal(sys.stderr) else None

codecarbon = typer.Typer(
    cls=cli_options.Group,
    no_args_is_help=True,
    rich_markup_mode=_MARKUP,
    pretty_exceptions_enable=False,
    help="Measure the energy and carbon emissions of programs.",
)


def _show_version(is_wanted: bool) -> None:  # noqa: FBT001 (Typer calls it so)
    if is_wanted:
        typer.echo(f"codecarbon v{__version__}")
        raise typer.Exit


@codecarbon.callback()
def _program(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", "-v", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Measure the energy and carbon emissions of programs."""


_Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output, at the end.")]
_JsonFile = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--json-file", metavar="PATH", help="Write the result as JSON to a file.", show_default=False),
]


def _switch(name: str, help: str) -> Any:  # noqa: A002 (as Typer has it)
    return typer.Option(f"--{name}/--no-{name}", help=help, show_default=False)


def _monitor(
    ctx: typer.Context,
    *,
    offline: Annotated[Optional[bool], _switch("offline", "Never use a network; the country must be known.")] = None,  # noqa: UP045
    api: Annotated[Optional[bool], _switch("api", "Upload to a CodeCarbon API.")] = None,  # noqa: UP045
    csv: Annotated[Optional[bool], _switch("csv", "Write the CSV file.")] = None,  # noqa: UP045
    json: _Json = False,
    json_file: _JsonFile = None,
    **options: Any,
) -> None:
    """Measure a command, or the machine until Ctrl-C.

    Options end at the first word or at --; what follows is the command. Its input, output, signals and exit code are
    left alone: 127 when it is not found, 126 when it cannot be executed, 128 + n when signal n ended it, 130 after
    Ctrl-C. The summary goes to standard error.
    """
    from codecarbon.cli import monitor

    wishes = monitor.Wishes(offline=offline, api=api, csv=csv, json=json, json_file=json_file)
    settings = cli_options.given(options)
    if ctx.args:
        raise typer.Exit(monitor.watch_command(ctx.args, wishes, settings))
    if ctx.meta.get(cli_options.BARE_SEPARATOR):
        cli_options.fail("there is no command behind --", cli_options.FAILURE)
    raise typer.Exit(monitor.watch_machine(wishes, settings))


cli_options.add_options(_monitor, cli_options.rows_with_option())
codecarbon.command(
    "monitor",
    cls=cli_options.WrappingCommand,
    context_settings={"allow_extra_args": True, "allow_interspersed_args": False},
    options_metavar="[OPTIONS] [--] [COMMAND...]",
)(_monitor)


def _detect(*, json: _Json = False, json_file: _JsonFile = None, **options: Any) -> None:
    """Show what can be measured here: what was found, what was refused, why, and what would help."""
    from codecarbon.cli import detect

    detect.detect(cli_options.given(options), json=json, json_file=json_file)


cli_options.add_options(_detect, cli_options.rows_with_option(cli_options.FOR_DETECT))
codecarbon.command("detect", cls=cli_options.Command)(_detect)


def main() -> None:
    """Run the program with the process's arguments."""
    codecarbon(prog_name="codecarbon")


__all__ = ["codecarbon", "main"]
