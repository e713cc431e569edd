"""Sums of energy windows, for runs that consist of more stretches of time than are worth remembering one by one."""

from __future__ import annotations

from dataclasses import replace

from codecarbon.model import ChannelEnergy, ComponentEnergy, EnergyWindow, Utilisation


def merge_windows(first: EnergyWindow, second: EnergyWindow) -> EnergyWindow:
    """Add two disjoint windows: energies and bounds add, shares are weighted by duration.

    Args:
        first: The earlier window.
        second: The later window.

    Returns:
        One window from the begin of the first to the end of the second.
    """
    duration_s = first.duration_s + second.duration_s
    share = first.duration_s / duration_s if duration_s > 0 else 0.5
    names = dict.fromkeys(entry.component for window in (first, second) for entry in window.components)
    return EnergyWindow(
        start_utc=first.start_utc,
        end_utc=second.end_utc,
        duration_s=duration_s,
        components=tuple(_merge_component(first.component(name), second.component(name), share) for name in names),
        provisional=first.provisional or second.provisional,
        ticks=first.ticks + second.ticks,
        missed_ticks=first.missed_ticks + second.missed_ticks,
        gap_s=first.gap_s + second.gap_s,
        own_cpu_s=first.own_cpu_s + second.own_cpu_s,
        utilisation=_merge_utilisation(first.utilisation, second.utilisation, share),
    )


def _merge_component(first: ComponentEnergy | None, second: ComponentEnergy | None, share: float) -> ComponentEnergy:
    known = [(entry, part) for entry, part in ((first, share), (second, 1.0 - share)) if entry is not None]
    figures = [(entry, part) for entry, part in known if entry.energy_j is not None] or known[:1]
    head = figures[0][0]
    missing = tuple(dict.fromkeys(reason for entry, _ in known for reason in entry.missing))
    coverage_ratio = sum(part * entry.coverage_ratio for entry, part in figures)
    if len(figures) == 1:
        return replace(head, coverage_ratio=coverage_ratio, missing=missing)
    entries = [entry for entry, _ in figures]
    methods = {entry.method for entry in entries}
    return ComponentEnergy(
        component=head.component,
        energy_j=sum(entry.energy_j or 0.0 for entry in entries),
        low_j=sum(entry.low_j or 0.0 for entry in entries),
        high_j=sum(entry.high_j or 0.0 for entry in entries),
        std_j=sum(entry.std_j or 0.0 for entry in entries),
        bound_kind="plausible" if any(entry.bound_kind == "plausible" for entry in entries) else "hard",
        # A sum is only as good as its weakest part.
        method=head.method if len(methods) == 1 else "modelled",
        source=" and ".join(dict.fromkeys(entry.source for entry in entries)),
        scope=head.scope if len({entry.scope for entry in entries}) == 1 else "machine",
        coverage_ratio=coverage_ratio,
        gain_ratio=max(entry.gain_ratio for entry in entries),
        flags=tuple(dict.fromkeys(flag for entry in entries for flag in entry.flags)),
        missing=missing,
        channels=_merge_channels(entries),
    )


def _merge_channels(entries: list[ComponentEnergy]) -> tuple[ChannelEnergy, ...]:
    sums: dict[tuple[str, str], ChannelEnergy] = {}
    for channel in (channel for entry in entries for channel in entry.channels):
        key = (channel.name, channel.domain)
        before = sums.get(key)
        sums[key] = channel if before is None else _add_channels(before, channel)
    return tuple(sums.values())


def _add_channels(first: ChannelEnergy, second: ChannelEnergy) -> ChannelEnergy:
    return ChannelEnergy(
        name=first.name,
        domain=first.domain,
        energy_uj=first.energy_uj + second.energy_uj,
        low_uj=first.low_uj + second.low_uj,
        high_uj=first.high_uj + second.high_uj,
        timing_std_j=(first.timing_std_j**2 + second.timing_std_j**2) ** 0.5,
        flags=tuple(dict.fromkeys(first.flags + second.flags)),
    )


def _merge_utilisation(first: Utilisation, second: Utilisation, share: float) -> Utilisation:
    return Utilisation(
        cpu_percent=_mean(first.cpu_percent, second.cpu_percent, share),
        gpu_percent=_mean(first.gpu_percent, second.gpu_percent, share),
        ram_percent=_mean(first.ram_percent, second.ram_percent, share),
        ram_used_gib=_mean(first.ram_used_gib, second.ram_used_gib, share),
    )


def _mean(first: float | None, second: float | None, share: float) -> float | None:
    if first is None or second is None:
        return second if first is None else first
    return share * first + (1.0 - share) * second
