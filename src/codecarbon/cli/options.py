"""Command line options made from the settings table, and commands that start fast.

A setting with an option name in the table appears here by itself. Options are taken as text: the table's own parsers
turn them into values, so that a text means the same here, in the environment and in a file.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any, NoReturn, Optional

import typer
from typer.core import TyperCommand, TyperGroup

from codecarbon.cli import text
from codecarbon.config import BY_NAME, SETTINGS, Setting, Settings, resolve
from codecarbon.errors import CodeCarbonError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

USAGE_ERROR = 2
FAILURE = 1

BARE_SEPARATOR = "codecarbon.cli.bare_separator"
"""Key in a context's ``meta``: the arguments ended with ``--`` and no command."""

DEFAULTS: dict[str, object] = {"measure_power_secs": 10, "api_call_interval": 30, "log_level": "error"}
"""What the command line uses where neither an option nor the environment nor a file says anything."""

FOR_DETECT = (
    *("tracking_mode", "gpu_ids", "force_cpu_power", "force_ram_power", "force_carbon_intensity_g_co2e_kwh"),
    *("force_mode_cpu_load", "rapl_include_dram", "rapl_prefer_psys"),
    *("country_iso_code", "region", "cloud_provider", "cloud_region", "country_2letter_iso_code"),
    *("sysfs_root", "procfs_root", "dev_root", "nvml_library"),
)
"""The settings that decide what would be measured, and how it would be priced."""

_DEFAULT_WORDS = {"tracking_mode": "process with a command, machine without", "experiment_id": ""}
_OPTION = "option "
_METAVARS = {"path": "PATH", "number": "NUMBER", "integer": "INTEGER", "list": "LIST"}


class _AsGiven:
    """Stands in for Typer's conversion of a value: the settings table does it later."""

    def coerce(self, value: object, **_: object) -> object:
        """Return the value."""
        return value


def _lighten(parameters: Iterable[Any]) -> None:
    """Keep Typer from building validators.

    Typer 0.29 validates each option through pydantic, `--help` included, and importing pydantic takes longer than
    everything else here. All our options are texts or flags, so there is nothing to validate. Other versions of Typer
    do not ask for a converter, and are left alone; no declaration of an option keeps this one from building its own.
    """
    for parameter in parameters:
        if hasattr(parameter, "get_runtime_param"):
            parameter.get_runtime_param = _AsGiven


class Group(TyperGroup):
    """The program itself; it ends with a message where a library would raise."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a bad option value is a usage error, anything else of ours a failure."""
        try:
            return super().invoke(ctx)
        except CodeCarbonError as error:
            is_usage = isinstance(error, ConfigError) and error.origin.startswith(_OPTION)
            fail(str(error), USAGE_ERROR if is_usage else FAILURE)

    def get_params(self, ctx: Any) -> Any:
        """Give the parameters, freed from validators."""
        parameters = super().get_params(ctx)
        _lighten(parameters)
        return parameters


class Command(TyperCommand):
    """A command of the program."""

    def get_params(self, ctx: Any) -> Any:
        """Give the parameters, freed from validators."""
        parameters = super().get_params(ctx)
        _lighten(parameters)
        return parameters


class WrappingCommand(Command):
    """A command whose options end at the first word, which begins somebody else's command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, and note a ``--`` with nothing behind it, which the parser drops."""
        ends_bare = args[-1:] == ["--"]
        rest: list[str] = super().parse_args(ctx, args)
        if ends_bare and not ctx.args and "--" not in ctx.params.values():
            ctx.meta[BARE_SEPARATOR] = True
        return rest


def add_options(command: Callable[..., Any], rows: Iterable[Setting]) -> None:
    """Replace ``**options`` in a command's signature by one option for each setting.

    Args:
        command: A function whose last parameter is ``**options``; its other parameters stay in front.
        rows: The settings.
    """
    own = [entry for entry in _signature(command).parameters.values() if entry.kind is not Parameter.VAR_KEYWORD]
    parameters = [*own, *(_option(row) for row in rows)]
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {entry.name: entry.annotation for entry in parameters}


def _signature(command: Callable[..., Any]) -> Signature:
    import inspect

    return inspect.signature(command, eval_str=True)


def rows_with_option(names: Iterable[str] | None = None) -> list[Setting]:
    """Find the settings that have an option, all or those named."""
    wanted = None if names is None else set(names)
    return [row for row in SETTINGS if row.cli and (wanted is None or row.name in wanted)]


def given(options: dict[str, Any]) -> dict[str, object]:
    """Keep the options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def resolve_options(options: dict[str, object], *, offline: bool = False) -> Settings:
    """Resolve the settings, options first.

    Raises:
        ConfigError: A value cannot be used; the message names the option when it came from one.
    """
    with naming_options():
        return resolve(options, offline=offline)


@contextmanager
def naming_options() -> Iterator[None]:
    """Name the option that a wrong value came from, where the settings know only that it was given.

    Raises:
        ConfigError: With the option's name.
    """
    try:
        yield
    except ConfigError as error:
        row = BY_NAME.get(error.field)
        if row is None or not row.cli or error.origin != "constructor":
            raise
        raise ConfigError(error.field, error.value, f"{_OPTION}{row.cli}", error.expected) from error


def fail(message: str, exit_code: int) -> NoReturn:
    """Say what went wrong and end with an exit code."""
    style = text.Style(is_coloured=text.has_colour(sys.stderr))
    typer.echo(f"{style.bad('Error')}: {message}", err=True)
    raise typer.Exit(exit_code)


def _option(row: Setting) -> Parameter:
    is_flag = row.kind == "boolean"
    return Parameter(
        row.name,
        Parameter.KEYWORD_ONLY,
        default=typer.Option(
            None,
            f"{row.cli}/--no-{row.cli.removeprefix('--')}" if is_flag else row.cli,
            help=row.help if is_flag else _with_default(row),
            metavar=None if is_flag else ("|".join(row.choices) or _METAVARS.get(row.kind, "TEXT")),
            show_default=False,
        ),
        # Typer reads it on Python 3.10 too, where its older releases do not know `bool | None`.
        annotation=Optional[bool] if is_flag else Optional[str],  # noqa: UP045
    )


def _with_default(row: Setting) -> str:
    """The setting's sentence with the command line's default in it."""
    default = _DEFAULT_WORDS.get(row.name, DEFAULTS.get(row.name, row.default))
    if isinstance(default, (tuple, list)):
        default = ",".join(str(getattr(entry, "value", entry)) for entry in default)
    if default is None or default == "":
        return row.help
    shown = f"{default:g}" if isinstance(default, float) else str(default)
    return f"{row.help.removesuffix('.')} (default: {shown})."
