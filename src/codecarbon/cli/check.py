"""``carbon-aware check``: what the configuration comes to, whether it works, and what to do where it does not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

import typer

from codecarbon import units
from codecarbon.cli import text
from codecarbon.errors import CapabilityError, IntensityError, NoIntensityData, ProviderRejected, ProviderUnavailable
from codecarbon.model import TimeSpan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from codecarbon.carbon_aware.context import Context
    from codecarbon.carbon_aware.options import ConfigProblem
    from codecarbon.cli.carbon_aware_commands import Setting
    from codecarbon.intensity.provider import IntensityProvider
    from codecarbon.model import Location

OK, WARNING, FAULT = "ok", "warning", "fault"
_REJECTED_CREDENTIALS = {401, 403}
_LOOK_BACK_US = 2 * units.US_PER_HOUR
# What origins that are no files are called.
_PLACES = {"": "the configuration", "environment": "the environment", "arguments": "the options"}


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        state: ``ok``, ``warning`` or ``fault``.
        subject: What it is about.
        message: What was found.
        advice: What to do next; empty where there is nothing to do.
    """

    state: str
    subject: str
    message: str
    advice: str = ""


def check(setting: Setting, *, is_offline: bool) -> int:
    """Check the configuration and print what was found.

    Args:
        setting: What was asked for beside the configuration.
        is_offline: Ask no provider.

    Returns:
        The exit code: 0 when everything works, 1 otherwise.
    """
    from codecarbon.carbon_aware.context import build_context

    context = build_context(setting.options())
    style = text.Style(is_coloured=text.has_colour(sys.stdout))
    typer.echo(_settings_text(context, style))
    found = list(find_all(context, is_offline=is_offline))
    for finding in found:
        typer.echo(_line(finding, style))
    faults = sum(finding.state == FAULT for finding in found)
    typer.echo("\n" + (style.bad(f"{faults} to be mended") if faults else style.good("everything works")))
    return 1 if faults else 0


def find_all(context: Context, *, is_offline: bool) -> Iterator[Finding]:
    """Look at files, keys, credentials and zones."""
    yield from _problems(context.problems)
    yield _locations(context)
    named = {key.casefold() for key, value, _ in context.options.effective if value}
    roles = (("EmissionsDataSource", context.emissions), ("ForecastDataSource", context.forecast))
    has_any = any(source is not None for _, source in roles)
    for role, source in roles:
        if source is None:
            is_meant = f"datasources:{role}".casefold() in named
            advice = f"let DataSources:{role} name a working entry of DataSources:Configurations"
            state = FAULT if is_meant or not has_any else WARNING
            yield Finding(state, role, "is not configured: what needs it is refused", advice)
            continue
        if source.name == "sample":
            advice = "configure DataSources for real ones"
            yield Finding(WARNING, role, "sample: made-up values, for trying things out", advice)
        if is_offline:
            yield Finding(OK, role, f"{source.name}, {source.signal}; not asked")
        else:
            yield _source(context, role, source)


def _problems(problems: Iterable[ConfigProblem]) -> Iterator[Finding]:
    for problem in problems:
        state = WARNING if problem.is_warning else FAULT
        message = problem.message.rstrip(".")
        if problem.is_warning:
            yield Finding(state, problem.key, f"{message} ({problem.origin})" if problem.origin else message)
        else:
            where = _PLACES.get(problem.origin, problem.origin)
            yield Finding(state, problem.key, message, f"correct it in {where}")


def _locations(context: Context) -> Finding:
    count = len(context.locations.by_key)
    if count:
        return Finding(OK, "locations", f"{count} known")
    return Finding(WARNING, "locations", "none is known", "list files in LocationDataSourcesConfiguration")


def _source(context: Context, role: str, source: IntensityProvider) -> Finding:
    """Ask a source for a little, about the first place that it covers."""
    try:
        place = _first_place(context, source)
        if place is None:
            return Finding(FAULT, role, f"{source.name} covers none of the locations", "add a location that it covers")
        where, zone = place
        if role == "ForecastDataSource":
            count = len(source.forecast(where).points)
        else:
            now_us = units.us_from_s(context.clock())
            count = len(source.observed(where, TimeSpan(now_us - _LOOK_BACK_US, now_us)).points)
    except CapabilityError:
        advice = "name another source for this role; until then it answers 501"
        return Finding(WARNING, role, f"{source.name} has none of this kind", advice)
    except IntensityError as error:
        return Finding(FAULT, role, f"{source.name}: {error}", _advice(error))
    found = f"{source.name}, {source.signal}: {count or 'no'} points for {where.label} (zone {zone})"
    return Finding(OK, role, found) if count else Finding(WARNING, role, found, "ask for a time that it has data for")


def _first_place(context: Context, source: IntensityProvider) -> tuple[Location, str] | None:
    """The first place of the table that a source covers, and its zone there."""
    for where in context.locations.by_key.values():
        zone = _find_zone(source, where)
        if zone is not None:
            return where, zone
    return None


def _find_zone(source: IntensityProvider, where: Location) -> str | None:
    if not getattr(source, "knows", lambda _: True)(where):  # a file only knows what is in it
        return None
    try:
        return source.zone_of(where)
    except NoIntensityData:
        return None


def _advice(error: IntensityError) -> str:
    if isinstance(error, ProviderRejected) and error.status in _REJECTED_CREDENTIALS:
        return "check user name, password or token, and what the plan includes"
    if isinstance(error, ProviderUnavailable):
        return "check the network, the proxy and BaseUrl"
    return "try again later, or name a Fallback"


def _settings_text(context: Context, style: text.Style) -> str:
    options = context.options
    lines = [style.bold("Settings in force")]
    lines.append(f"  profile: {options.profile}")
    if options.is_embedded_default:
        lines.append("  no data source is configured: the built-in sample answers")
    width = max((len(key) for key, _, _ in options.effective), default=0)
    lines += [f"  {key:{width}}  {value}  {style.dim(f'({origin})')}" for key, value, origin in options.effective]
    return "\n".join([*lines, "", style.bold("Findings")])


def _line(finding: Finding, style: text.Style) -> str:
    mark = {OK: style.good, WARNING: style.weak, FAULT: style.bad}[finding.state](f"{finding.state:7}")
    advice = f"; {finding.advice}" if finding.advice else ""
    subject = "" if finding.subject in finding.message else f"{finding.subject}: "
    return f"  {mark}  {subject}{finding.message}{advice}"
