"""``codecarbon when``: the best moment to start a job, for people and for the programs that start it then."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import typer

from codecarbon import units
from codecarbon.carbon_aware import arguments
from codecarbon.carbon_aware.configured import allows_synthetic, is_known_source, make_planner, new_seed
from codecarbon.carbon_aware.decision import DEFAULT_MIN_SAVING_PERCENT, Wish, latest_end_us
from codecarbon.cli import picture, text
from codecarbon.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from codecarbon.carbon_aware.decision import Decision, Planner
    from codecarbon.carbon_aware.results import ScheduleOption
    from codecarbon.model import TimeSpan

SCHEMA = "codecarbon.when/1"
FORMATS = ("text", "json", "epoch", "at", "slurm", "systemd")
_MOST = 100
# A scheduler needs a moment to take a job in, and refuses a start that has passed by then.
_LEAD_US = 5 * units.US_PER_S
# Less than anybody can know of a forecast.
_NO_DIFFERENCE = 0.0005

_Value = TypeVar("_Value")


class Ask(NamedTuple):
    """A job as it stands in the options; None where nothing was said."""

    duration: str | None = None
    deadline: str | None = None
    within: str | None = None
    min_saving: str | None = None
    regions: str | None = None
    power: str | None = None
    pieces: str | None = None
    resume_cost: str | None = None
    alternatives: str | None = None
    source: str | None = None
    config: str | None = None
    is_spread: bool = True


def when(ask: Ask, form: str) -> None:
    """Print when to start a job.

    Raises:
        ConfigError: An option's value cannot be used.
    """
    if form not in FORMATS:
        raise ConfigError("format", form, "option --format", " or ".join(FORMATS))
    wish = read_wish(ask, now_us=units.us_from_s(time.time()))
    decision = planner_of(ask).decide(wish)
    now_us = units.us_from_s(time.time())
    if form == "text":
        typer.echo(_text(decision, wish), nl=False)
        return
    if form == "json":
        typer.echo(json.dumps(document(decision, wish), indent=2, allow_nan=False))
        return
    text.say(explain(decision))
    for start_us in starts_us(decision):
        typer.echo(write_start(start_us, form, now_us=now_us))


def planner_of(ask: Ask) -> Planner:
    """Make the planner that the options ask for.

    Raises:
        ConfigError: There is no such file of settings, or no such source; a misspelt one would start every job now.
    """
    if ask.config is not None and not os.path.isfile(ask.config):  # noqa: PTH113 (pathlib would be loaded for it)
        raise ConfigError("config", ask.config, "option --config", "a file that exists")
    if ask.source is not None and not is_known_source(ask.source, config=ask.config):
        expected = "an entry of DataSources:Configurations, or a kind of source: Sample, UKCarbonIntensity, Static…"
        raise ConfigError("source", ask.source, "option --source", expected)
    return make_planner(source=ask.source, config=ask.config)


def read_wish(ask: Ask, *, now_us: int, default_duration: str | None = None) -> Wish:
    """Read a job from its options.

    Args:
        ask: The options.
        now_us: The time, UTC microseconds.
        default_duration: What stands in for a duration that was not given.

    Raises:
        ConfigError: A value cannot be used.
    """
    duration_s = _read("duration", arguments.parse_duration_s, ask.duration or default_duration)
    if duration_s is None:
        expected = f"how long the job takes: {arguments.DURATION_FORMS}"
        raise ConfigError("duration", None, "option --duration", expected)
    deadline_us = _read("deadline", arguments.parse_time_us, ask.deadline)
    within_s = _read("within", arguments.parse_duration_s, ask.within)
    pieces = _read("pieces", _count, ask.pieces)
    min_saving_ratio = _read("min-saving", arguments.parse_percent_ratio, ask.min_saving)
    if min_saving_ratio is None:
        min_saving_ratio = units.ratio_from_percent(DEFAULT_MIN_SAVING_PERCENT)
    return Wish(
        duration_s=duration_s,
        latest_end_us=latest_end_us(now_us, duration_s, deadline_us=deadline_us, within_s=within_s),
        locations=arguments.parse_keys(ask.regions or ""),
        power_w=_read("power", arguments.parse_power_w, ask.power),
        pieces=pieces or 1,
        resume_cost_s=_read("resume-cost", arguments.parse_duration_s, ask.resume_cost) or 0.0,
        alternatives=_read("alternatives", _count, ask.alternatives) or 3,
        seed=new_seed() if ask.is_spread else None,
        allows_synthetic=allows_synthetic(ask.source),
        min_saving_ratio=min_saving_ratio,
    )


def _count(given: str) -> int:
    number = int(given)
    if not 1 <= number <= _MOST:
        raise ValueError(f"{given!r} is not a whole number from 1 to {_MOST}")
    return number


def _read(name: str, parse: Callable[[str], _Value], given: str | None) -> _Value | None:
    if given is None:
        return None
    try:
        return parse(given)
    except ValueError as error:
        expected = {
            "deadline": arguments.TIME_FORMS,
            "power": arguments.POWER_FORMS,
            "min-saving": arguments.PERCENT_FORMS,
            "pieces": f"a whole number from 1 to {_MOST}",
            "alternatives": f"a whole number from 1 to {_MOST}",
        }.get(name, arguments.DURATION_FORMS)
        raise ConfigError(name, given, f"option --{name}", expected) from error


# --- for programs -----------------------------------------------------------------------------------------------------


def starts_us(decision: Decision) -> list[int]:
    """List when to start, or to go on, one moment for each piece."""
    spans = _spans(decision)
    return [decision.start_us, *(span.start_us for span in spans[1:])]


def _spans(decision: Decision) -> tuple[TimeSpan, ...]:
    return decision.option.spans if decision.option is not None else ()


def write_start(start_us: int, form: str, *, now_us: int) -> str:
    """Write a moment as a scheduler's option takes it.

    Args:
        start_us: The moment; one that has come, or nearly, is moved to where the scheduler still takes it.
        form: ``epoch``, ``at`` (for ``at -t``), ``slurm`` (for ``sbatch --begin``) or ``systemd`` (for ``systemd-run
            --on-calendar``).
        now_us: The time.
    """
    if form == "epoch":
        return str(start_us // units.US_PER_S)
    if form == "slurm":
        if start_us <= now_us:
            return "now"
        # sbatch(1): YYYY-MM-DD[THH:MM[:SS]], in the local time of the machine it is called on.
        return f"{picture.local_time(start_us):%Y-%m-%dT%H:%M:%S}"
    if form == "systemd":
        # systemd.time(7); a calendar event of the past would never elapse.
        at_us = max(start_us, now_us + _LEAD_US)
        return units.iso_from_us(at_us - at_us % units.US_PER_S).replace("T", " ").replace("Z", " UTC")
    # at(1) starts jobs on whole minutes, reads -t as touch(1) does, and refuses moments of the past.
    minute_us = start_us - start_us % units.US_PER_MIN
    if minute_us < now_us + _LEAD_US:
        minute_us = -(-(now_us + _LEAD_US) // units.US_PER_MIN) * units.US_PER_MIN
    return f"{picture.local_time(minute_us):%Y%m%d%H%M}"


def document(decision: Decision, wish: Wish) -> dict[str, object]:
    """Return the decision for programs; what is unknown is null."""
    option = decision.option
    return {
        "schema": SCHEMA,
        "is_now": decision.is_now,
        "because": decision.because,
        "start_utc": units.iso_from_us(decision.start_us),
        "start_epoch_s": units.s_from_us(decision.start_us),
        "duration_s": wish.duration_s,
        "latest_end_utc": units.iso_from_us(wish.latest_end_us),
        "min_saving_ratio": wish.min_saving_ratio,
        "location": None if option is None else option.location,
        "signal": decision.signal or None,
        "sources": list(decision.sources),
        "is_synthetic": decision.is_synthetic,
        "forecast_generated_utc": _iso(decision.generated_us),
        "chosen": None if option is None else _option(option),
        "alternatives": [_option(other) for other in decision.alternatives],
    }


def _option(option: ScheduleOption) -> dict[str, object]:
    return {
        "location": option.location,
        "spans_utc": [[units.iso_from_us(span.start_us), units.iso_from_us(span.end_us)] for span in option.spans],
        "intensity_g_per_kwh": option.intensity_g_per_kwh,
        "now_intensity_g_per_kwh": option.now_intensity_g_per_kwh,
        "saving_ratio": option.saving_ratio,
        "emissions_g": option.emissions_g,
    }


def _iso(unix_us: int | None) -> str | None:
    return None if unix_us is None else units.iso_from_us(unix_us)


# --- for people -------------------------------------------------------------------------------------------------------


def explain(decision: Decision) -> str:
    """Say in one line when to start and why."""
    label = "; the data are synthetic" if decision.is_synthetic else ""
    if decision.is_now:
        return f"run now, because {decision.because}{label}"
    wait = text.clock(units.s_from_us(decision.start_us - decision.decided_us))
    return f"start {moment(decision.start_us)}, in {wait}, because {decision.because}{label}"


def moment(unix_us: int) -> str:
    """Write a moment in local time, for people."""
    return f"{picture.local_time(unix_us):%a %d %b %H:%M:%S %Z}"


def _text(decision: Decision, wish: Wish) -> str:
    style = text.Style(is_coloured=text.has_colour(sys.stdout))
    line = explain(decision)
    parts = [style.bold(f"{line[0].upper()}{line[1:]}.") + "\n"]
    rows = picture.bins(decision.points, _spans(decision))
    if rows:
        parts.append("\n" + (picture.draw(rows) if text.is_terminal(sys.stdout) else picture.tell(rows)))
    if decision.alternatives:
        parts.append("\n" + _ranking(decision, wish))
    return "".join(parts)


def _ranking(decision: Decision, wish: Wish) -> str:
    """Write the alternatives, one line each."""
    lines = []
    for rank, option in enumerate(decision.alternatives, 1):
        span, *more = option.spans
        pieces = "".join(f", then {_short(each.start_us)} to {_short(each.end_us)}" for each in more)
        facts = [f"{text.number(option.intensity_g_per_kwh)} g/kWh"]
        if option.saving_ratio is not None:
            facts.append(_against_now(option.saving_ratio))
        if option.emissions_g is not None and wish.power_w is not None:
            facts.append(_mass(option.emissions_g))
        where = f"  {option.location}" if len(wish.locations) > 1 else ""
        lines.append(f"{rank:3}. {_short(span.start_us)} to {_short(span.end_us)}{pieces}{where}  {', '.join(facts)}")
    return "\n".join(lines) + "\n"


def _against_now(saving_ratio: float) -> str:
    if abs(saving_ratio) < _NO_DIFFERENCE:
        return "as now"
    if saving_ratio >= 0:
        return f"{units.percent_from_ratio(saving_ratio)} less than now"
    return f"{units.percent_from_ratio(-saving_ratio)} more than now"


def _mass(mass_g: float) -> str:
    return text.prefixed(mass_g, "g CO2eq") if mass_g < units.G_PER_KG else text.mass(mass_g)


def _short(unix_us: int) -> str:
    return f"{picture.local_time(unix_us):%a %H:%M}"
