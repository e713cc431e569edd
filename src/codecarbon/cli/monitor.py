"""``codecarbon monitor``: measure a command, or the machine until Ctrl-C."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from codecarbon import units
from codecarbon.cli import child, options, text
from codecarbon.cli.report import RunReport, summary
from codecarbon.config import OutputMethod
from codecarbon.handlers import FileOutput
from codecarbon.tracker import EmissionsTracker, OfflineEmissionsTracker
from codecarbon.tracker.wiring import check_sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from codecarbon.config import Settings
    from codecarbon.tracker import BaseEmissionsTracker

NO_COUNTRY = "Country ISO code is required for offline mode: give --country-iso-code, or set country_iso_code"
NO_EXPERIMENT = "--api needs an experiment_id, or a project_id with a project_token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What was asked for beside the settings; None where nothing was.

    Attributes:
        offline: Never use a network.
        api: Upload.
        csv: Write the CSV file.
        json: Print JSON at the end.
        json_file: Write JSON to this file.
    """

    offline: bool | None = None
    api: bool | None = None
    csv: bool | None = None
    json: bool = False
    json_file: str | None = None


def watch_command(words: Sequence[str], wishes: Wishes, given: dict[str, object]) -> int:
    """Measure a command.

    Args:
        words: The command and its arguments.
        wishes: What else was asked for.
        given: Settings from options, by name.

    Returns:
        The exit code to end with: the command's.
    """
    plan = _Plan(wishes, given, tracking_mode="process")
    try:
        child.check_command(words[0])
        with child.adopt_orphans(), child.catch_signals() as signals_fd:
            tracker = plan.make_tracker()
            tracker.start()
            cpu_begin_s = time.process_time()
            with _live_line(tracker) as show:
                try:
                    outcome = child.run(words, signals_fd, on_wait=show)
                finally:
                    tracker.stop()
            plan.report(tracker, words, outcome, time.process_time() - cpu_begin_s)
    except child.CommandError as error:
        options.fail(str(error), error.exit_code)
    return outcome.exit_code


def check_wishes(wishes: Wishes, given: dict[str, object]) -> None:
    """Check that a command could be measured; nothing is read or measured.

    Args:
        wishes: What was asked for beside the settings.
        given: Settings from options, by name.

    Raises:
        ConfigError: A setting cannot be used.
        typer.Exit: The wishes cannot be met; the reason was said.
    """
    _Plan(wishes, given, tracking_mode="process")


def watch_machine(wishes: Wishes, given: dict[str, object]) -> int:
    """Measure until SIGINT, SIGTERM or SIGHUP.

    Args:
        wishes: What else was asked for.
        given: Settings from options, by name.

    Returns:
        The exit code to end with.
    """
    plan = _Plan(wishes, given, tracking_mode="machine")
    with child.catch_signals() as signals_fd:
        tracker = plan.make_tracker()
        tracker.start()
        cpu_begin_s = time.process_time()
        if tracker._another_instance_already_running:  # noqa: SLF001 (a name that users of version 3 rely on)
            return 0
        _say_to_person("measuring until Ctrl-C")
        with _live_line(tracker):
            child.wait_for_stop(signals_fd)
            tracker.stop()
        plan.report(tracker, (), None, time.process_time() - cpu_begin_s)
    return 0


def run_and_monitor(
    ctx: Any,
    log_level: str = "error",
    offline: bool = False,  # noqa: FBT001, FBT002 (as it was in version 3)
    **tracker_args: object,
) -> NoReturn:
    """Measure the command in ``ctx.args`` and end with its exit code.

    Args:
        ctx: An object with a list ``args``; a leading ``monitor`` or ``--`` in it is dropped.
        log_level: Level of the log.
        offline: Never use a network.
        tracker_args: Settings, by name.

    Raises:
        typer.Exit: Always, with the exit code.
    """
    words = list(ctx.args)
    while words[:1] in (["monitor"], ["--"]):
        del words[0]
    if not words:
        options.fail("no command was given", options.FAILURE)
    raise typer.Exit(watch_command(words, Wishes(offline=offline), {**tracker_args, "log_level": log_level}))


