"""Sessions whose sensors never answer, answer late, or go away: what is missing is named and never zero."""

from __future__ import annotations

import time
from pathlib import Path

from codecarbon.measure import MeasureRequest, Session
from codecarbon.model import EnergyWindow, Roots
from codecarbon.units import NS_PER_S
from tests.support import fake_powercap

# Failures in a row until a channel is given up, with some ticks to spare.
FAILURES = 130


def roots(tmp_path: Path) -> Roots:
    return Roots(sysfs=str(tmp_path), dev=str(tmp_path), nvml_library="libnone.so")


def new_session(tmp_path: Path, **request: object) -> Session:
    # No cards: whether their library has answered yet is nobody's business here.
    return Session(MeasureRequest(roots=roots(tmp_path), gpu_ids=(), **request))  # type: ignore[arg-type]


def tick_while_counting(session: Session, zones: list[fake_powercap.FakeZone], ticks: int) -> None:
    """Make that many ticks of the counters, each with 1 mJ more on every zone."""
    sampler = session._attached.counters.sampler  # type: ignore[union-attr]
    for _ in range(ticks):
        for zone in zones:
            zone.write(int((zone.folder / "energy_uj").read_text()) + 1000)
        assert sampler.tick(5.0)


def test_a_counter_that_never_answered_leaves_its_component_to_the_model(tmp_path: Path) -> None:
    fake_powercap.FakePowercap(tmp_path).add_zone("package-0").corrupt(b"nonsense\n")
    session = new_session(tmp_path)
    start = session.start()
    try:
        tick_while_counting(session, [], FAILURES)
        window = session.window([(start, session.mark())])
    finally:
        session.stop()
    assert next(f.state for f in session.findings() if f.domain == "package") == "gone"
    cpu = window.component("cpu")
    assert cpu is not None
    assert cpu.method == "modelled"
    assert cpu.high_j is not None
    assert cpu.high_j > 0.0


def both_packages(tmp_path: Path) -> tuple[fake_powercap.FakeZone, fake_powercap.FakeZone]:
    tree = fake_powercap.FakePowercap(tmp_path)
    return tree.add_zone("package-0", energy_uj=1000), tree.add_zone("package-1", energy_uj=1000)


def test_a_counter_that_never_answered_takes_no_coverage_from_the_others(tmp_path: Path) -> None:
    good, broken = both_packages(tmp_path)
    broken.corrupt(b"nonsense\n")
    session = new_session(tmp_path)
    session.start()
    try:
        # A busy machine may give the thread its first tick late.
        tick_while_counting(session, [good], 1)
        start = session.mark()
        tick_while_counting(session, [good], 2 * FAILURES)
        window = session.window([(start, session.mark())])
    finally:
        session.stop()
    cpu = window.component("cpu")
    assert cpu is not None
    assert cpu.method == "measured"
    assert cpu.coverage_ratio > 0.5  # a pause of a busy machine at the end counts too
    assert any("package-1" in reason for reason in cpu.missing)


def test_a_counter_that_answers_late_covers_only_what_it_saw(tmp_path: Path) -> None:
    zone = fake_powercap.FakePowercap(tmp_path).add_zone("package-0", energy_uj=1000)
    zone.corrupt(b"nonsense\n")
    session = new_session(tmp_path)
    session.start()
    try:
        tick_while_counting(session, [], 1)
        start = session.mark()
        tick_while_counting(session, [], 50)
        before_ns = time.monotonic_ns()
        zone.write(1000)
        tick_while_counting(session, [], 1)
        after_ns = time.monotonic_ns()
        tick_while_counting(session, [zone], 50)
        end = session.mark()
        window = session.window([(start, end)])
    finally:
        session.stop()
    cpu = window.component("cpu")
    assert cpu is not None
    assert cpu.method == "measured"
    length_ns = end.t_ns - start.t_ns
    assert (end.t_ns - after_ns) / length_ns <= cpu.coverage_ratio <= (end.t_ns - before_ns) / length_ns


def test_a_counter_that_goes_away_is_named_although_all_were_live(tmp_path: Path) -> None:
    good, lost = both_packages(tmp_path)
    session = new_session(tmp_path)
    start = session.start()
    try:
        tick_while_counting(session, [good, lost], 10)
        assert not session.window([(start, session.mark())]).missing
        lost.corrupt(b"nonsense\n")
        tick_while_counting(session, [good], FAILURES)
        window = session.window([(start, session.mark())])
    finally:
        session.stop()
    assert any("package-1" in reason for reason in window.missing)


def test_memory_of_no_power_is_zero_joules_and_not_an_error(tmp_path: Path) -> None:
    session = new_session(tmp_path, force_ram_power_w=0.0)
    start = session.start()
    tick_deadline_s = time.monotonic() + 10
    window: EnergyWindow | None = None
    while window is None or window.component("ram") is None:
        assert time.monotonic() < tick_deadline_s
        session.tick()
        window = session.window([(start, session.mark())])
    session.stop()
    ram = window.component("ram")
    assert ram is not None
    assert (ram.energy_j, ram.high_j, ram.method) == (0.0, 0.0, "constant")


def test_the_future_has_no_energy_yet(tmp_path: Path) -> None:
    session = new_session(tmp_path)
    start = session.start()
    try:
        session.tick()
        end = session.mark_at(time.monotonic_ns() + 3600 * NS_PER_S)
        window = session.energy(start, session.utc(end))
        assert window.duration_s < 60.0
    finally:
        session.stop()
