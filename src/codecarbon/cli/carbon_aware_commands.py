"""What the commands of ``carbon-aware`` do, once their options are parsed."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import typer

from codecarbon import units
from codecarbon.carbon_aware.arguments import read_int32
from codecarbon.carbon_aware.configured import get_options
from codecarbon.carbon_aware.faults import describe_fault
from codecarbon.carbon_aware.moments import read_moment
from codecarbon.carbon_aware.operations import Operations
from codecarbon.carbon_aware.options import Options
from codecarbon.carbon_aware.results import ForecastRequest, Moment
from codecarbon.cli import text, wire
from codecarbon.errors import CodeCarbonError, ConfigError, InvalidParameters, NotConfigured, ProviderRejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from codecarbon.carbon_aware.results import Meta

FAILURE, ARGUMENT_ERROR, PROVIDER_ERROR = 1, 2, 3
_ARGUMENT_TITLES = {"ArgumentException", "One or more validation errors occurred."}
_HIGHEST_PORT = 65_535

_Result = TypeVar("_Result")


class Setting(NamedTuple):
    """What all commands have in common.

    Attributes:
        output: ``json``, ``csv`` or ``table``.
        profile: The profile; None for that of the configuration.
        source: A source in place of the configured ones; None for those.
        config: A file in place of those that are found; None for those.
        is_verbose: Whether calls are told on standard error.
    """

    output: str = "json"
    profile: str | None = None
    source: str | None = None
    config: str | None = None
    is_verbose: bool = False

    def options(self, urls: str | None = None) -> Options:
        """Read the configuration.

        Args:
            urls: Where a server listens; None for what the configuration says.

        Raises:
            typer.BadParameter: An option's value cannot be used.
        """
        if self.output not in wire.FORMATS:
            raise typer.BadParameter(f"{self.output!r} is not one of {', '.join(wire.FORMATS)}", param_hint="--output")
        if self.profile not in {None, "documented", "strict"}:
            raise typer.BadParameter(f"{self.profile!r} is not documented or strict", param_hint="--profile")
        if self.config is not None and not os.path.isfile(self.config):  # noqa: PTH113 (pathlib would be loaded for it)
            raise typer.BadParameter(f"there is no file {self.config}", param_hint="--config")
        if self.is_verbose:
            _log_to_stderr()
        return get_options(config=self.config, profile=self.profile, source=self.source, urls=urls)


class ForecastTimes(NamedTuple):
    """The times of ``emissions-forecasts``, as they were written."""

    data_start_at: str | None
    data_end_at: str | None
    requested_at: str | None


def emissions(
    setting: Setting,
    locations: Sequence[str],
    start_time: str | None,
    end_time: str | None,
    *,
    best: bool,
    average: bool,
) -> None:
    """Print observed values, the lowest of them, or means."""
    start, end = _moment(start_time, "--start-time"), _moment(end_time, "--end-time")
    with _Run(setting) as run:
        names = run.names(locations)
        if average:
            if start is None or end is None:
                raise InvalidParameters((), "Option --average needs --start-time and --end-time")
            answers = [run.operations.average(name, start, end) for name in names]
            run.show(wire.average_sheet(answers), [answer.meta for answer in answers])
            return
        ask = run.operations.best if best else run.operations.emissions
        answer = ask(names, start, end)
        run.show(wire.emissions_sheet(answer.rows), [answer.meta])


def forecasts(setting: Setting, locations: Sequence[str], times: ForecastTimes, window_size: str | None) -> None:
    """Print forecasts, the newest or those of a moment of the past."""
    start = _moment(times.data_start_at, "--data-start-at")
    end = _moment(times.data_end_at, "--data-end-at")
    requested = _moment(times.requested_at, "--requested-at")
    window_min = _integer(window_size, "--window-size")
    with _Run(setting) as run:
        names = run.names(locations)
        if requested is None:
            answers = run.operations.forecasts(names, start, end, window_min)
        else:
            items = [ForecastRequest(name, requested, start, end, window_min) for name in names]
            answers = tuple(answer for item in items for answer in run.operations.forecast_batch([item]))
        sheet = wire.forecast_sheet(answers, now_us=units.us_from_s(time.time()))
        run.show(sheet, [answer.meta for answer in answers])


def locations(setting: Setting) -> None:
    """Print all locations."""
    with _Run(setting) as run:
        run.show(wire.location_sheet(run.operations.locations()), [])


def serve(setting: Setting, *, host: str | None, port: str | None, urls: str | None) -> None:
    """Serve the WebApi until Ctrl-C or SIGTERM.

    Args:
        setting: What was asked for beside the configuration.
        host: Where to listen; None for what the addresses say.
        port: Likewise, as it was written.
        urls: Addresses in place of the configured ones; None for those.

    Raises:
        ConfigError: It cannot listen there.
        MissingExtraError: What it needs is not installed.
    """
    given_port = _integer(port, "--port")
    if given_port is not None and not 0 <= given_port <= _HIGHEST_PORT:
        raise typer.BadParameter(f"{given_port} is no port", param_hint="--port")
    if urls is not None and "http://" not in urls.lower():
        raise typer.BadParameter(f"{urls!r} is not like http://127.0.0.1:8080", param_hint="--urls")
    options = setting.options(urls)
    from codecarbon.carbon_aware.web import serve as run_server
    from codecarbon.config.log import set_logger_format

    set_logger_format()  # clients are not told why an answer failed, so whoever runs the server must be
    try:
        run_server(options, host=host, port=given_port, say=lambda line: text.write_error(f"{line}\n"))
    except ConfigError as error:
        if urls is None or (error.field, error.origin) != ("urls", "settings"):
            raise
        raise ConfigError(error.field, error.value, "option --urls", error.expected) from error.__cause__


class _Run:
    """One command's work with the operations; they are closed at its end."""

    def __init__(self, setting: Setting) -> None:
        from codecarbon.carbon_aware.context import build_context

        self._setting = setting
        self._context = build_context(setting.options())
        self.operations = Operations(self._context)

    def __enter__(self) -> _Run:  # noqa: PYI034 (Self needs Python 3.11)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.operations.close()
        if isinstance(error, NotConfigured):
            reasons = [problem.sentence for problem in self._context.problems if not problem.is_warning]
            if reasons:
                raise InvalidParameters((), f"{error}: {reasons[0]}") from error

    def names(self, given: Iterable[str]) -> list[str]:
        """Separate names at commas, except where the whole text is a name."""
        names: list[str] = []
        for name in given:
            is_whole = "," not in name or self._context.locations.find(name) is not None
            names += [name] if is_whole else [part.strip() for part in name.split(",")]
        return names

    def show(self, sheet: wire.Sheet, metas: Sequence[Meta]) -> None:
        """Print a result; what a reader should know besides goes to standard error."""
        if any(meta.is_synthetic for meta in metas):
            text.write_error("carbon-aware: synthetic data: made-up values, for trying things out\n")
        if any(meta.is_stale for meta in metas):
            text.write_error("carbon-aware: stale data: older than the source promises\n")
        typer.echo(wire.write(sheet, self._setting.output), nl=False)