class _Plan:
    """The settings of one run, worked out before anything is measured.

    Args:
        wishes: What was asked for beside the settings.
        given: Settings from options, by name.
        tracking_mode: What is measured unless a setting says otherwise.

    Raises:
        ConfigError: A setting cannot be used.
        typer.Exit: The wishes cannot be met; the reason was said.
    """

    def __init__(self, wishes: Wishes, given: dict[str, object], *, tracking_mode: str) -> None:
        self.wishes = wishes
        self.is_offline = bool(wishes.offline)
        settings = options.resolve_options(given, offline=self.is_offline)
        if self.is_offline and not _names_a_place(settings):
            options.fail(NO_COUNTRY, options.FAILURE)
        if wishes.api and not _can_upload(settings):
            options.fail(NO_EXPERIMENT, options.FAILURE)
        defaults = {**options.DEFAULTS, "tracking_mode": tracking_mode}
        unsaid = {name: value for name, value in defaults.items() if settings.origin(name) == "default"}
        self.has_default_log = "log_level" in unsaid and "log_level" not in given
        self.arguments: dict[str, Any] = {**unsaid, **given}
        methods = _methods(settings, csv=wishes.csv, api=wishes.api)
        if methods is not None:
            self.arguments["output_methods"] = methods
        self.settings = options.resolve_options(self.arguments, offline=self.is_offline)
        with options.naming_options():
            check_sources(self.settings, offline=self.is_offline)

    def make_tracker(self) -> BaseEmissionsTracker:
        """Make the tracker; nothing is read yet."""
        kind = OfflineEmissionsTracker if self.is_offline else EmissionsTracker
        if self.has_default_log:
            # Money is never spent in silence, however little else the log tells here.
            logging.getLogger("codecarbon.handlers.offset").setLevel(logging.INFO)
        return kind(**self.arguments)

    def report(
        self,
        tracker: BaseEmissionsTracker,
        words: Sequence[str],
        outcome: child.Outcome | None,
        own_cpu_s: float,
    ) -> None:
        """Write the summary to standard error, and JSON where it was asked for; what cannot be written is said."""
        report = RunReport(
            command=tuple(words),
            outcome=outcome,
            record=tracker.final_record,
            run_id=str(tracker.run_id),
            project_name=self.settings.project_name,
            tracking_mode=self.settings.tracking_mode,
            csv_path=_csv_path(tracker),
            csv_problem=_csv_problem(tracker),
            notes=tuple(self._notes(tracker)),
            own_cpu_s=own_cpu_s,
        )
        text.write_error(summary(report, text.Style(is_coloured=text.has_colour(sys.stderr))))
        if self.wishes.json or self.wishes.json_file:
            from codecarbon.cli import document

            document.write(document.run_dict(report), to_stdout=self.wishes.json, path=self.wishes.json_file)

    def _notes(self, tracker: BaseEmissionsTracker) -> Iterable[str]:
        """What went wrong, and what the settings table noticed unless the log has said so already."""
        if tracker.is_degraded:
            yield "something failed while measuring and the figures are incomplete; the log says what"
        log = logging.getLogger("codecarbon")
        for notice in self.settings.notices:
            if notice.level >= logging.WARNING and not log.isEnabledFor(notice.level):
                yield notice.text


def _names_a_place(settings: Settings) -> bool:
    has_cloud = settings.cloud_provider and settings.cloud_region
    return bool(settings.country_iso_code or settings.country_2letter_iso_code or has_cloud)


def _can_upload(settings: Settings) -> bool:
    has_experiment = settings.origin("experiment_id") != "default" and settings.experiment_id
    has_project = settings.project_id and settings.origin("api_key") != "default"
    return bool(has_experiment or has_project)


def _methods(settings: Settings, *, csv: bool | None, api: bool | None) -> list[str] | None:
    """Work out the output methods, or None when the switches change nothing."""
    methods = list(settings.output_methods)
    for method, is_wanted in ((OutputMethod.CSV, csv), (OutputMethod.API, api)):
        if is_wanted and method not in methods:
            methods.append(method)
        elif is_wanted is False and method in methods:
            methods.remove(method)
    return None if methods == list(settings.output_methods) else methods


def _csv_path(tracker: BaseEmissionsTracker) -> str | None:
    """Where the tracker's own CSV handler writes, or None without one."""
    for handler in tracker._output_handlers:  # noqa: SLF001 (a name that users of version 3 rely on)
        if isinstance(handler, FileOutput):
            return handler.save_file_path
    return None


def _csv_problem(tracker: BaseEmissionsTracker) -> str:
    for fault in tracker.handler_faults:
        if fault.handler == FileOutput.__name__:
            return fault.message
    return "" if tracker.final_record is not None else "nothing was measured"


def _say_to_person(message: str) -> None:
    if text.is_terminal(sys.stderr):
        text.say(message)


@contextmanager
def _live_line(tracker: BaseEmissionsTracker) -> Iterator[Callable[[str], None]]:
    """Show what is being used, on a terminal; yield a function that shows a message instead."""
    if not text.is_terminal(sys.stderr):
        yield _say_to_person
        return
    from codecarbon.cli.live import StatusLine

    style = text.Style(is_coloured=text.has_colour(sys.stderr))
    with StatusLine(sys.stderr.fileno(), LiveText(tracker), style.reverse) as line:
        yield line.show


class LiveText:
    """The live line's text: power over the last second, and what was used since the begin.

    Args:
        tracker: A running tracker.
    """

    def __init__(self, tracker: BaseEmissionsTracker) -> None:
        self._tracker = tracker
        self._begin = self._previous = tracker.mark()

    def __call__(self) -> str:
        """Compose the line."""
        now = self._tracker.mark()
        total = self._tracker.energy(self._begin, now)
        recent = self._tracker.energy(self._previous, now)
        self._previous = now
        if total is None or recent is None:
            return " codecarbon  measuring"
        parts = [text.clock(total.window.duration_s)]
        recent_j, total_j = recent.window.energy_j, total.window.energy_j
        if recent_j is None or total_j is None or recent.window.duration_s <= 0:
            parts.append("energy unknown so far")
        else:
            parts.append(text.power(recent_j / recent.window.duration_s))
            parts.append(text.prefixed(total.emissions_g, "g CO2eq"))
            parts.append(text.watt_hours(total_j))
        if total.window.measured_ratio is not None:
            parts.append(f"{units.percent_from_ratio(total.window.measured_ratio)} measured")
        return " codecarbon  " + "   ".join(parts)
