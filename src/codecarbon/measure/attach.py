"""Attaching a session to the shared samplers: counters, models, and graphics cards when their library is ready."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from codecarbon._sensors import Channel, NvmlDevice, NvmlLibrary, NvmlSource
from codecarbon.config import warn_once
from codecarbon.hardware import MeasureRequest, ModelChannel, open_model, open_rapl, plan_models
from codecarbon.hardware.gpu import device_finding, gpu_facts, library_finding, select_gpus
from codecarbon.measure.hub import FAST_HZ, HUB, IDLE_HZ, Blind, Opened, Stream
from codecarbon.measure.marks import Segment
from codecarbon.model import Finding, GpuFacts, MachineFacts, SensorState
from codecarbon.units import NS_PER_S, s_from_ns

if TYPE_CHECKING:
    from collections.abc import Hashable

    from codecarbon.hardware.facts import CpuInfo

# Fine and coarse ring: half a minute or more at 1 kHz, since the fine one is limited to 8 MiB, and a day at 1 Hz.
COUNTER_SLOTS = 65_536
COUNTER_COARSE_SLOTS = 86_400
SLOW_SLOTS = 8_192
SLOW_COARSE_SLOTS = 86_400
MODEL_HZ = 1.0
# Ticks on request come at most this often: a loop that flushes must not push a minute of history out of the rings.
TICK_GAP_S = 0.001
# The models' first ticks come quicker, so that a short task has a rate to go by.
MODEL_PROBE_HZ = 20.0
# How long the cards' update periods are learnt, on the library's own thread.
CALIBRATE_S = 1.0
# A driver without persistence mode may take seconds to wake the cards.
OPEN_TIMEOUT_S = 60.0


class Attached:
    """One session's hold on the shared samplers.

    Attributes:
        segment: Where marks find the streams.
        counters: The processors' counters, or None where there are none.
        refused: What discovery refused.
        gpus: The graphics cards that are counted.
    """

    def __init__(self) -> None:
        self.segment = Segment()
        self.counters: Stream | None = None
        self.refused: tuple[Finding, ...] = ()
        self.gpus: tuple[GpuFacts, ...] = ()
        self.cards: Cards | None = None
        self._ticked_s = 0.0
        self._lock = threading.Lock()
        self._quick: list[Stream] = []
        self._holds: list[tuple[Hashable, Stream, float]] = []

    def take(self, key: Hashable, stream: Stream, rate_hz: float, *, is_quick: bool) -> None:
        """Take over one use of a stream."""
        stream.want_hz(rate_hz)
        self._holds.append((key, stream, rate_hz))
        self.segment.streams.append(stream)
        if is_quick:
            self._quick.append(stream)

    def tick(self, wait_s: float) -> None:
        """Ask the quick samplers for a tick and wait at most ``wait_s`` for all of them together."""
        now_s = time.monotonic()
        if now_s - self._ticked_s < TICK_GAP_S:
            return
        self._ticked_s = now_s
        deadline_s = now_s + wait_s
        for stream in self._quick:
            stream.sampler.tick(max(0.0, deadline_s - time.monotonic()))

    def poll(self) -> None:
        """Attach what has become ready since the last call."""
        if self.cards is not None:
            with self._lock:
                self._settle_cards()

    def _settle_cards(self) -> None:
        # Asked again under the lock: another thread may have settled them meanwhile.
        if self.cards is not None and self.cards.settle(self):
            self.cards = None

    def detach(self) -> None:
        """Release every stream; the last user's samplers stop."""
        with self._lock:
            self.cards = None
        for key, stream, rate_hz in self._holds:
            stream.unwant_hz(rate_hz)
            HUB.release(key, stream)
        self._holds.clear()


