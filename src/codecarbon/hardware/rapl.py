"""RAPL discovery: which energy counters exist, which of them are the same, and which may be read.

Each package is read through the first interface that opens: one perf group, else powercap files, else the msr
device. A sum of packages and memory domains never counts a joule twice, because aliases (MMIO copies, AMD dies that
mirror their socket, the platform domain) are removed here. Whether a counter that opened really moves is decided
later, from its samples.

Sources: kernel documentation ``power/powercap.rst`` and ``ABI/testing/sysfs-class-powercap``;
``arch/x86/events/rapl.c`` and ``drivers/powercap/intel_rapl_common.c``.
"""

# pathlib costs start-up time:
# ruff: noqa: PTH110, PTH208
from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from codecarbon._sensors import Channel, MsrSource, PerfSource, PowercapSource, Source, probe_event, read_msr
from codecarbon.hardware import rapl_units as units
from codecarbon.hardware.facts import CpuInfo, read_text
from codecarbon.model import Finding, Roots
from codecarbon.units import UW_PER_W

if TYPE_CHECKING:
    from collections.abc import Iterable

PACKAGE_CAP_W = 1000.0
DRAM_CAP_W = 200.0
PSYS_CAP_W = 3000.0
# A processor that goes offline takes its device along; another of its package has the same registers.
MSR_DEVICES = 4
_CAPS_W = {"package": PACKAGE_CAP_W, "dram": DRAM_CAP_W, "psys": PSYS_CAP_W}
_PERF_DOMAINS = {"energy-pkg": "package", "energy-ram": "dram", "energy-psys": "psys"}
# Texts, which are compiled on a machine that has zones.
_ZONE_NAME = r"package-(\d+)(?:-die-(\d+))?"
_ZONE_DIR = r"(intel-rapl(?:-mmio)?):([0-9a-f]+)(?::([0-9a-f]+))?"


class Domain(NamedTuple):
    """One energy counter of the machine, whatever interface it is read through.

    Attributes:
        kind: ``package``, ``dram`` or ``psys``.
        package: Socket number; psys belongs to socket 0.
        die: Die number inside the socket.
    """

    kind: str
    package: int
    die: int = 0

    @property
    def name(self) -> str:
        """The channel's name, for example ``package-0`` or ``dram-1-die-1``."""
        if self.kind == "psys":
            return "psys"
        return f"{self.kind}-{self.package}" + (f"-die-{self.die}" if self.die else "")


class RaplChannels:
    """The opened counters, in the order of the sampler's channels, and everything that was refused.

    Attributes:
        sources: Opened sources; whoever receives them closes them.
        findings: One per channel of the sources, in order; the state is ``dormant`` until samples show movement.
        refused: Counters and interfaces that are not used, each with its reason.
        taken: Counters that an interface has supplied already.
    """

    def __init__(self) -> None:
        self.sources: list[Source] = []
        self.findings: list[Finding] = []
        self.refused: list[Finding] = []
        self.taken: set[Domain] = set()

    def add(self, source: Source, findings: Iterable[Finding]) -> None:
        """Take over an opened source with one finding per channel."""
        self.sources.append(source)
        self.findings.extend(findings)

    def close(self) -> None:
        """Close every source."""
        for source in self.sources:
            source.close()


def open_rapl(roots: Roots, cpu: CpuInfo) -> RaplChannels:
    """Open every energy counter of the processors once.

    Args:
        roots: Where sys and dev are.
        cpu: The processor's identity.

    Returns:
        The opened sources, and what was refused and why. Never raises for a sensor that cannot be used.
    """
    found = RaplChannels()
    _open_perf(roots, cpu, found)
    _open_powercap(roots, cpu, found)
    _open_msr(roots, cpu, found)
    return found


def parse_cpu_list(text: str) -> list[int]:
    """Parse the kernel's list format, for example ``0,16-17``; malformed parts are left out."""
    cpus: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first.isdigit() and (not last or last.isdigit()):
            cpus.extend(range(int(first), int(last or first) + 1))
    return cpus


# --- perf ----------------------------------------------------------------------------------------------------------