def tell_error(error: CodeCarbonError) -> int:
    """Say on standard error what went wrong, in the lines that the Carbon Aware SDK's program has.

    Returns:
        The exit code: 2 for what was asked wrongly, 3 for a provider's error, 1 for everything else.
    """
    fault = describe_fault(error, "command_line", Options())
    if isinstance(error, ProviderRejected):
        text.write_error(f"{fault.title}\n{fault.status}\n{fault.detail}\n")
        return PROVIDER_ERROR
    if fault.title in _ARGUMENT_TITLES:
        lines = [fault.detail or fault.title]
        for field, messages in fault.errors.items():
            lines.append(f"{field}: {messages[0]}")
            lines += messages[1:]
        text.write_error("\n".join(lines) + "\n")
        return ARGUMENT_ERROR
    text.write_error(f"{error}\n{_cause(error)}\n")
    return FAILURE


def _cause(error: CodeCarbonError) -> str:
    """What lies behind an error; empty when that is nothing, or is said in the error already."""
    cause = error.__cause__
    reason = cause.strerror.partition(" (while")[0] if isinstance(cause, OSError) and cause.strerror else str(cause)
    return "" if cause is None or reason in str(error) else str(cause)


def _read(read: Callable[[str], _Result], given: str | None, option: str) -> _Result | None:
    if given is None:
        return None
    try:
        return read(given)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _moment(given: str | None, option: str) -> Moment | None:
    return _read(read_moment, given, option)


def _integer(given: str | None, option: str) -> int | None:
    return _read(read_int32, given, option)


def _log_to_stderr() -> None:
    import logging

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
    for name in ("codecarbon", "urllib3.connectionpool"):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
