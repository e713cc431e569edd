"""Which sensors this machine has: opened, watched for a moment, and named with their verdict."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from codecarbon.hardware.facts import CpuInfo, read_cpu_info, read_facts
from codecarbon.hardware.gpu import detect_gpus
from codecarbon.hardware.plan import plan_models
from codecarbon.hardware.rapl import RaplChannels, open_rapl
from codecarbon.model import Finding, Roots
from codecarbon.units import NS_PER_S, UJ_PER_J

if TYPE_CHECKING:
    from codecarbon._sensors import Source
    from codecarbon.hardware.request import MeasureRequest

PROBE_S = 0.2
# Less than this per domain, or more, is no processor: sanity limits of the probe, our choice.
LEAST_W = 0.1
MOST_W = 3000.0
# Another program may take the processor between a read and the clock, but hardly every time.
READS = 5


def detect(request: MeasureRequest, probe_s: float = PROBE_S) -> tuple[Finding, ...]:
    """Open every processor sensor and watch it while one core spins, then read every graphics card.

    Args:
        request: Roots and choices; the tracking mode does not matter.
        probe_s: Longest time to watch, seconds. A counter that does not move in it is refused by name.

    Returns:
        One finding per sensor, per refused interface and per model.
    """
    cpu = read_cpu_info(request.roots)
    found = open_rapl(request.roots, cpu)
    try:
        probed = _probe(found, probe_s)
    finally:
        found.close()
    findings = [*probed, *found.refused]
    findings.extend(_absent(request.roots, cpu, {finding.interface for finding in findings}))
    findings.extend(detect_gpus(request.roots.nvml_library, request.gpu_ids))
    models = plan_models(request, cpu, read_facts(request.roots, cpu))
    findings.extend(
        Finding("model", f"{model.component}-model", model.component, "model", request.roots.procfs, model.label)
        for model in models.channels
    )
    return tuple(findings)


def _probe(found: RaplChannels, probe_s: float) -> list[Finding]:
    pairs = [(source, place) for source in found.sources for place in range(len(source.channels))]
    begin_ns, first = _read_timed(found.sources)
    # The spinning reads are the load: an idle package may well need the whole probe for its next update.
    while time.monotonic_ns() - begin_ns < probe_s * NS_PER_S:
        _read_all(found.sources)
    end_ns, last = _read_timed(found.sources)
    findings = []
    for (source, place), finding, before, after in zip(pairs, found.findings, first, last, strict=True):
        channel = source.channels[place]
        if status := min(before[1], after[1]):
            reason = f"its reads fail: {os.strerror(-status)}"
            findings.append(replace(finding, state="refused", reason=reason))
            continue
        counts = after[0] - before[0]
        if counts < 0 and channel.modulus:
            counts += channel.modulus
        power_w = counts * channel.num / channel.den / UJ_PER_J / max(probe_s, (end_ns - begin_ns) / NS_PER_S)
        findings.append(_verdict(finding, power_w, probe_s))
    return findings


def _read_timed(sources: list[Source]) -> tuple[int, list[tuple[int, int]]]:
    """Read everything, a few times, and keep the read whose instant is known best."""
    best_ns: int | None = None
    middle_ns, kept = 0, []
    for _ in range(READS):
        before_ns = time.monotonic_ns()
        readings = _read_all(sources)
        after_ns = time.monotonic_ns()
        if best_ns is None or after_ns - before_ns < best_ns:
            best_ns = after_ns - before_ns
            middle_ns, kept = (before_ns + after_ns) // 2, readings
    return middle_ns, kept


def _verdict(finding: Finding, power_w: float, probe_s: float) -> Finding:
    if power_w == 0.0:
        reason = f"phantom: it opens, but its count never moved in {probe_s:g} s (virtual machines often show such one)"
        return replace(finding, state="refused", reason=reason, power_w=None)
    if not LEAST_W <= power_w <= MOST_W:
        reason = f"implausible: it implies {power_w:.3g} W"
        return replace(finding, state="refused", reason=reason, power_w=power_w)
    return replace(finding, state="live", reason="counting", power_w=power_w)


def _read_all(sources: list[Source]) -> list[tuple[int, int]]:
    return [pair for source in sources for pair in source.read()]


def _absent(roots: Roots, cpu: CpuInfo, seen: set[str]) -> list[Finding]:
    folders = {
        "perf": f"{roots.sysfs}/bus/event_source/devices/power",
        "powercap": f"{roots.sysfs}/class/powercap",
        "msr": f"{roots.dev}/cpu/{next(iter(cpu.first_cpu.values()))}/msr",
    }
    reasons = {
        "perf": "the kernel offers no power PMU",
        "powercap": "the kernel offers no RAPL zones",
        "msr": "the msr device is not there",
    }
    remedies = {"msr": "" if cpu.is_virtual else "sudo modprobe msr", "powercap": "", "perf": ""}
    if not cpu.is_virtual:
        remedies["powercap"] = "sudo modprobe intel_rapl_msr"
    where = " (this is a virtual machine: the host keeps the counters)" if cpu.is_virtual else ""
    return [
        Finding(name, name, "package", "refused", path, reasons[name] + where, remedies[name])
        for name, path in folders.items()
        if name not in seen
    ]