def _open_perf(roots: Roots, cpu: CpuInfo, found: RaplChannels) -> None:
    folder = f"{roots.sysfs}/bus/event_source/devices/power"
    pmu_type = (read_text(f"{folder}/type") or "").strip()
    if not pmu_type.isdigit():
        return
    events = _perf_events(folder, found)
    seen: set[int] = set()
    for number in parse_cpu_list(read_text(f"{folder}/cpumask") or ""):
        package, die = _topology(roots, number)
        if cpu.is_amd and package in seen:
            found.refused.append(
                Finding("perf", f"package-{package}-die-{die}", "package", "alias", folder, _AMD_DIE_REASON)
            )
            continue
        seen.add(package)
        wanted = [
            (config, domain, per_count)
            for kind, config, per_count in events
            if (domain := Domain(kind, package, die if kind != "psys" else 0)) not in found.taken
            and not (kind == "psys" and package != 0)
        ]
        if wanted:
            _open_perf_group(folder, int(pmu_type), number, wanted, found)


_AMD_DIE_REASON = "this die repeats its socket's counter (AMD package energy is per socket)"


def _perf_events(folder: str, found: RaplChannels) -> list[tuple[str, int, units.EnergyUnit]]:
    events = []
    for name, kind in _PERF_DOMAINS.items():
        text = (read_text(f"{folder}/events/{name}") or "").strip()
        if not text:
            continue
        match = re.fullmatch(r"event=(?:0x)?([0-9a-fA-F]+)", text)
        unit = (read_text(f"{folder}/events/{name}.unit") or "").strip()
        try:
            per_count = units.get_perf_unit(read_text(f"{folder}/events/{name}.scale") or "")
        except ValueError:
            per_count = None
        if match is None or unit != "Joules" or per_count is None:
            reason = f"its description is not understood (event {text!r}, unit {unit!r})"
            found.refused.append(Finding("perf", name, kind, "refused", f"{folder}/events/{name}", reason))
            continue
        events.append((kind, int(match[1], 16), per_count))
    return events


def _open_perf_group(
    folder: str,
    pmu_type: int,
    cpu: int,
    wanted: list[tuple[int, Domain, units.EnergyUnit]],
    found: RaplChannels,
) -> None:
    # Kernels 5.8 to 5.16 listed events that AMD parts lack: ask for each alone before the group is made.
    usable = []
    shift = min(units.get_perf_shift(per_count) for _, _, per_count in wanted)
    for config, domain, (num, den) in wanted:
        if code := probe_event(pmu_type, cpu, config):
            reason, remedy = _perf_reason(code), _perf_remedy(code)
            found.refused.append(Finding("perf", domain.name, domain.kind, "refused", folder, reason, remedy))
        else:
            kind, modulus = domain.kind, units.get_perf_modulus(shift)
            quantum, cap_w = units.get_perf_quantum(kind, shift), _CAPS_W[kind]
            channel = Channel(
                domain.name, kind, num=num << shift, den=den, modulus=modulus, quantum=quantum, cap_w=cap_w
            )
            usable.append((config, domain, channel))
    if not usable:
        return
    try:
        source = PerfSource(pmu_type, cpu, [(config, channel) for config, _, channel in usable], shift=shift)
    except OSError as error:
        for _, domain, _ in usable:
            reason, remedy = _perf_reason(error.errno or 0), _perf_remedy(error.errno or 0)
            found.refused.append(Finding("perf", domain.name, domain.kind, "refused", folder, reason, remedy))
        return
    found.taken.update(domain for _, domain, _ in usable)
    found.add(
        source,
        [Finding("perf", domain.name, domain.kind, "dormant", folder, "opened") for _, domain, _ in usable],
    )


def _perf_reason(code: int) -> str:
    known = {
        errno.EACCES: "perf_event_paranoid forbids machine-wide events",
        errno.EPERM: "the call is forbidden (perf_event_paranoid, or a container's seccomp profile)",
        errno.ENOSYS: "the container's seccomp profile hides the call",
        errno.ENOENT: "the kernel has no such counter",
        errno.ENODEV: "the kernel has no such counter",
        errno.EINVAL: "the processor does not support this counter",
        errno.EMFILE: "too many open files",
    }
    return f"cannot open: {known.get(code, os.strerror(code))}"


