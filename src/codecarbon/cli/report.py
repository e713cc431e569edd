"""What a run turned out to be, for people."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from codecarbon import units
from codecarbon.cli import text
from codecarbon.cli.child import Outcome
from codecarbon.model import ComponentEnergy, EmissionsRecord, Intensity, Location, SourceShare

_WIDTH = 92
_INDENT = " " * 13
_UPLOAD = "nothing is uploaded (this version cannot yet; then: --api and an experiment_id)"
_NAMES = {"cpu": "CPU", "gpu": "GPU", "ram": "RAM", "platform": "Platform"}


@dataclass(frozen=True, slots=True)
class RunReport:
    """A finished run.

    Attributes:
        command: The command's words; empty when the machine was watched until Ctrl-C.
        outcome: How the command ended, or None without one.
        record: What was measured, or None when nothing could be.
        run_id: The run's identity, as in the CSV.
        project_name: The run's label.
        tracking_mode: ``process`` or ``machine``.
        csv_path: Absolute path of the CSV file, or None when none was asked for.
        csv_problem: Why the row is not in the file, or empty.
        notes: What else there is to say.
        own_cpu_s: Processor time of this process while it measured, sampling included.
    """

    command: Sequence[str]
    outcome: Outcome | None
    record: EmissionsRecord | None
    run_id: str
    project_name: str
    tracking_mode: str
    csv_path: str | None
    csv_problem: str = ""
    notes: tuple[str, ...] = ()
    own_cpu_s: float = 0.0


def summary(report: RunReport, style: text.Style) -> str:
    """Write a finished run for people, as lines that end in a newline."""
    lines = ["", f"{style.bold('codecarbon')}  {_headline(report)}", ""]
    record = report.record
    if record is None:
        lines += _row("Emissions", style.bad("N/A") + ", nothing was measured")
    else:
        window = record.window
        lines += _row("Duration", text.duration(window.duration_s))
        lines += _energy(record, style)
        lines += _emissions(record, style)
        lines += _row("Scope", scope(record, report.tracking_mode))
        lines += _row("Own cost", _own_cost(record, report.own_cpu_s))
    lines += _csv(report, style)
    if report.outcome is not None and report.outcome.has_left_processes:
        lines += _row("Left", "the command left processes running; they are not measured any more")
    for note in report.notes:
        lines += _row("Note", note)
    lines += _row("Upload", style.dim(_UPLOAD))
    return "\n".join([*lines, "", ""])


def place_text(location: Location) -> str:
    """Name a place, and say when it is only a guess."""
    if not (location.country_iso_code or location.cloud_provider):
        return f"unknown; give --country-iso-code{f' beside region {location.region}' if location.region else ''}"
    label = location.label
    if location.country_name and location.country_iso_code and not location.cloud_provider:
        label = location.country_name + (f", {location.region}" if location.region else "")
    if not location.is_guess:
        return label
    return (
        f"{label}, {location.origin}" if location.origin.startswith("guess") else f"{label}, guess: {location.origin}"
    )


def intensity_text(intensity: Intensity) -> str:
    """Name an intensity with its source and year."""
    value = f"{text.number(intensity.intensity_g_per_kwh)} g/kWh"
    year = f" ({intensity.year})" if intensity.year else ""
    note = f"; {intensity.note}" if intensity.note else ""
    return f"{value}, {intensity.source}{year}{note}"


def share_text(share: SourceShare, whole_j: float) -> str:
    """Name what a source of carbon intensity priced, and how much of the whole that is when it is not all."""
    value = f"{text.number(share.intensity_g_per_kwh)} g/kWh"
    if share.lowest_g_per_kwh != share.highest_g_per_kwh:
        value += f" ({text.number(share.lowest_g_per_kwh)} to {text.number(share.highest_g_per_kwh)})"
    # Tables name their row only where it is not the place's own; what is live names its zone.
    zone = "" if share.year else f", {share.zone}" if share.zone else ""
    year = f" ({share.year})" if share.year else ""
    marginal = ", marginal" if share.signal == "marginal" else ""
    note = f"; {share.note}" if share.note else ""
    part = ""
    if whole_j > 0 and share.energy_j < whole_j:
        part = f", for {units.percent_from_ratio(share.energy_j / whole_j)} of the energy"
    return f"{value}, {share.source}{year}{zone}{marginal}{part}{note}"


def _headline(report: RunReport) -> str:
    outcome = report.outcome
    if outcome is None:
        return "whole machine" if report.tracking_mode == "machine" else "this process"
    if outcome.was_interrupted:
        ending = "interrupted"
    elif outcome.signal_number is not None:
        ending = f"ended by signal {outcome.signal_number}"
    else:
        ending = f"exit code {outcome.exit_code}"
    return f"{shlex.join(report.command)}  ({ending})"


def _row(label: str, content: str) -> list[str]:
    """Lay a labelled text out, wrapped below itself."""
    head = f"  {label + ':' if label else '':<{len(_INDENT) - 2}}"
    return text.wrap(head, content, _WIDTH)


def _energy(record: EmissionsRecord, style: text.Style) -> list[str]:
    window = record.window
    total_j = window.energy_j
    if total_j is None or window.low_j is None or window.high_j is None:
        lines = _row("Energy", style.bad("nothing is known"))
    else:
        power = f", {text.power(total_j / window.duration_s)} on average" if window.duration_s > 0 else ""
        joules, watt_hours = text.energy(total_j), text.watt_hours(total_j)
        both = style.bold(joules) + (f" = {watt_hours}" if joules.endswith("J") else "")
        lines = _row("Energy", f"{both}{power}")
        lines += _row("", f"{text.energy_range(window.low_j, window.high_j)}, {_bound_words(window.known)}")
    for component in window.components:
        lines += _component(component, window.duration_s, style)
    if window.measured_ratio is not None:
        lines += _row("Measured", f"{units.percent_from_ratio(window.measured_ratio)} of this energy, by sensors")
    if record.pue_ratio != 1.0 and total_j is not None:
        after_j = total_j * record.pue_ratio
        lines += _row("PUE", f"{record.pue_ratio:g}; with it {text.energy(after_j)}, as in the CSV file")
    if window.gap_s > 0:
        lines += _row("Gaps", f"no readings for {text.duration(window.gap_s)}")
    return lines


def _bound_words(known: Sequence[ComponentEnergy]) -> str:
    kinds = {component.bound_kind for component in known}
    if kinds == {"hard"}:
        return "a hard bound"
    return "a plausible bound" if kinds == {"plausible"} else "partly a hard, partly a plausible bound"


def _component(component: ComponentEnergy, duration_s: float, style: text.Style) -> list[str]:
    label = f"  {_NAMES.get(component.component, component.component)}"
    missing = [f"{style.bad('missing')}: {reason}" for reason in component.missing]
    if component.energy_j is None:
        return _row(label, "; ".join(missing) or style.bad("missing"))
    paint = style.good if component.method == "measured" else style.weak
    detail = paint(component.method or "")
    if component.low_j is not None and component.high_j is not None:
        detail += f", {component.bound_kind} bound {text.energy_range(component.low_j, component.high_j)}"
    if component.coverage_ratio < 1.0:
        detail += f", readings cover {units.percent_from_ratio(component.coverage_ratio)} of the time"
    if component.flags:
        detail += f", faults: {', '.join(component.flags)}"
    lines = _row(label, f"{_figures(component.energy_j, duration_s)}  {detail}")
    for line in (component.source, *missing):
        lines += _row("", line)
    return lines


def _figures(energy_j: float, duration_s: float) -> str:
    power = text.power(energy_j / duration_s) if duration_s > 0 else ""
    return f"{text.energy(energy_j):>9} {power:>9}"


def _emissions(record: EmissionsRecord, style: text.Style) -> list[str]:
    if record.window.energy_j is None:
        lines = _row("Emissions", style.bad("N/A"))
    else:
        bound = f"{_mass_range(record.emissions_low_g, record.emissions_high_g)} from the energy bound alone"
        lines = _row("Emissions", f"{style.bold(text.mass(record.emissions_g))}  ({bound})")
    lines += _row("Place", place_text(record.location))
    shares = record.sources
    for share in shares:
        lines += _row("Intensity", share_text(share, sum(entry.energy_j for entry in shares)))
    for note in record.pricing_notes:
        lines += _row("", f"{style.bad('failed')}: {note}")
    if record.water_l:
        lines += _row("Water", f"{text.number(record.water_l)} l at {record.wue_l_per_kwh:g} l/kWh")
    return lines


def _mass_range(low_g: float, high_g: float) -> str:
    low, high = text.mass(low_g), text.mass(high_g)
    number, _, unit = low.partition(" ")
    return f"{number} to {high}" if high.endswith(unit) and " " + unit in high else f"{low} to {high}"


def intensities(record: EmissionsRecord) -> list[Intensity]:
    """The different intensities that priced the run, in order."""
    return list(dict.fromkeys(slot.intensity for slot in record.priced))


def scope(record: EmissionsRecord, tracking_mode: str) -> str:
    """Say what the figures cover, component by component where they differ."""
    words = {
        "process": "the command and its children" if tracking_mode == "process" else "this process and its children",
        "machine": "the whole machine, other programs included",
        "platform": "the whole platform, other programs included",
        "gpu": "whole cards, other programs included",
    }
    scopes: dict[str, list[str]] = {}
    for component in record.window.known:
        name = _NAMES.get(component.component, component.component)
        scopes.setdefault(words.get(component.scope, component.scope), []).append(name)
    if len(scopes) == 1:
        return next(iter(scopes))
    return "; ".join(f"{', '.join(names)}: {scope}" for scope, names in scopes.items()) or "nothing"


def _own_cost(record: EmissionsRecord, own_cpu_s: float) -> str:
    window = record.window
    cost = f"{text.number(own_cpu_s)} s of processor time"
    if window.duration_s > 0:
        cost += f", {text.number(own_cpu_s / window.duration_s * 100, 2)} % of one CPU"
    cost += f"; {text.number(window.own_cpu_s)} s of it for {window.ticks} samples"
    return cost + (f", {window.missed_ticks} missed" if window.missed_ticks else "")


def _csv(report: RunReport, style: text.Style) -> list[str]:
    if report.csv_path is None:
        return _row("CSV", "none was asked for")
    # Not wrapped: a path is there to be copied.
    head = f"  {'CSV:':<{len(_INDENT) - 2}}"
    if report.csv_problem:
        return [f"{head}{style.bad('not written')}: {report.csv_problem}"]
    return [f"{head}{style.good(report.csv_path)}"]
