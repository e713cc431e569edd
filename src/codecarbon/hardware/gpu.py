"""Graphics cards: what the NVIDIA library lists, which of them a run means, and what to say about each.

Nothing here needs ``nvidia-smi``: a container has the library wherever it can compute at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from codecarbon._sensors import NvmlDevice, NvmlLibrary, NvmlSource
from codecarbon.errors import SensorError, SensorPermissionError, SensorUnavailable
from codecarbon.model import Finding, GpuFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SLICE_PREFIX = "MIG-"
# What to do, by the library's return code: 4 no permission, 9 no driver, 12 no library, 18 versions differ.
_REMEDIES = {
    4: "sudo usermod --append --groups video,render $USER",
    9: "sudo modprobe nvidia",
    12: "install the NVIDIA driver's libraries; in a container: docker run --gpus all",
    18: "sudo reboot",
}


class GpuSelection(NamedTuple):
    """The cards that a run means.

    Attributes:
        devices: The chosen ones, by index, each once.
        present: How many the library lists.
        notes: Ids that name nothing or several cards, and that not all are counted; each worth one warning.
    """

    devices: tuple[NvmlDevice, ...]
    present: int
    notes: tuple[str, ...] = ()


def select_gpus(devices: Sequence[NvmlDevice], ids: Iterable[int | str] | None) -> GpuSelection:
    """Find the cards that ids name.

    An id is an index, in digits or as a number, or the beginning of a UUID. The identity of a slice (``MIG-…``) names
    the card that it is cut from, since energy exists for the whole board only. Indices are the library's, which are in
    PCI order: CUDA uses the same order when ``CUDA_DEVICE_ORDER=PCI_BUS_ID``, and always on hosts of like cards.

    Args:
        devices: What the library lists.
        ids: The ids; None for all cards, and nothing in it for none.
    """
    if ids is None:
        return GpuSelection(tuple(devices), len(devices))
    chosen: dict[int, NvmlDevice] = {}
    notes: list[str] = []
    for wanted in ids:
        found = [device for device in devices if _is_meant(device, wanted)]
        if not found:
            notes.append(f"GPU {wanted!r} is not among the {len(devices)} present and is left out")
        elif len(found) > 1:
            notes.append(f"GPU {wanted!r} is the beginning of {len(found)} identities; all of them are counted")
        chosen.update((device.index, device) for device in found)
    if len(chosen) < len(devices):
        notes.append(f"{len(chosen)} of {len(devices)} GPUs are counted, as chosen")
    return GpuSelection(tuple(chosen[index] for index in sorted(chosen)), len(devices), tuple(notes))


def _is_meant(device: NvmlDevice, wanted: int | str) -> bool:
    if isinstance(wanted, int) or wanted.isdecimal():
        return device.index == int(wanted)
    text = wanted.casefold()
    board = device.uuid.casefold()
    # Older drivers name a slice MIG-GPU-<the board's own identity>/instance/compute.
    bare = text.removeprefix(_SLICE_PREFIX.casefold())
    identities = [board, *(uuid.casefold() for uuid in device.mig_uuids)]
    return any(uuid and (uuid.startswith((text, bare)) or bare.startswith(uuid)) for uuid in identities)


def gpu_facts(device: NvmlDevice) -> GpuFacts:
    """Describe a card for records."""
    return GpuFacts(
        index=device.index,
        uuid=device.uuid,
        name=device.name,
        memory_total_bytes=device.memory_total_bytes,
        power_limit_w=device.power_limit_w,
    )


def open_library(name: str, *, timeout_s: float = 5.0, calibrate_s: float = 0.0) -> NvmlLibrary:
    """Open the library and wait for it; for ``detect`` and tests, never for a run.

    Raises:
        SensorUnavailable: There is no usable library or driver; the message says why.
        SensorPermissionError: The driver denies access.
        SensorError: The driver did not answer in time, or no thread could be made.
    """
    library = NvmlLibrary(name)
    try:
        library.open(timeout_s, calibrate_s=calibrate_s)
    except OSError as error:
        raise sensor_error(error) from error
    return library


def sensor_error(error: OSError) -> SensorError:
    """Translate what opening a library failed with."""
    code = getattr(error, "nvml_code", None)
    message = error.strerror or str(error)
    remedy = library_remedy(error)
    if remedy:
        message = f"{message}; try: {remedy}"
    kind: type[SensorError] = SensorUnavailable
    if isinstance(error, PermissionError):
        kind = SensorPermissionError
    elif code is None:
        kind = SensorError
    return kind(message, "nvml", str(error.filename or ""))


def library_remedy(error: OSError) -> str:
    """Name the command that would make the library usable; empty where none is known."""
    return _REMEDIES.get(getattr(error, "nvml_code", 0), "")


def detect_gpus(name: str, ids: Iterable[int | str] | None, *, timeout_s: float = 2.0) -> tuple[Finding, ...]:
    """Open the library, read every chosen card once, and say what was found; for ``detect``.

    Returns:
        One finding per chosen card, or one that says why there is none.
    """
    try:
        library = open_library(name, timeout_s=timeout_s)
    except SensorError as error:
        refused = library_finding(NvmlLibrary(name))
        return (refused or Finding("nvml", "nvml", "gpu", "refused", name, error.message),)
    devices = select_gpus(library.devices(), ids).devices
    usable = [device for device in devices if device.method != "none"]
    powers_w: dict[int, float | None] = {}
    if usable:
        source = NvmlSource(library, usable, with_utilisation=False)
        source.read()
        powers_w = {device.index: source.status(place)["power_w"] for place, device in enumerate(usable)}
        source.close()
    return tuple(device_finding(device, name, power_w=powers_w.get(device.index)) for device in devices)


def library_finding(library: NvmlLibrary) -> Finding | None:
    """Say why a library is refused; None when it is open, or when there simply is no NVIDIA software here."""
    error = library.error
    if error is None or (isinstance(error, FileNotFoundError) and not getattr(error, "nvml_code", 0)):
        return None
    return Finding(
        interface="nvml",
        name="nvml",
        domain="gpu",
        state="refused",
        path=library.name,
        reason=error.strerror or str(error),
        remedy=library_remedy(error),
    )


def device_finding(device: NvmlDevice, library_name: str, *, power_w: float | None = None) -> Finding:
    """Say what a card offers, or why it is refused."""
    is_usable = device.method != "none"
    return Finding(
        interface="nvml",
        name=f"gpu-{device.index}",
        domain=device.scope,
        state="live" if is_usable else "refused",
        path=library_name,
        reason=_offer(device) if is_usable else f"it offers neither energy nor power: {device.refusal}",
        power_w=power_w,
    )


def _offer(device: NvmlDevice) -> str:
    parts = [f"{device.name}: " + ("energy counter" if device.method == "counter" else "power, integrated here")]
    if device.scope == "module":
        parts.append("of the whole module, processor included")
    if device.has_mig:
        parts.append("of the whole board, all slices together")
    if device.is_consumer:
        parts.append("read once a second, since reading disturbs such cards' counters")
    ratio = device.energy_to_power_ratio
    if ratio is not None:
        parts.append(f"counter over integrated power {ratio:.2f}")
    return ", ".join(parts)
