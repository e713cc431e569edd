"""``codecarbon detect``: what can be measured here, what cannot, and what would help."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import typer

from codecarbon._version import __version__
from codecarbon.cli import options, text
from codecarbon.cli.report import intensity_text, place_text
from codecarbon.hardware import MeasureRequest, make_request, read_facts
from codecarbon.hardware import detect as find_sensors
from codecarbon.intensity import get_intensity
from codecarbon.model import Finding, Intensity, Location, MachineFacts
from codecarbon.tracker.wiring import locate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codecarbon.config import Settings

SCHEMA = "codecarbon.detect/1"
_WIDTH = 92
_COMPONENTS = {"cpu": "CPU", "ram": "RAM", "gpu": "GPU"}


@dataclass(frozen=True, slots=True)
class Choice:
    """Where a component's energy would come from.

    Attributes:
        component: ``cpu``, ``ram`` or ``gpu``.
        method: ``measured``, ``modelled``, or None when it would be missing.
        source: The interface with its channels, or the model.
    """

    component: str
    method: str | None
    source: str


@dataclass(frozen=True, slots=True)
class Detection:
    """Everything there is to say about a machine."""

    facts: MachineFacts
    findings: tuple[Finding, ...]
    choices: tuple[Choice, ...]
    location: Location
    problems: tuple[str, ...]
    intensity: Intensity


def detect(given: dict[str, object], *, json: bool, json_file: str | None) -> None:
    """Look at the machine and say what was found.

    Args:
        given: Settings from options, by name.
        json: Print JSON instead of the text.
        json_file: Also write JSON to this file.

    Raises:
        ConfigError: A setting cannot be used.
    """
    settings = options.resolve_options(given, offline=True)
    detection = look(settings)
    if json or json_file:
        from codecarbon.cli import document

        document.write(as_dict(detection), to_stdout=json, path=json_file)
    if not json:
        typer.echo(as_text(detection, text.Style(is_coloured=text.has_colour(sys.stdout))), nl=False)


def look(settings: Settings) -> Detection:
    """Look at the machine; watches its sensors for up to 0.2 s."""
    request = make_request(settings)
    findings = find_sensors(request)
    location, problems = locate(settings, offline=False)
    return Detection(
        facts=read_facts(request.roots),
        findings=findings,
        choices=tuple(choose(component, findings, request) for component in _COMPONENTS),
        location=location,
        problems=problems,
        intensity=get_intensity(location, force_g_per_kwh=settings.force_carbon_intensity_g_co2e_kwh),
    )


def as_text(detection: Detection, style: text.Style) -> str:
    """Write a detection for people, as lines that end in a newline."""
    facts = detection.facts
    sockets = f"{facts.cpu_physical_count} socket" + ("s" if facts.cpu_physical_count != 1 else "")
    machine = f"{facts.cpu_model}, {facts.cpu_count} CPUs in {sockets}"
    lines = [style.bold("Detected Hardware"), ""]
    lines += _row("Machine", machine + (", virtual machine" if facts.is_virtual else ""))
    lines += _row("Memory", f"{text.number(facts.ram_total_gib)} GiB")
    lines += _row("System", f"{facts.os}, Python {facts.python_version}, codecarbon {__version__}")
    cards = [entry for entry in detection.findings if entry.interface == "nvml" and entry.name != entry.interface]
    for card in cards:
        lines += _row("GPU", f"{card.name}, {card.reason}")
    if not cards:
        lines += _row("GPU", "none")
    lines += _row("Place", place_text(detection.location))
    lines += _row("Intensity", intensity_text(detection.intensity))
    for problem in detection.problems:
        lines += _row("Problem", style.bad(problem))
    lines += ["", style.bold("Where energy would come from"), ""]
    for choice in detection.choices:
        paint = {"measured": style.good, None: style.dim}.get(choice.method, style.weak)
        lines += _row(_COMPONENTS[choice.component], f"{paint(choice.method or 'none')}: {choice.source}")
    lines += ["", style.bold("Sensors"), ""]
    for finding in detection.findings:
        lines += _finding(finding, style)
    return "\n".join([*lines, ""])


def as_dict(detection: Detection) -> dict[str, Any]:
    """Turn a detection into JSON values; quantities carry units in their names."""
    from codecarbon.cli.document import intensity_dict, location_dict

    return {
        "schema": SCHEMA,
        "codecarbon_version": __version__,
        "machine": asdict(detection.facts),
        "findings": [asdict(finding) for finding in detection.findings],
        "choices": [asdict(choice) for choice in detection.choices],
        "location": location_dict(detection.location),
        "problems": list(detection.problems),
        "intensity": intensity_dict(detection.intensity),
    }


def choose(component: str, findings: Sequence[Finding], request: MeasureRequest) -> Choice:
    """Work out which of the findings a run would use.

    Args:
        component: ``cpu``, ``ram`` or ``gpu``.
        findings: What was found.
        request: What the run would ask for.
    """
    packages, drams, psys = (_live(findings, "domain", domain) for domain in ("package", "dram", "psys"))
    if not request.wants_cpu_counters:
        packages = psys = []
    is_platform = bool(psys) and (request.rapl_prefer_psys or not packages)
    moves_dram = request.rapl_include_dram and bool(packages and drams)
    if component == "cpu" and is_platform:
        return Choice(component, "measured", f"{_names(psys)}, the whole platform")
    if component == "ram" and (is_platform or moves_dram):
        return Choice(component, None, f"inside the figure of {'the platform' if is_platform else 'the CPU'}")
    sensors = {
        "cpu": packages + drams * moves_dram,
        "ram": drams if request.force_ram_power_w is None else [],
        "gpu": _live(findings, "interface", "nvml"),
    }[component]
    if sensors:
        return Choice(component, "measured", _names(sensors))
    for entry in findings:
        if entry.state == "model" and entry.domain == component:
            return Choice(component, "modelled", entry.reason)
    return Choice(component, None, "no sensor")


def _live(findings: Sequence[Finding], field: str, value: str) -> list[Finding]:
    return [entry for entry in findings if entry.state == "live" and getattr(entry, field) == value]


def _names(findings: Sequence[Finding]) -> str:
    names = ", ".join(dict.fromkeys(entry.name for entry in findings))
    return f"{names} by {', '.join(dict.fromkeys(entry.interface for entry in findings))}"


def _finding(finding: Finding, style: text.Style) -> list[str]:
    paint = {"live": style.good, "refused": style.bad, "dead": style.bad, "gone": style.bad}.get(
        finding.state, style.weak
    )
    power = "" if finding.power_w is None else f", {text.number(finding.power_w)} W just now"
    head = f"  {finding.interface:<9} {finding.name:<12} "
    lines = text.wrap(head, f"{paint(f'{finding.state:<8}')} {finding.reason}{power}", _WIDTH)
    indent = " " * len(head)
    lines.append(f"{indent}{style.dim(finding.path)}")
    if finding.remedy:
        lines.append(f"{indent}To use it: {style.bold(finding.remedy)}")
    return lines


def _row(label: str, content: str) -> list[str]:
    return text.wrap(f"  {label + ':':<11}", content, _WIDTH)
