"""A powercap tree on an ordinary file system, laid out like the kernel's.

Zones live below ``sys/devices/virtual/powercap`` and are linked from ``sys/class/powercap``, as on a real machine. What
differs: an unlinked file can still be read through an open descriptor (the kernel answers ENODEV), and a reader may see
half of a write. Scripted system calls stand in for the first; writes of fixed width keep the second harmless.
"""

from __future__ import annotations

import os
from pathlib import Path

RANGE_ESU_14_UJ = 262143328850
RANGE_ESU_16_UJ = 65532610987
RANGE_DRAM_UJ = 65712999613
TEXT_WIDTH = 16  # digits: the widest range of a real zone, and leading zeros keep the width when a counter wraps


class FakeZone:
    """One zone: its folder, and its counter."""

    def __init__(self, folder: Path, entry: Path, energy_uj: int, range_uj: int | None) -> None:
        self.folder = folder
        self.entry = entry
        self.range_uj = range_uj
        self.write(energy_uj)

    @property
    def energy_path(self) -> Path:
        """The counter, through the class folder, as a reader finds it."""
        return self.entry / "energy_uj"

    def write(self, energy_uj: int) -> None:
        """Set the counter, in one write of fixed width, without truncating."""
        fd = os.open(self.folder / "energy_uj", os.O_WRONLY | os.O_CREAT, 0o400)
        try:
            os.pwrite(fd, f"{energy_uj:0{TEXT_WIDTH}d}\n".encode(), 0)
        finally:
            os.close(fd)

    def corrupt(self, content: bytes) -> None:
        """Replace the counter's text by anything."""
        path = self.folder / "energy_uj"
        path.chmod(0o600)
        path.write_bytes(content)

    def replace(self, target: Path) -> None:
        """Put a link in the counter's place, for example to a file whose read fails."""
        path = self.folder / "energy_uj"
        path.unlink()
        path.symlink_to(target)

    def remove(self) -> None:
        """Take the counter away."""
        (self.folder / "energy_uj").unlink()


class FakePowercap:
    """Builds zones; ``root`` is what ``CODECARBON_SYSFS_ROOT`` is set to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.class_folder = root / "class" / "powercap"
        self.devices = root / "devices" / "virtual" / "powercap"
        self.class_folder.mkdir(parents=True, exist_ok=True)
        self.zones: dict[str, FakeZone] = {}

    def add_control_type(self, control: str = "intel-rapl") -> Path:
        """Make a control type, such as ``intel-rapl`` or a foreign one, unless it exists."""
        folder = self.devices / control
        if not folder.exists():
            folder.mkdir(parents=True)
            (folder / "enabled").write_text("1\n")
            (folder / "uevent").write_text("")
            (folder / "subsystem").symlink_to(self.class_folder)
            self._link(control, folder)
        return folder

    def add_zone(
        self,
        name: str,
        *,
        parent: FakeZone | None = None,
        control: str = "intel-rapl",
        index: int | None = None,
        energy_uj: int = 0,
        range_uj: int | None = RANGE_ESU_14_UJ,
    ) -> FakeZone:
        """Make a zone.

        Args:
            name: Content of its ``name`` file.
            parent: The zone that contains it; None for the top.
            control: Its control type.
            index: Its number below the parent, the next free one by default; written in base 16, as the kernel does.
            energy_uj: First value of the counter.
            range_uj: Content of ``max_energy_range_uj``; None for no such file.
        """
        above = parent.folder if parent else self.add_control_type(control)
        prefix = f"{above.name}:"
        number = sum(entry.name.startswith(prefix) for entry in above.iterdir()) if index is None else index
        folder = above / f"{prefix}{number:x}"
        folder.mkdir()
        (folder / "name").write_text(f"{name}\n")
        (folder / "enabled").write_text("1\n")
        (folder / "uevent").write_text("")
        (folder / "subsystem").symlink_to(self.class_folder)
        if range_uj is not None:
            (folder / "max_energy_range_uj").write_text(f"{range_uj}\n")
        if parent is None:
            (folder / "constraint_0_name").write_text("long_term\n")
            (folder / "constraint_0_max_power_uw").write_text("125000000\n")
            (folder / "constraint_0_power_limit_uw").write_text("125000000\n")
            (folder / "constraint_0_time_window_us").write_text("27983872\n")
        zone = FakeZone(folder, self._link(folder.name, folder), energy_uj, range_uj)
        self.zones[f"{parent.folder.name}/{name}" if parent else name] = zone
        return zone

    def _link(self, name: str, folder: Path) -> Path:
        entry = self.class_folder / name
        entry.symlink_to(os.path.relpath(folder, self.class_folder))
        return entry


def build_sockets(root: Path, sockets: int = 1, *, has_dram: bool = True, energy_uj: int = 0) -> FakePowercap:
    """Make a server: per socket a package with cores and, if wanted, memory below it."""
    tree = FakePowercap(root)
    for socket in range(sockets):
        package = tree.add_zone(f"package-{socket}", energy_uj=energy_uj)
        tree.add_zone("core", parent=package, energy_uj=energy_uj)
        if has_dram:
            tree.add_zone("dram", parent=package, energy_uj=energy_uj, range_uj=RANGE_DRAM_UJ)
    return tree


def build_dies(root: Path, sockets: int = 1, dies: int = 2) -> FakePowercap:
    """Make a machine whose sockets have several dies, each a zone of its own; on Intel all of them count."""
    tree = FakePowercap(root)
    for socket in range(sockets):
        for die in range(dies):
            tree.add_zone(f"package-{socket}-die-{die}")
    return tree


def build_amd_twins(root: Path, dies: int = 2) -> FakePowercap:
    """Make a Threadripper under an older kernel: every die shows the counter of the whole socket (defect D-14)."""
    tree = FakePowercap(root)
    for die in range(dies):
        package = tree.add_zone(f"package-0-die-{die}", range_uj=RANGE_ESU_16_UJ)
        tree.add_zone("core", parent=package, range_uj=RANGE_ESU_16_UJ)
    return tree


def build_laptop(root: Path) -> FakePowercap:
    """Make a client machine: cores and graphics in the package, and the platform as top-level zone 1."""
    tree = FakePowercap(root)
    package = tree.add_zone("package-0")
    tree.add_zone("core", parent=package)
    tree.add_zone("uncore", parent=package)
    tree.add_zone("psys")
    return tree


def add_mmio_twin(tree: FakePowercap, energy_uj: int = 0) -> FakeZone:
    """Show package 0 again through the other register path."""
    return tree.add_zone("package-0", control="intel-rapl-mmio", energy_uj=energy_uj)


def add_foreign_types(tree: FakePowercap) -> None:
    """Put control types of other drivers into the same class folder."""
    dtpm = tree.add_zone("dtpm", control="dtpm", energy_uj=123)
    tree.add_zone("package-0", parent=dtpm, energy_uj=456)
    tree.add_control_type("idle_inject")


def build_many_sockets(root: Path, sockets: int = 11) -> FakePowercap:
    """Make so many sockets that the last zone is ``intel-rapl:a``: numbers are hexadecimal."""
    return build_sockets(root, sockets, has_dram=False)