class Cards:
    """The NVIDIA library while it starts, which takes from milliseconds to seconds on a thread of its own.

    Args:
        request: The library's name and the cards that are wanted.
    """

    def __init__(self, request: MeasureRequest) -> None:
        self._request = request
        self._library = NvmlLibrary(request.roots.nvml_library)
        self._library.begin(calibrate_s=CALIBRATE_S)

    def wait(self, attached: Attached) -> None:
        """Attach the cards when the library answers, on a thread that has nothing else to do."""
        self._library.wait(OPEN_TIMEOUT_S)
        attached.poll()

    def settle(self, attached: Attached) -> bool:
        """Attach the cards once the library has answered; True when there is nothing left to wait for."""
        state = self._library.poll()
        if state == "opening":
            attached.segment.absent["gpu"] = "the NVIDIA library has not answered yet"
            return False
        attached.segment.absent.pop("gpu", None)
        finding = library_finding(self._library)
        if finding is not None:
            attached.refused += (finding,)
            attached.segment.absent["gpu"] = finding.reason
        if state == "ready":
            self._attach(attached)
        return True

    def _attach(self, attached: Attached) -> None:
        name = self._request.roots.nvml_library
        selection = select_gpus(self._library.devices(), self._request.gpu_ids)
        attached.gpus = tuple(gpu_facts(device) for device in selection.devices)
        for note in selection.notes:
            warn_once(f"gpu_ids {note}", "gpu_ids: %s", note)
        usable = [device for device in selection.devices if device.method != "none"]
        refused = [device_finding(device, name) for device in selection.devices if device.method == "none"]
        attached.refused += tuple(refused)
        if refused:
            attached.segment.absent["gpu"] = "; ".join(f"{finding.name}: {finding.reason}" for finding in refused)
        if not usable:
            return
        key = ("cards", name, tuple(device.uuid for device in usable))
        stream = HUB.acquire(key, lambda: self._open(usable))
        if stream is not None:
            attached.take(key, stream, stream.rate_hz, is_quick=False)

    def _open(self, devices: list[NvmlDevice]) -> Opened:
        source = NvmlSource(self._library, devices)
        findings = {f"gpu-{device.index}": device_finding(device, self._library.name) for device in devices}
        rate_hz = NS_PER_S / source.recommended_period_ns
        return Opened(
            sources=[source],
            findings=tuple(findings.get(channel.name) or _utilisation(channel) for channel in source.channels),
            refused=(),
            idle_hz=rate_hz,
            fast_hz=rate_hz,
            slots=SLOW_SLOTS,
            coarse_slots=SLOW_COARSE_SLOTS,
            name="codecarbon-nvml",
            is_slow=True,
            blind={
                f"gpu-{device.index}": Blind(
                    device.coverage_ratio,
                    device.power_limit_w,
                    s_from_ns(device.power_window_ns + source.recommended_period_ns),
                )
                for device in devices
                if device.method == "integral"
            },
        )


def _utilisation(channel: Channel) -> Finding:
    return Finding("nvml", channel.name, channel.domain, "live", "", "utilisation")


def attach(request: MeasureRequest, cpu: CpuInfo, facts: MachineFacts) -> Attached:
    """Attach to the samplers that a request needs, starting those that nobody uses yet.

    Raises:
        OSError: The system gives no thread.
    """
    attached = Attached()
    try:
        _attach_counters(attached, request, cpu)
        _attach_models(attached, request, cpu, facts)
        _attach_cards(attached, request)
    except BaseException:
        attached.detach()
        raise
    return attached


def _attach_counters(attached: Attached, request: MeasureRequest, cpu: CpuInfo) -> None:
    refused: list[Finding] = []

    def build() -> Opened | None:
        found = open_rapl(request.roots, cpu)
        refused.extend(found.refused)
        if not found.sources:
            return None
        return Opened(
            sources=found.sources,
            findings=tuple(found.findings),
            refused=tuple(found.refused),
            idle_hz=IDLE_HZ,
            fast_hz=FAST_HZ,
            slots=COUNTER_SLOTS,
            coarse_slots=COUNTER_COARSE_SLOTS,
            name="codecarbon-rapl",
        )

    key = ("counters", request.roots)
    stream = HUB.acquire(key, build)
    if stream is None:
        attached.refused += tuple(refused)
        return
    attached.refused += stream.refused
    attached.counters = stream
    attached.take(key, stream, request.sampling_hz or IDLE_HZ, is_quick=True)


def _attach_cards(attached: Attached, request: MeasureRequest) -> None:
    if request.gpu_ids == ():
        return
    attached.cards = cards = Cards(request)
    attached.poll()
    if attached.cards is not None:
        # Most machines have no such library and know it by now. The others get their cards as soon as it answers.
        threading.Thread(target=cards.wait, args=(attached,), name="codecarbon-cards", daemon=True).start()


def _attach_models(attached: Attached, request: MeasureRequest, cpu: CpuInfo, facts: MachineFacts) -> None:
    plan = plan_models(request, cpu, facts)
    by_component = {model.component: model for model in plan.channels}

    def build() -> Opened:
        source = open_model(plan, request.roots)
        findings = tuple(_model_finding(channel, by_component, request) for channel in source.channels)
        return Opened(
            sources=[source],
            findings=findings,
            refused=(),
            idle_hz=MODEL_HZ,
            fast_hz=MODEL_PROBE_HZ,
            slots=SLOW_SLOTS,
            coarse_slots=SLOW_COARSE_SLOTS,
            name="codecarbon-load",
            is_slow=True,
            models=by_component,
        )

    key = ("models", request.roots, plan)
    stream = HUB.acquire(key, build)
    if stream is not None:
        attached.take(key, stream, MODEL_HZ, is_quick=True)


def _model_finding(channel: Channel, models: dict[str, ModelChannel], request: MeasureRequest) -> Finding:
    model = models.get(channel.domain)
    state: SensorState = "model" if model else "live"
    reason = model.label if model else "utilisation"
    return Finding("model", channel.name, channel.domain, state, request.roots.procfs, reason)
