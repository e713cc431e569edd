"""The program ``carbon-aware``, also ``caw``: its commands, their options, and how it ends."""

from __future__ import annotations

import functools
import os
import sys
from typing import Annotated, Any, Literal, Optional

import typer

from codecarbon._version import __version__
from codecarbon.cli import options as cli_options
from codecarbon.cli import text
from codecarbon.errors import CodeCarbonError

# Rich lays help out on a terminal; elsewhere it is not even imported.
_MARKUP: Literal["rich"] | None = "rich" if text.is_terminal(sys.stdout) and text.is_terminal(sys.stderr) else None

USAGE_EXIT = 1
"""Exit code of usage errors, which the Carbon Aware SDK's program has; click's own would be 2."""

# Also in releases of Typer that bring click along.
_UsageError: Any = typer.BadParameter.__bases__[0]
_NAMES = ("carbon-aware", "caw")
_FLAGS = {"-b", "--best", "-a", "--average", "-v", "--verbose"}
_YES, _NO = {"true"}, {"false"}


class Program(cli_options.Group):
    """The program; it exits as the Carbon Aware SDK's does."""

    def main(self, *args: Any, **named: Any) -> Any:
        """Run with arguments, and exit."""
        is_standalone = named.pop("standalone_mode", True)
        run = functools.partial(super().main, *args, **named)
        if not is_standalone:
            return run(standalone_mode=False)
        try:
            code = run(standalone_mode=False)
        except _UsageError as error:
            _show_usage_error(error)
            code = USAGE_EXIT
        except typer.Abort:
            code = USAGE_EXIT
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error of ours is told in its lines and decides the exit code."""
        try:
            return super(cli_options.Group, self).invoke(ctx)
        except CodeCarbonError as error:
            from codecarbon.cli.carbon_aware_commands import tell_error

            raise typer.Exit(tell_error(error)) from error


class Command(cli_options.Command):
    """A command; its flags also take ``true`` or ``false`` as the next word."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, after flags with a value have become flags or nothing."""
        rest: list[str] = super().parse_args(ctx, _plain_flags(args))
        return rest


def _plain_flags(args: list[str]) -> list[str]:
    plain: list[str] = []
    words = iter(args)
    pending = next(words, None)
    while pending is not None:
        word, pending = pending, next(words, None)
        name, sign, value = word.partition("=")
        if name not in _FLAGS:
            plain.append(word)
            continue
        if not sign and pending is not None and pending.lower() in _YES | _NO:
            value, pending = pending, next(words, None)
        if value.lower() in _NO:
            continue
        plain.append(name if value.lower() in _YES | {""} else word)
    return plain


def _show_usage_error(error: Any) -> None:
    """Say what is wrong on standard error; the help goes to standard output, as it did."""
    text.write_error(f"{error.format_message()}\n")
    if error.ctx is not None:
        typer.echo(error.ctx.get_help())


program = typer.Typer(
    cls=Program,
    rich_markup_mode=_MARKUP,
    pretty_exceptions_enable=False,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "-?", "--help"]},
    help="Ask how carbon-intensive electricity is, was and will be, or serve the answers.",
)


def _show_version(is_wanted: bool) -> None:  # noqa: FBT001 (Typer calls it so)
    if is_wanted:
        typer.echo(__version__)
        raise typer.Exit


_Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say on standard error which calls are made.")]
_Location = Annotated[
    list[str],
    typer.Option("--location", "-l", metavar="LOCATION", help="A location key; repeat it, or use commas, for more."),
]
_Config = Annotated[
    Optional[str],  # noqa: UP045 (read by Typer on Python 3.10 too)
    typer.Option("--config", metavar="PATH", help="A file like appsettings.json to read instead of those found here."),
]
_Profile = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--profile", metavar="documented|strict", help="Which rules answers follow."),
]
_Source = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--source", metavar="NAME", help="A configured data source, or a kind of source such as sample."),
]
_Output = Annotated[
    str,
    typer.Option("--output", "-o", metavar="json|csv|table", help="How to print: wire JSON, CSV, or for people."),
]


def _time(*names: str, help: str) -> Any:  # noqa: A002 (as Typer has it)
    return typer.Option(*names, metavar="TIME", help=help, show_default=False)


