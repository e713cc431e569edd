"""What stands in where no counter lives: which models, with which parameters and which bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from codecarbon._sensors import LoadSource
from codecarbon.data import find_tdp_w
from codecarbon.hardware import models
from codecarbon.hardware.facts import CpuInfo, read_ram_total_bytes

if TYPE_CHECKING:
    from codecarbon.hardware.request import MeasureRequest
    from codecarbon.model import MachineFacts, Method, Roots, Scope

# The memory model gives a typical power; half as much again is the most we hold plausible (docs/method/energy.md).
RAM_CEILING_RATIO = 1.5


class ModelChannel(NamedTuple):
    """A synthetic counter.

    Attributes:
        component: ``cpu`` or ``ram``.
        method: ``modelled`` or ``constant``.
        label: The model and its parameters, for people.
        scope: What it covers.
        ceiling_w: The highest power that is plausible.
    """

    component: str
    method: Method
    label: str
    scope: Scope
    ceiling_w: float


class ModelPlan(NamedTuple):
    """Parameters of the load source, equal for equal requests so that sessions can share it.

    Attributes:
        tracking_mode: ``machine`` or ``process``.
        p_max_w: Power of all processors at full load.
        ram_w: Power of the machine's memory, None when its size is unknown.
        ram_total_bytes: Installed memory.
        cpu_count: Logical processors.
        channels: What the source's energy channels are.
    """

    tracking_mode: str
    p_max_w: float
    ram_w: float | None
    ram_total_bytes: int
    cpu_count: int
    channels: tuple[ModelChannel, ...]


def plan_models(request: MeasureRequest, cpu: CpuInfo, facts: MachineFacts) -> ModelPlan:
    """Choose the processor and memory models of a machine.

    Args:
        request: Forced powers and the tracking mode.
        cpu: The processor's identity.
        facts: The machine.

    Returns:
        The plan.
    """
    scope: Scope = "process" if request.tracking_mode == "process" else "machine"
    ceiling = models.cpu_power_ceiling(
        find_tdp_w(cpu.brand),
        sockets=cpu.socket_count,
        logical_cpus=cpu.cpu_count,
        is_virtual=cpu.is_virtual,
        forced_w=request.force_cpu_power_w,
    )
    cpu_label = f"CPU load model, {ceiling.power_w:g} W at full load ({ceiling.reason})"
    channels = [ModelChannel("cpu", "modelled", cpu_label, scope, ceiling.power_w)]
    ram_w: float | None = None
    if request.force_ram_power_w is not None:
        ram_w = request.force_ram_power_w
        label = f"constant {ram_w:g} W (force_ram_power)"
        channels.append(ModelChannel("ram", "constant", label, scope, RAM_CEILING_RATIO * ram_w))
    elif facts.ram_total_gib > 0:
        ram_w = models.ram_power_w(facts.ram_total_gib, is_arm=facts.is_arm)
        label = f"memory model, {ram_w:g} W for {facts.ram_total_gib:.4g} GiB"
        channels.append(ModelChannel("ram", "modelled", label, scope, RAM_CEILING_RATIO * ram_w))
    return ModelPlan(
        tracking_mode=request.tracking_mode,
        p_max_w=ceiling.power_w,
        ram_w=ram_w,
        ram_total_bytes=read_ram_total_bytes(request.roots),
        cpu_count=cpu.cpu_count,
        channels=tuple(channels),
    )


def open_model(plan: ModelPlan, roots: Roots) -> LoadSource:
    """Open the models of a plan, or what of them can read its input.

    Args:
        plan: The parameters.
        roots: Where the proc file system is.

    Returns:
        The source; a processor model whose file cannot be opened is not among its channels.
    """
    try:
        return _load_source(plan, roots, plan.p_max_w)
    except OSError:
        # Without its file the processor model is left out; its missing channel tells the caller.
        return _load_source(plan, roots, None)


def _load_source(plan: ModelPlan, roots: Roots, p_max_w: float | None) -> LoadSource:
    return LoadSource(
        roots.procfs,
        mode="process" if plan.tracking_mode == "process" else "machine",
        cpu_formula="load",
        p_max_w=p_max_w,
        ram_w=plan.ram_w,
        cpu_count=plan.cpu_count,
        ram_total_bytes=plan.ram_total_bytes,
    )