def _perf_remedy(code: int) -> str:
    if code in (errno.EACCES, errno.EPERM):
        return "sudo sysctl kernel.perf_event_paranoid=0"
    return "ulimit -n 4096" if code == errno.EMFILE else ""


def _topology(roots: Roots, cpu: int) -> tuple[int, int]:
    folder = f"{roots.sysfs}/devices/system/cpu/cpu{cpu}/topology"
    package = (read_text(f"{folder}/physical_package_id") or "0").strip()
    die = (read_text(f"{folder}/die_id") or "0").strip()
    return (int(package) if package.isdigit() else 0), (int(die) if die.isdigit() else 0)


# --- powercap ------------------------------------------------------------------------------------------------------


class _Zone(NamedTuple):
    domain: Domain
    folder: str
    is_mmio: bool


def _open_powercap(roots: Roots, cpu: CpuInfo, found: RaplChannels) -> None:
    zones = _powercap_zones(f"{roots.sysfs}/class/powercap")
    # The MSR path first: MMIO repeats the same energy through another register.
    for zone in sorted(zones, key=lambda zone: (zone.is_mmio, zone.domain.package, zone.domain.die)):
        name, kind = zone.domain.name, zone.domain.kind
        if zone.domain in found.taken:
            reason = "the same counter is read through another interface"
            found.refused.append(Finding("powercap", name, kind, "alias", zone.folder, reason))
            continue
        if cpu.is_amd and zone.domain.die and Domain(kind, zone.domain.package) in found.taken:
            found.refused.append(Finding("powercap", name, kind, "alias", zone.folder, _AMD_DIE_REASON))
            continue
        _open_zone(zone, found)


def _powercap_zones(folder: str) -> list[_Zone]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    zones: list[_Zone] = []
    parents: dict[str, Domain] = {}
    for entry in sorted(names, key=lambda name: name.count(":")):
        match = re.fullmatch(_ZONE_DIR, entry)
        if match is None:
            continue
        label = (read_text(f"{folder}/{entry}/name") or "").strip()
        domain = _zone_domain(label, parents.get(entry.rpartition(":")[0]))
        if domain is None:
            continue
        if domain.kind == "package":
            parents[entry] = domain
        zones.append(_Zone(domain, f"{folder}/{entry}", match[1].endswith("-mmio")))
    return zones


def _zone_domain(label: str, parent: Domain | None) -> Domain | None:
    """Identify a zone by its name file; sub-domains of a package are breakdowns and give None."""
    if match := re.fullmatch(_ZONE_NAME, label):
        return Domain("package", int(match[1]), int(match[2] or 0))
    if label == "psys":
        return Domain("psys", 0)
    if label == "dram":
        return Domain("dram", parent.package, parent.die) if parent else Domain("dram", 0)
    return None


def _open_zone(zone: _Zone, found: RaplChannels) -> None:
    kind, path = zone.domain.kind, f"{zone.folder}/energy_uj"
    range_uj = (read_text(f"{zone.folder}/max_energy_range_uj") or "").strip()
    counter = units.get_powercap_range(int(range_uj) if range_uj.isdigit() else None)
    published_uw = (read_text(f"{zone.folder}/constraint_0_max_power_uw") or "").strip()
    published_w = int(published_uw) / UW_PER_W if published_uw.isdigit() else 0.0
    channel = Channel(
        zone.domain.name,
        kind,
        modulus=counter.modulus,
        quantum=counter.quantum,
        cap_w=max(2 * published_w, _CAPS_W[kind]),
    )
    try:
        source = PowercapSource([(path, channel)])
    except OSError as error:
        found.refused.append(
            Finding("powercap", channel.name, kind, "refused", path, _file_reason(error), _file_remedy(error, path))
        )
        return
    found.taken.add(zone.domain)
    note = "opened; its range file is unusable, so the usual range is assumed" if counter.is_assumed else "opened"
    found.add(source, [Finding("powercap", channel.name, kind, "dormant", path, note)])


