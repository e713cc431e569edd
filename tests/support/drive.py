"""Keeps fake sensors at constant power, for tests and for people whose machine has none.

    python -m tests.support.drive powercap --watts 100 --sockets 2 --dram 20
    python -m tests.support.drive powercap --watts 100 -- codecarbon monitor -- python train.py
    python -m tests.support.drive pmu --watts 65 -- codecarbon detect
    python -m tests.support.drive msr --watts 100 --seconds 30

Without a command it prints what to export and runs until it is interrupted. With one, it sets the environment, runs the
command and ends with its exit code. ``--start-uj`` begins close to the end of a counter's range, to see it wrap.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from codecarbon.hardware.rapl_units import EnergyUnit, find_registers, get_powercap_range, get_units
from tests.support import fake_msr, fake_pmu, fake_powercap

PERIOD_S = 0.0005  # half the time between two updates of the hardware
CHECK_EVERY = 20  # writes between two looks at the command and the clock
REPOSITORY = Path(__file__).parents[2]

Writer = Callable[[int], None]
"""Brings one counter to its value at so many nanoseconds after the start."""


def powercap_writer(zone: fake_powercap.FakeZone, power_w: float, start_uj: int) -> Writer:
    """Return the writer of one zone; the text has a fixed width, so that one write replaces all of it."""
    modulus = get_powercap_range(zone.range_uj).modulus
    fd = os.open(zone.folder / "energy_uj", os.O_WRONLY)

    def write(elapsed_ns: int) -> None:
        energy_uj = (start_uj + int(power_w * elapsed_ns / 1000)) % modulus
        os.pwrite(fd, f"{energy_uj:0{fake_powercap.TEXT_WIDTH}d}\n".encode(), 0)

    return write


def msr_writer(device: Path, register: int, unit: EnergyUnit, power_w: float, start_uj: int) -> Writer:
    """Return the writer of one register of one device."""
    fd = os.open(device, os.O_WRONLY)

    def write(elapsed_ns: int) -> None:
        counts = (start_uj + int(power_w * elapsed_ns / 1000)) * unit.den // unit.num
        os.pwrite(fd, struct.pack("<Q", counts & 0xFFFFFFFF), register)

    return write


def read_processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, int, int]:
    """Return vendor, family and model of this machine: its reader will look them up too."""
    facts: dict[str, str] = {}
    for line in cpuinfo.read_text().splitlines():
        name, _, value = line.partition(":")
        facts.setdefault(name.strip(), value.strip())
    try:
        vendor, family, model = facts["vendor_id"], int(facts["cpu family"]), int(facts["model"])
    except KeyError as error:
        raise SystemExit(f"no fake MSR device on this processor: /proc/cpuinfo has no {error}") from error
    if find_registers(vendor, family) is None:
        raise SystemExit(f"no fake MSR device on this processor: {vendor} family {family} has no RAPL registers")
    return vendor, family, model


def build_powercap(options: argparse.Namespace, root: Path) -> tuple[dict[str, str], list[Writer]]:
    """Make packages, each with memory if wanted."""
    tree = fake_powercap.FakePowercap(root / "sys")
    writers = []
    for socket in range(options.sockets):
        package = tree.add_zone(f"package-{socket}", energy_uj=options.start_uj)
        writers.append(powercap_writer(package, options.watts, options.start_uj))
        if options.dram:
            dram = tree.add_zone("dram", parent=package, energy_uj=options.start_uj)
            writers.append(powercap_writer(dram, options.dram, options.start_uj))
    return {"CODECARBON_SYSFS_ROOT": str(tree.root)}, writers


def build_msr(options: argparse.Namespace, root: Path) -> tuple[dict[str, str], list[Writer]]:
    """Make devices with the registers and units of this machine's processor."""
    vendor, family, model = read_processor()
    tree = fake_msr.FakeMsr(
        root,
        sockets=options.sockets,
        cpus_per_socket=max((os.cpu_count() or 1) // options.sockets, 1),
        vendor=vendor,
        family=family,
        model=model,
    )
    units = get_units(vendor, family, model, tree.unit_value)
    registers = find_registers(vendor, family)
    assert registers is not None
    writers = []
    for socket in range(options.sockets):
        for domain, power_w in (("package", options.watts), ("dram", options.dram)):
            if power_w and domain in units:
                device = tree.path(socket * tree.cpus_per_socket)
                writers.append(msr_writer(device, registers.energy[domain], units[domain], power_w, options.start_uj))
    return {"CODECARBON_SYSFS_ROOT": str(tree.sys), "CODECARBON_DEV_ROOT": str(tree.dev)}, writers


def build_pmu(options: argparse.Namespace, root: Path) -> tuple[dict[str, str], list[Writer]]:
    """Make a PMU that needs no writer: the kernel counts nanoseconds by itself."""
    if options.watts != int(options.watts) or options.dram != int(options.dram) or options.sockets != 1:
        raise SystemExit("a fake PMU has one package and whole watts")
    fake_pmu.build_constant(root / "sys", int(options.watts), int(options.dram))
    return {"CODECARBON_SYSFS_ROOT": str(root / "sys")}, []


BUILDERS = {"powercap": build_powercap, "msr": build_msr, "pmu": build_pmu}


def drive(writers: Sequence[Writer], should_stop: Callable[[], bool]) -> None:
    """Write every counter, every half millisecond, until told to stop; late writes are simply later ones."""
    start_ns = time.monotonic_ns()
    rounds = 0
    while rounds % CHECK_EVERY or not should_stop():
        elapsed_ns = time.monotonic_ns() - start_ns
        for write in writers:
            write(elapsed_ns)
        time.sleep(PERIOD_S)
        rounds += 1


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command line; everything after ``--`` is the command."""
    arguments = list(arguments)
    split = arguments.index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.drive", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sensor", choices=sorted(BUILDERS), help="which interface to fake")
    parser.add_argument("--root", type=Path, help="folder to build in, empty or new (default: a temporary one)")
    parser.add_argument("--watts", type=float, default=100.0, help="power of each package (default: %(default)s)")
    parser.add_argument("--dram", type=float, default=0.0, help="power of each package's memory (default: none)")
    parser.add_argument("--sockets", type=int, default=1, help="number of packages (default: %(default)s)")
    parser.add_argument("--start-uj", type=int, default=0, help="where the counters begin (default: %(default)s)")
    parser.add_argument("--seconds", type=float, help="end after so long (default: with the command, or never)")
    options = parser.parse_args(arguments[:split])
    options.command = arguments[split + 1 :]
    return options


def run(options: argparse.Namespace, root: Path) -> int:
    """Build, print or start, drive; return the exit code."""
    environment, writers = BUILDERS[options.sensor](options, root)
    child = subprocess.Popen(options.command, env={**os.environ, **environment}) if options.command else None
    if child is None:
        for name, value in environment.items():
            print(f"export {name}={shlex.quote(value)}", flush=True)  # noqa: T201  # a program for people
    end_s = time.monotonic() + options.seconds if options.seconds is not None else float("inf")

    def should_stop() -> bool:
        return time.monotonic() >= end_s or (child is not None and child.poll() is not None)

    # Ctrl-C reaches the command too; the counters go on until it has ended.
    with contextlib.suppress(KeyboardInterrupt):
        drive(writers, should_stop)
    if child is None:
        return 0
    if options.seconds is not None and child.poll() is None:
        child.terminate()
    with contextlib.suppress(KeyboardInterrupt):
        drive(writers, lambda: child.poll() is not None)
    code = child.wait()
    return code if code >= 0 else 128 - code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    if options.root is not None:
        options.root.mkdir(parents=True, exist_ok=True)
        return run(options, options.root.resolve())
    with tempfile.TemporaryDirectory(prefix="codecarbon-fake-") as folder:
        return run(options, Path(folder))


@contextlib.contextmanager
def driven(sensor: str, root: Path, **options: float) -> Iterator[Mapping[str, str]]:
    """Drive a fake sensor in a process of its own, as long as the block runs; yields the environment to set.

    In the same process the writer would wait for the interpreter lock of whatever is measured.
    """
    command = [sys.executable, "-m", "tests.support.drive", sensor, "--root", str(root)]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        count = 2 if sensor == "msr" else 1
        lines = [process.stdout.readline() for _ in range(count)]
        try:
            yield dict(shlex.split(line)[1].split("=", 1) for line in lines)
        finally:
            process.terminate()


if __name__ == "__main__":
    sys.exit(main())
