"""Which channels make up each component's energy.

A component is supplied by counters that were seen to move, or by a model, never by both in one window: counters are
cumulative, so a channel that moves for the first time is live back to its first tick.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from codecarbon.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codecarbon.hardware import CpuInfo, MeasureRequest
    from codecarbon.measure.hub import Blind, Stream
    from codecarbon.model import Bound, Finding, Method, Scope, SensorState

# Vendors publish no tolerance for these sensors. The values are our choice, printed with every record
# (docs/method/energy.md gives the reasons).
GAIN = {"package": 0.05, "psys": 0.05, "dram": 0.10, "gpu": 0.05, "module": 0.05}
FILTERED_GAIN = 0.50
ESTIMATED_DRAM_GAIN = 0.20
# Sandy Bridge and Ivy Bridge estimate the memory's energy; later Intel processors measure it.
_ESTIMATING_MODELS = frozenset({0x2A, 0x2D, 0x3A, 0x3E})
# A counter that opened and has not moved for this long is taken for dead.
DEAD_AFTER_NS = 60 * NS_PER_S
NEVER_MOVED = "it opened, but its count never moved"
_INTERFACES = {"perf": "RAPL by perf_event", "powercap": "RAPL by powercap", "msr": "RAPL by msr", "nvml": "NVML"}


class Part(NamedTuple):
    """The channels of one stream that supply one component.

    Attributes:
        component: ``cpu``, ``ram`` or ``gpu``.
        stream: Place of the stream in the segment.
        channels: Places of the channels in the stream.
        method: How the figure comes about.
        source: The interface or model, for people.
        scope: What the figure covers.
        bound_kind: What the bound assumes.
        gains: Relative sensor accuracy, one per channel.
        ceiling_w: For a model, the power that bounds it; 0 for counters.
        missing: What should be in the component and is not, each with its reason.
        blind: What channels that integrate power leave unseen, by channel name.
    """

    component: str
    stream: int
    channels: tuple[int, ...]
    method: Method
    source: str
    scope: Scope
    bound_kind: Bound = "hard"
    gains: tuple[float, ...] = ()
    ceiling_w: float = 0.0
    missing: tuple[str, ...] = ()
    blind: Mapping[str, Blind] = {}


class Choice(NamedTuple):
    """The parts of all components, and whether the choice, made at ``t_ns``, can still change."""

    parts: tuple[Part, ...]
    absent: tuple[tuple[str, str], ...]
    is_settled: bool
    stream_count: int
    t_ns: int


class _Counter(NamedTuple):
    stream: int
    channel: int
    finding: Finding
    state: SensorState
    reason: str
    has_moved: bool

    @property
    def is_live(self) -> bool:
        # A sensor that went away keeps what it counted until then; one that never counted has nothing to keep.
        return self.state == "live" or (self.state == "gone" and self.has_moved)


def gains_of(cpu: CpuInfo) -> Mapping[str, float]:
    """Relative accuracy that is assumed of each sensor domain of a processor."""
    gains = dict(GAIN)
    if cpu.vendor != "GenuineIntel" or cpu.model in _ESTIMATING_MODELS:
        gains["dram"] = ESTIMATED_DRAM_GAIN
    if "sgx" in cpu.flags:
        # With SGX the processor adds noise to what it reports (PLATYPUS).
        gains.update({domain: max(gains[domain], FILTERED_GAIN) for domain in ("package", "psys", "dram")})
    return gains


def choose(streams: list[Stream], request: MeasureRequest, now_ns: int, gains: Mapping[str, float]) -> Choice:
    """Decide which channels supply each component now.

    Args:
        streams: The segment's streams.
        request: What the session wants.
        now_ns: The monotonic clock.
        gains: Relative accuracy of each domain.

    Returns:
        The choice; it is settled once every counter is either live or dead.
    """
    counters = _counters(streams, now_ns)
    packages = [c for c in counters if c.finding.domain == "package"]
    drams = [c for c in counters if c.finding.domain == "dram"]
    psys = [c for c in counters if c.finding.domain == "psys" and c.is_live]
    is_settled = all(c.state in ("live", "dead") for c in counters)
    models = {part.component: part for part in _model_parts(streams)}
    live = [c for c in packages if c.is_live]
    parts: list[Part] = []
    is_platform = False
    moves_dram = request.rapl_include_dram and request.wants_cpu_counters and bool(live)
    if request.wants_cpu_counters and psys and (request.rapl_prefer_psys or not live):
        parts.append(_counter_part("cpu", psys, psys, gains, scope="platform"))
        is_platform = True
    elif request.wants_cpu_counters and live:
        wanted = packages + (drams if moves_dram else [])
        chosen = [c for c in wanted if c.is_live]
        parts.append(_counter_part("cpu", chosen, wanted, gains))
    elif "cpu" in models:
        parts.append(models["cpu"])
    live_drams = [c for c in drams if c.is_live]
    # Memory that is in another component already, or in the platform, is not counted twice.
    has_own_ram = not is_platform and not (moves_dram and live_drams)
    if has_own_ram and live_drams and request.force_ram_power_w is None:
        parts.append(_counter_part("ram", live_drams, drams, gains))
    elif has_own_ram and "ram" in models:
        parts.append(models["ram"])
    parts.extend(_gpu_parts(counters, streams))
    absent = _absent(parts, ("cpu", "ram") if has_own_ram else ("cpu",))
    return Choice(tuple(parts), absent, is_settled, len(streams), now_ns)


def state_of(stream: Stream, channel: int, now_ns: int) -> tuple[SensorState, str]:
    """What became of a channel, and why, in a sentence."""
    if stream.findings[channel].state == "model":
        return "model", stream.findings[channel].reason
    state = stream.sampler.state(channel)
    if state.is_gone:
        return "gone", f"it went away ({os.strerror(-state.last_errno)})" if state.last_errno else "it went away"
    if state.has_moved:
        return "live", "counting"
    if state.first_ns and now_ns - state.first_ns > DEAD_AFTER_NS:
        return "dead", NEVER_MOVED
    return "dormant", NEVER_MOVED


def has_lost(streams: list[Stream], choice: Choice) -> bool:
    """Whether a counter that supplies a component has gone away."""
    return any(
        streams[part.stream].sampler.state(channel).is_gone
        for part in choice.parts
        if part.method == "measured"
        for channel in part.channels
    )


def with_state(finding: Finding, state: tuple[SensorState, str]) -> Finding:
    """The finding with the state that its channel is in now."""
    return replace(finding, state=state[0], reason=state[1])


def _counters(streams: list[Stream], now_ns: int) -> list[_Counter]:
    counters = []
    for place, stream in enumerate(streams):
        for channel, finding in enumerate(stream.findings):
            if finding.state != "model" and not finding.domain.startswith("util."):
                state, reason = state_of(stream, channel, now_ns)
                has_moved = stream.sampler.state(channel).has_moved
                counters.append(_Counter(place, channel, finding, state, reason, has_moved))
    return counters


def _counter_part(
    component: str,
    chosen: list[_Counter],
    wanted: list[_Counter],
    gains: Mapping[str, float],
    *,
    scope: Scope = "machine",
) -> Part:
    interfaces = dict.fromkeys(_INTERFACES[c.finding.interface] for c in chosen)
    missing = tuple(f"{c.finding.name}: {c.reason}" for c in wanted if c.state != "live")
    channels = tuple(c.channel for c in chosen)
    source = " and ".join(interfaces)
    return Part(
        component,
        chosen[0].stream,
        channels,
        "measured",
        source,
        scope,
        gains=tuple(gains[c.finding.domain] for c in chosen),
        missing=missing,
    )


def _gpu_parts(counters: list[_Counter], streams: list[Stream]) -> list[Part]:
    cards = [c for c in counters if c.finding.domain in ("gpu", "module")]
    chosen = [c for c in cards if c.is_live]
    if not chosen:
        return []
    part = _counter_part("gpu", chosen, cards, GAIN, scope="gpu")
    blind = streams[part.stream].blind
    return [part._replace(blind=blind, source="NVML power, integrated") if blind else part]


def _model_parts(streams: list[Stream]) -> list[Part]:
    parts = []
    for place, stream in enumerate(streams):
        for channel, finding in enumerate(stream.findings):
            if finding.state == "model" and _is_fed(stream, channel):
                model = stream.models[finding.domain]
                parts.append(
                    Part(
                        finding.domain,
                        place,
                        (channel,),
                        model.method,
                        model.label,
                        model.scope,
                        "plausible",
                        ceiling_w=model.ceiling_w,
                    )
                )
    return parts


def _is_fed(stream: Stream, channel: int) -> bool:
    """Whether a model has had its input and still has it."""
    state = stream.sampler.state(channel)
    return state.first_ns != 0 and not state.is_gone


def _absent(parts: list[Part], expected: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    present = {part.component for part in parts}
    reason = "no counter is live, and the model cannot read its input"
    return tuple((component, reason) for component in expected if component not in present)