def _file_reason(error: OSError) -> str:
    known = {
        errno.EACCES: "only root may read it (the kernel's answer to CVE-2020-8694)",
        errno.EPERM: "opening needs the CAP_SYS_RAWIO capability",
        errno.ENXIO: "the processor is offline",
        errno.EIO: "the processor refuses this register",
        errno.EINVAL: "it is not a regular file",
        errno.EMFILE: "too many open files",
    }
    return f"cannot open: {known.get(error.errno or 0, error.strerror or str(error))}"


def _file_remedy(error: OSError, path: str) -> str:
    if error.errno == errno.EACCES:
        return f"sudo chgrp $(id -gn) {path} && sudo chmod g+r {path}"
    if error.errno == errno.EPERM:
        return "sudo setcap cap_sys_rawio=ep $(readlink -f $(command -v python3))"
    return "ulimit -n 4096" if error.errno == errno.EMFILE else ""


# --- msr -----------------------------------------------------------------------------------------------------------


def _open_msr(roots: Roots, cpu: CpuInfo, found: RaplChannels) -> None:
    if all(Domain("package", package) in found.taken for package in cpu.first_cpu):
        return
    for package, numbers in sorted(_devices(roots, cpu).items()):
        if Domain("package", package) in found.taken:
            continue
        paths = [f"{roots.dev}/cpu/{number}/msr" for number in numbers]
        if os.path.exists(paths[0]):
            _open_msr_package(paths, package, cpu, found)


def _devices(roots: Roots, cpu: CpuInfo) -> dict[int, list[int]]:
    """Some processors of each package: of those that have a device, as sysfs arranges them, else as /proc does.

    A container's ``/proc/cpuinfo`` may show a part of the machine only; its devices are the machine's all the same.
    """
    try:
        numbers = sorted(int(name) for name in os.listdir(f"{roots.dev}/cpu") if name.isdigit())
    except OSError:
        numbers = []
    devices: dict[int, list[int]] = {}
    for number in numbers:
        if os.path.exists(f"{roots.sysfs}/devices/system/cpu/cpu{number}/topology/physical_package_id"):
            of_package = devices.setdefault(_topology(roots, number)[0], [])
            if len(of_package) < MSR_DEVICES:
                of_package.append(number)
    return devices or {package: [number] for package, number in cpu.first_cpu.items()}


def _open_msr_package(paths: list[str], package: int, cpu: CpuInfo, found: RaplChannels) -> None:
    name, path = f"package-{package}", paths[0]
    registers = units.find_registers(cpu.vendor, cpu.family)
    if registers is None:
        reason = f"no energy registers are known for {cpu.vendor or 'this vendor'} family {cpu.family}"
        found.refused.append(Finding("msr", name, "package", "refused", path, reason))
        return
    try:
        per_count = units.get_units(cpu.vendor, cpu.family, cpu.model, read_msr(path, registers.unit))
    except OSError as error:
        found.refused.append(
            Finding("msr", name, "package", "refused", path, _file_reason(error), _file_remedy(error, path))
        )
        return
    except ValueError as error:
        found.refused.append(Finding("msr", name, "package", "refused", path, f"implausible: {error}"))
        return
    wanted: list[tuple[int, Domain, Channel]] = []
    for kind, cap_w in _CAPS_W.items():
        domain = Domain(kind, package)
        if kind not in registers.energy or domain in found.taken or (kind == "psys" and package != 0):
            continue
        num, den = per_count[kind]
        channel = Channel(domain.name, kind, num=num, den=den, modulus=1 << 32, cap_w=cap_w)
        try:
            read_msr(path, registers.energy[kind])
        except OSError as error:
            found.refused.append(Finding("msr", domain.name, kind, "refused", path, _file_reason(error)))
            continue
        wanted.append((registers.energy[kind], domain, channel))
    if not wanted:
        return
    source = MsrSource(path, [(offset, channel) for offset, _, channel in wanted], alternatives=paths[1:])
    found.taken.update(domain for _, domain, _ in wanted)
    found.add(source, [Finding("msr", domain.name, domain.kind, "dormant", path, "opened") for _, domain, _ in wanted])
