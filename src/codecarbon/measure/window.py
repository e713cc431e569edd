"""From marks to energy with a bound: sums over channels, components and spans.

Formulas: docs/method/energy.md. Channel energies are whole microjoules, so parts sum to the whole exactly; hard
bounds add linearly, timing variances add, and the gain part is linear because channels of one family share their
calibration.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from codecarbon._sensors import flag_names
from codecarbon.measure.marks import Mark, Segment
from codecarbon.model import ChannelEnergy, ComponentEnergy, EnergyWindow, Finding, MachineFacts, Utilisation
from codecarbon.units import BYTES_PER_KIB, MS_PER_S, gib_from_bytes, j_from_uj, s_from_ns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from codecarbon.measure.hub import Stream
    from codecarbon.measure.parts import Part

Span = tuple[Mark, Mark]
# A tail this many sampling periods long counts as covered: the next tick is simply not due yet.
TAIL_PERIODS = 2
# Power limit of a card that does not tell it: more than any card sold by 2026 draws.
CARD_LIMIT_W = 1500.0


class _ChannelSum:
    __slots__ = ("energy_uj", "flags", "high_uj", "low_uj", "timing_var_j2")

    def __init__(self) -> None:
        self.energy_uj = self.low_uj = self.high_uj = 0
        self.timing_var_j2 = 0.0
        self.flags = 0


class Effort:
    """What measuring took inside some spans, over all streams."""

    __slots__ = ("cpu_ns", "gap_ns", "is_provisional", "missed", "ticks")

    def __init__(self) -> None:
        self.ticks = self.missed = 0
        self.gap_ns = self.cpu_ns = 0
        self.is_provisional = False

    def add(self, other: Effort) -> None:
        """Add what other spans took."""
        self.ticks += other.ticks
        self.missed += other.missed
        self.gap_ns += other.gap_ns
        self.cpu_ns += other.cpu_ns
        self.is_provisional |= other.is_provisional


def energy_uj(part: Part, start: Mark, end: Mark) -> tuple[int, bool]:
    """Energy of a part over one span.

    Returns:
        Whole microjoules, and whether a later sample can still change them.
    """
    first, last = start.reading(part.stream), end.reading(part.stream)
    total_uj = 0
    for channel in part.channels:
        total_uj += first.energy(last, channel)[0]
    return total_uj, not (first.is_final and last.is_final)


def sum_spans(spans: Sequence[Span], start_utc: datetime, end_utc: datetime, facts: MachineFacts) -> EnergyWindow:
    """Energy over disjoint spans, with bounds, methods, coverage and everything that is missing.

    Args:
        spans: Pairs of marks in order of time; both marks of a pair belong to one segment, whose parts are chosen.
        start_utc: Begin of the first span.
        end_utc: End of the last span.
        facts: The machine, for the share of memory in use.

    Returns:
        The sum over the spans.
    """
    components: dict[str, ComponentEnergy] = {}
    total = Effort()
    duration_ns = 0
    for segment, own in itertools.groupby(spans, key=lambda span: span[0].segment):
        pieces = list(own)
        length_ns = sum(end.t_ns - start.t_ns for start, end in pieces)
        for entry in segment_components(segment, pieces):
            before = components.get(entry.component)
            components[entry.component] = entry if before is None else _joined(before, entry, duration_ns, length_ns)
        duration_ns += length_ns
        total.add(effort(segment.streams, pieces))
    return EnergyWindow(
        start_utc=start_utc,
        end_utc=end_utc,
        duration_s=s_from_ns(duration_ns),
        components=tuple(components.values()),
        provisional=total.is_provisional,
        ticks=total.ticks,
        missed_ticks=total.missed,
        gap_s=s_from_ns(total.gap_ns),
        own_cpu_s=s_from_ns(total.cpu_ns),
        utilisation=utilisation(spans, facts),
    )


def segment_components(segment: Segment, spans: Sequence[Span]) -> list[ComponentEnergy]:
    """Energy of every component over disjoint spans of one segment."""
    if segment.choice is None:
        raise ValueError("the segment's parts are not chosen yet")
    missing = dict(segment.choice.absent) | segment.absent
    found = []
    for part in segment.choice.parts:
        entry = component_energy(part, spans, segment.streams[part.stream].findings)
        # A component may be known in part: what is not in it is named beside the figure.
        reason = missing.pop(part.component, None)
        found.append(entry if reason is None else replace(entry, missing=(*entry.missing, reason)))
    found.extend(
        ComponentEnergy(component, None, None, None, None, "plausible", None, "none", "machine", 0.0, missing=(reason,))
        for component, reason in missing.items()
    )
    return found


def component_energy(part: Part, spans: Sequence[Span], findings: Sequence[Finding]) -> ComponentEnergy:
    """Energy of one component over disjoint spans, with bound, uncertainty and coverage.

    Args:
        part: What supplies the component.
        spans: Disjoint spans of one segment, at least one.
        findings: What the channels of the part's stream are.

    Returns:
        The component's energy.
    """
    sums = {channel: _ChannelSum() for channel in part.channels}
    duration_ns = covered_ns = 0
    for start, end in spans:
        first, last = start.reading(part.stream), end.reading(part.stream)
        for channel, total in sums.items():
            uj, low_uj, high_uj, std_j, flags = first.energy(last, channel)
            total.energy_uj += uj
            total.low_uj += low_uj
            total.high_uj += high_uj
            total.timing_var_j2 += std_j * std_j
            total.flags |= flags
        duration_ns += end.t_ns - start.t_ns
        covered_ns += covered_span_ns(start, end, part)
    coverage = covered_ns / duration_ns if duration_ns else 1.0
    channels = tuple(
        ChannelEnergy(
            findings[channel].name,
            findings[channel].domain,
            total.energy_uj,
            total.low_uj,
            total.high_uj,
            math.sqrt(total.timing_var_j2),
            flag_names(total.flags),
        )
        for channel, total in sums.items()
    )
    build = _modelled if part.bound_kind == "plausible" else _counted
    return build(part, channels, _Extent(s_from_ns(duration_ns), min(1.0, max(0.0, coverage)), len(spans)))


def covered_span_ns(start: Mark, end: Mark, part: Part) -> int:
    """Part of a span in which all channels were recorded, outside gaps, in nanoseconds."""
    first, last = start.reading(part.stream), end.reading(part.stream)
    sampler = start.segment.streams[part.stream].sampler
    tail_ns = TAIL_PERIODS * sampler.idle_period_ns
    if not last.first_ns:
        return 0
    # A sensor may give its first answer long after the first tick.
    since_ns = max(last.first_ns, *(sampler.state(channel).first_ns for channel in part.channels))
    recorded_ns = min(end.t_ns, last.last_ns + tail_ns) - max(start.t_ns, since_ns)
    return max(0, recorded_ns - (last.gap_ns - first.gap_ns))


def effort(streams: Sequence[Stream], spans: Sequence[Span]) -> Effort:
    """Sum up ticks, missed ticks, gaps and own processor time over spans."""
    total = Effort()
    for start, end in spans:
        gap_ns = 0
        for place in range(len(streams)):
            first, last = start.reading(place), end.reading(place)
            total.ticks += last.ticks - first.ticks
            total.missed += last.missed - first.missed
            gap_ns = max(gap_ns, last.gap_ns - first.gap_ns)
            total.cpu_ns += last.cpu_ns - first.cpu_ns
            total.is_provisional |= not (first.is_final and last.is_final)
        total.gap_ns += gap_ns
    return total


class _Extent(NamedTuple):
    """How much time some spans are, together."""

    duration_s: float
    coverage_ratio: float
    span_count: int


def _counted(part: Part, channels: tuple[ChannelEnergy, ...], extent: _Extent) -> ComponentEnergy:
    energy_j = sum(j_from_uj(channel.energy_uj) for channel in channels)
    gain_j = sum(g * j_from_uj(channel.energy_uj) for g, channel in zip(part.gains, channels, strict=True))
    low_j = sum(j_from_uj(channel.low_uj) for channel in channels) - gain_j
    high_j = sum(j_from_uj(channel.high_uj) for channel in channels) + gain_j
    for channel in channels:
        if blind := part.blind.get(channel.name):
            # In the unseen time the card may have drawn nothing, or its limit.
            unseen_ratio = 1.0 - blind.coverage_ratio
            seen_j = j_from_uj(channel.energy_uj)
            limit_w = blind.limit_w or CARD_LIMIT_W
            # A reading speaks of a time before it: at both ends of each span, that much may belong elsewhere.
            edges_j = extent.span_count * blind.edge_s * limit_w
            low_j -= unseen_ratio * seen_j + edges_j
            high_j += unseen_ratio * max(0.0, limit_w * extent.duration_s - seen_j) + edges_j
    timing_var_j2 = sum(channel.timing_std_j**2 for channel in channels)
    return ComponentEnergy(
        component=part.component,
        energy_j=energy_j,
        low_j=max(0.0, low_j),
        high_j=high_j,
        std_j=math.sqrt(timing_var_j2 + gain_j**2 / 3),
        bound_kind=part.bound_kind,
        method=part.method,
        source=part.source,
        scope=part.scope,
        coverage_ratio=extent.coverage_ratio,
        gain_ratio=max(part.gains, default=0.0),
        flags=_flags(channels),
        missing=part.missing,
        channels=channels,
    )


def _modelled(part: Part, channels: tuple[ChannelEnergy, ...], extent: _Extent) -> ComponentEnergy:
    energy_j = sum(j_from_uj(channel.energy_uj) for channel in channels)
    # A model's bound is a range of plausible power, not a proof: nothing at all up to the ceiling all the time.
    high_j = max(energy_j, part.ceiling_w * extent.duration_s)
    return ComponentEnergy(
        component=part.component,
        energy_j=energy_j,
        low_j=0.0,
        high_j=high_j,
        std_j=high_j / math.sqrt(12),
        bound_kind="plausible",
        method=part.method,
        source=part.source,
        scope=part.scope,
        coverage_ratio=extent.coverage_ratio,
        flags=_flags(channels),
        missing=part.missing,
        channels=channels,
    )


def _joined(first: ComponentEnergy, second: ComponentEnergy, first_ns: int, second_ns: int) -> ComponentEnergy:
    """Add one component's energy over two segments; a figure that is partly modelled is called modelled."""
    if first.energy_j is None or second.energy_j is None:
        known, other = (first, second) if second.energy_j is None else (second, first)
        share = (second_ns if known is second else first_ns) / ((first_ns + second_ns) or 1)
        missing = tuple(dict.fromkeys(known.missing + other.missing))
        return replace(known, coverage_ratio=known.coverage_ratio * share, missing=missing)
    is_modelled = "plausible" in (first.bound_kind, second.bound_kind)
    covered_ns = first.coverage_ratio * first_ns + second.coverage_ratio * second_ns
    return ComponentEnergy(
        component=first.component,
        energy_j=first.energy_j + second.energy_j,
        low_j=(first.low_j or 0.0) + (second.low_j or 0.0),
        high_j=(first.high_j or 0.0) + (second.high_j or 0.0),
        std_j=(first.std_j or 0.0) + (second.std_j or 0.0),
        bound_kind="plausible" if is_modelled else "hard",
        method=first.method if first.method == second.method else "modelled",
        source=" and ".join(dict.fromkeys((first.source, second.source))),
        scope=first.scope if first.scope == second.scope else "machine",
        coverage_ratio=covered_ns / ((first_ns + second_ns) or 1),
        gain_ratio=max(first.gain_ratio, second.gain_ratio),
        flags=tuple(dict.fromkeys(first.flags + second.flags)),
        missing=tuple(dict.fromkeys(first.missing + second.missing)),
        channels=first.channels + second.channels,
    )