@program.callback()
def _program(
    ctx: typer.Context,
    *,
    verbose: _Verbose = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Ask how carbon-intensive electricity is, was and will be, or serve the answers."""
    del version  # its callback has dealt with it
    ctx.obj = verbose


@program.command("emissions", cls=Command)
def _emissions(
    ctx: typer.Context,
    *,
    location: _Location,
    start_time: Annotated[
        Optional[str],  # noqa: UP045
        _time("--start-time", "-s", help="Begin, or the one instant; UTC without an offset."),
    ] = None,
    end_time: Annotated[Optional[str], _time("--end-time", "-e", help="End.")] = None,  # noqa: UP045
    best: Annotated[bool, typer.Option("--best", "-b", help="Only the points with the lowest value.")] = False,
    average: Annotated[
        bool, typer.Option("--average", "-a", help="One mean for each location; needs both times.")
    ] = False,
    output: _Output = "json",
    profile: _Profile = None,
    source: _Source = None,
    config: _Config = None,
    verbose: _Verbose = False,
) -> None:
    """Print observed carbon intensity, g/kWh."""
    if average and best:
        raise _UsageError("Options --average and --best cannot be used together")
    from codecarbon.cli import carbon_aware_commands as commands

    setting = commands.Setting(output, profile, source, config, is_verbose=verbose or bool(ctx.obj))
    commands.emissions(setting, location, start_time, end_time, best=best, average=average)


@program.command("emissions-forecasts", cls=Command)
def _emissions_forecasts(
    ctx: typer.Context,
    *,
    location: _Location,
    data_start_at: Annotated[
        Optional[str],  # noqa: UP045
        _time("--data-start-at", "-s", help="Begin of what is wanted of the forecast."),
    ] = None,
    data_end_at: Annotated[Optional[str], _time("--data-end-at", "-e", help="Its end.")] = None,  # noqa: UP045
    requested_at: Annotated[
        Optional[str],  # noqa: UP045
        _time("--requested-at", "-r", help="Ask for the forecast that held at this time in the past."),
    ] = None,
    window_size: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--window-size", "-w", metavar="MINUTES", help="Length of the job, over which to average."),
    ] = None,
    output: _Output = "json",
    profile: _Profile = None,
    source: _Source = None,
    config: _Config = None,
    verbose: _Verbose = False,
) -> None:
    """Print forecasts of carbon intensity, g/kWh, and when it is lowest."""
    from codecarbon.cli import carbon_aware_commands as commands

    setting = commands.Setting(output, profile, source, config, is_verbose=verbose or bool(ctx.obj))
    times = commands.ForecastTimes(data_start_at, data_end_at, requested_at)
    commands.forecasts(setting, location, times, window_size)


@program.command("locations", cls=Command)
def _locations(
    ctx: typer.Context,
    *,
    output: _Output = "json",
    profile: _Profile = None,
    source: _Source = None,
    config: _Config = None,
    verbose: _Verbose = False,
) -> None:
    """Print the locations that are known."""
    from codecarbon.cli import carbon_aware_commands as commands

    setting = commands.Setting(output, profile, source, config, is_verbose=verbose or bool(ctx.obj))
    commands.locations(setting)


@program.command("serve", cls=Command)
def _serve(
    ctx: typer.Context,
    *,
    host: Annotated[Optional[str], typer.Option("--host", metavar="ADDRESS", help="Where to listen.")] = None,  # noqa: UP045
    port: Annotated[Optional[str], typer.Option("--port", metavar="PORT", help="Where to listen.")] = None,  # noqa: UP045
    urls: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--urls", metavar="URLS", help="Where to listen, for example http://127.0.0.1:8080."),
    ] = None,
    profile: _Profile = None,
    source: _Source = None,
    config: _Config = None,
    verbose: _Verbose = False,
) -> None:
    """Serve the Carbon Aware WebApi, on 127.0.0.1:8080 unless told otherwise."""
    from codecarbon.cli import carbon_aware_commands as commands

    setting = commands.Setting("json", profile, source, config, is_verbose=verbose or bool(ctx.obj))
    commands.serve(setting, host=host, port=port, urls=urls)


@program.command("check", cls=Command)
def _check(
    ctx: typer.Context,
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no provider.")] = False,
    profile: _Profile = None,
    source: _Source = None,
    config: _Config = None,
    verbose: _Verbose = False,
) -> None:
    """Check files, keys, credentials and zones, and print the settings in force, secrets hidden."""
    from codecarbon.cli import carbon_aware_commands as commands
    from codecarbon.cli.check import check

    setting = commands.Setting("json", profile, source, config, is_verbose=verbose or bool(ctx.obj))
    raise typer.Exit(check(setting, is_offline=offline))


def main() -> None:
    """Run the program with the process's arguments."""
    name = os.path.basename(sys.argv[0])  # noqa: PTH119 (pathlib would be loaded for it)
    program(prog_name=name if name in _NAMES else _NAMES[0])


__all__ = ["main", "program"]
