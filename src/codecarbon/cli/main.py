"""The program ``codecarbon``: what its commands are called and which options they have."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal, Optional

import typer

from codecarbon._version import __version__
from codecarbon.cli import offset, text
from codecarbon.cli import options as cli_options

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


_Duration = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--duration", metavar="TIME", help="How long the job runs: 90m, 3h, 1h30m, PT3H.", show_default=False),
]
_Deadline = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--deadline",
        metavar="WHEN",
        help="When it must have ended, in ISO 8601; local time without an offset.",
        show_default=False,
    ),
]
_Within = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--within", metavar="TIME", help="How soon it must begin (default: 24h, or the deadline's).", show_default=False
    ),
]
_MinSaving = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--min-saving",
        metavar="PERCENT",
        help="What waiting must save at least; below it the answer is to run now (default: 1).",
        show_default=False,
    ),
]
_Regions = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--regions",
        metavar="LIST",
        help="Where it may run, home first: location keys, or countries (default: where this machine is).",
        show_default=False,
    ),
]
_Source = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--source",
        metavar="NAME",
        help="A configured data source, or a kind of source; sample has made-up data.",
        show_default=False,
    ),
]
_Config = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--config",
        metavar="PATH",
        help="The configuration of carbon-aware, in place of appsettings.json here.",
        show_default=False,
    ),
]
_Spread = Annotated[
    bool,
    typer.Option(
        "--spread/--no-spread",
        help="Take a start near the best one at random, so that not everybody starts in the same minute.",
    ),
]


@codecarbon.command("when", cls=cli_options.Command)
def _when(
    *,
    duration: _Duration = None,
    deadline: _Deadline = None,
    within: _Within = None,
    min_saving: _MinSaving = None,
    regions: _Regions = None,
    power: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--power", metavar="POWER", help="What it draws, for example 300W; shows grams."),
    ] = None,
    pieces: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--pieces", metavar="NUMBER", help="In how many pieces it may be split (default: 1)."),
    ] = None,
    resume_cost: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--resume-cost", metavar="TIME", help="Extra run time for each piece after the first."),
    ] = None,
    alternatives: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--alternatives", metavar="NUMBER", help="How many ways to list (default: 3)."),
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="text|json|epoch|at|slurm|systemd",
            help="How to print it; at for at -t, slurm for sbatch --begin, systemd for systemd-run --on-calendar.",
        ),
    ] = "text",
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    source: _Source = None,
    config: _Config = None,
    spread: _Spread = True,
) -> None:
    """Say when to start a job so that its electricity is cleanest, and why; where data are missing, that is now."""
    from codecarbon.cli import when

    ask = when.Ask(
        duration=duration,
        deadline=deadline,
        within=within,
        min_saving=min_saving,
        regions=regions,
        power=power,
        pieces=pieces,
        resume_cost=resume_cost,
        alternatives=alternatives,
        source=source,
        config=config,
        is_spread=spread,
    )
    when.when(ask, "json" if json else form)


def _run(
    ctx: typer.Context,
    *,
    when: Annotated[
        str, typer.Option("--when", metavar="now|greenest", help="Start at once, or when electricity is cleanest.")
    ] = "now",
    duration: _Duration = None,
    deadline: _Deadline = None,
    within: _Within = None,
    min_saving: _MinSaving = None,
    regions: _Regions = None,
    source: _Source = None,
    config: _Config = None,
    spread: _Spread = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say when it would start, and start nothing.")] = False,
    offline: Annotated[Optional[bool], _switch("offline", "Never use a network; the country must be known.")] = None,  # noqa: UP045
    api: Annotated[Optional[bool], _switch("api", "Upload to a CodeCarbon API.")] = None,  # noqa: UP045
    csv: Annotated[Optional[bool], _switch("csv", "Write the CSV file.")] = None,  # noqa: UP045
    json: _Json = False,
    json_file: _JsonFile = None,
    **options: Any,
) -> None:
    """Wait until electricity is cleanest, then measure a command as monitor does.

    Without --duration the command is taken to run for an hour. Exit codes are those of monitor; Ctrl-C while waiting
    exits 130, and other signals 128 + n. Where data are missing the command runs at once, and the reason is told.
    """
    from codecarbon.cli import monitor, run
    from codecarbon.cli.when import Ask

    if not ctx.args:
        cli_options.fail("there is no command to run", cli_options.FAILURE)
    wishes = monitor.Wishes(offline=offline, api=api, csv=csv, json=json, json_file=json_file)
    settings = cli_options.given(options)
    ask = Ask(duration, deadline, within, min_saving, regions, source=source, config=config, is_spread=spread)
    raise typer.Exit(run.run(ctx.args, wishes, settings, ask, start=when, is_dry=dry_run))


cli_options.add_options(_run, cli_options.rows_with_option())
codecarbon.command(
    "run",
    cls=cli_options.WrappingCommand,
    context_settings={"allow_extra_args": True, "allow_interspersed_args": False},
    options_metavar="[OPTIONS] [--] COMMAND...",
)(_run)


codecarbon.add_typer(offset.program, name="offset")


def main() -> None:
    """Run the program with the process's arguments."""
    codecarbon(prog_name="codecarbon")


__all__ = ["codecarbon", "main"]