def utilisation(spans: Sequence[Span], facts: MachineFacts) -> Utilisation:
    """Mean loads over spans, from the integrals that the slow samplers keep; None where nothing was read."""
    # The counts are nanoseconds of load, percent times ms, and KiB times ms: see LoadSource and NvmlSource.
    cpu_ns = _mean_load("util.cpu", spans)
    gpu_ms = _mean_load("util.gpu", spans)
    used_kib_ms = _mean_load("util.ram_used", spans)
    used_gib = None if used_kib_ms is None else gib_from_bytes(used_kib_ms / MS_PER_S * BYTES_PER_KIB)
    return Utilisation(
        cpu_percent=None if cpu_ns is None else 100.0 * s_from_ns(round(cpu_ns)),
        gpu_percent=None if gpu_ms is None else gpu_ms / MS_PER_S,
        ram_percent=None if used_gib is None or not facts.ram_total_gib else 100.0 * used_gib / facts.ram_total_gib,
        ram_used_gib=used_gib,
    )


def _mean_load(domain: str, spans: Sequence[Span]) -> float | None:
    """Mean of a load integral over spans, per second; None when nothing recorded it."""
    amount = duration_s = 0.0
    for start, end in spans:
        for place, stream in enumerate(start.segment.streams):
            for channel, finding in enumerate(stream.findings):
                if finding.domain == domain and stream.sampler.state(channel).first_ns:
                    amount += start.reading(place).energy(end.reading(place), channel)[0]
                    duration_s += s_from_ns(end.t_ns - start.t_ns)
    return amount / duration_s if duration_s else None


def _flags(channels: tuple[ChannelEnergy, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(flag for channel in channels for flag in channel.flags))
