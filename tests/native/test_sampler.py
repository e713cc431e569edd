"""The sampling thread: its rates and its grid, requests, and how it ends."""

from __future__ import annotations

import errno
import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import pytest

from codecarbon._sensors import (
    Channel,
    Fault,
    PowercapSource,
    Sampler,
    ScriptedOps,
    SimChannel,
    SimSource,
    VirtualOps,
    flag_names,
)
from tests.support.rig import MS, START_NS, US, S


def sim(ops=None, **options):
    return SimSource([SimChannel(power=[(START_NS, 50.0)], **options)], ops=ops)


def sampler_over(*sources, ops=None, idle_period_ns=100 * MS, fast_period_ns=MS, **options):
    return Sampler(
        sources,
        idle_period_ns=idle_period_ns,
        fast_period_ns=fast_period_ns,
        slots=1024,
        coarse_slots=0,
        ops=ops,
        **options,
    )


@pytest.fixture
def energy_uj(tmp_path):
    path = tmp_path / "energy_uj"
    path.write_text("123456\n")
    return path


def powercap(path, ops=None):
    return PowercapSource([(path, Channel("package-0", "package"))], ops=ops)


class Paced:
    """A running thread whose time moves only when the test says so."""

    def __init__(self, *, until_idle: bool = True, **options) -> None:
        self.ops = VirtualOps(start_ns=START_NS, jumps=False)
        self.sampler = sampler_over(sim(self.ops, **options), ops=self.ops)
        self.sampler.start()
        self.await_ticks(1)
        if until_idle:
            self.advance(300 * MS)

    def await_ticks(self, n: int) -> None:
        """Wait for the thread, in real time, until it made n ticks and waits for a time to come."""
        deadline = time.monotonic() + 20
        while self.sampler.head < n or self.ops.waiting_ns <= self.ops.now_ns:
            assert time.monotonic() < deadline, (self.sampler.head, self.ops.waiting_ns, n)
            time.sleep(0.0001)

    def advance(self, ns: int) -> int:
        """Move the time, and return how many ticks were made of it."""
        before = self.sampler.head
        self.ops.advance(ns)
        self.await_ticks(before)
        return self.sampler.head - before


@pytest.fixture
def paced():
    made = Paced()
    yield made
    assert made.sampler.stop()


def test_thread_keeps_its_grid():
    ops = VirtualOps(start_ns=START_NS)
    sampler = sampler_over(sim(ops), ops=ops, fast_period_ns=0)
    sampler.start()
    while sampler.head < 500:
        time.sleep(0.001)
    assert sampler.stop()
    times = sampler.snapshot()[0]["t_ns"]
    assert ((times - START_NS) % (100 * MS) == 0).all()
    assert sampler.resolve(int(times[-1]) + 1).missed == 0


def test_d49_thread_does_not_drift_when_it_wakes_late():
    ops = VirtualOps(start_ns=START_NS)
    sampler = sampler_over(sim(ops), ops=ops, fast_period_ns=0)
    sampler.start()
    for _ in range(200):
        ops.delay_next_wait(30 * MS)
        time.sleep(0.00005)
    assert sampler.stop()
    times = sampler.snapshot()[0]["t_ns"]
    assert set(((times - START_NS) % (100 * MS)).tolist()) <= {0, 30 * MS}


def test_thread_is_fast_at_first_and_then_idle():
    paced = Paced(until_idle=False)
    made = [paced.advance(MS) for _ in range(50)]
    assert made == [1] * 50
    paced.advance(200 * MS)
    assert paced.advance(90 * MS) <= 1
    assert paced.advance(100 * MS) == 1
    assert paced.sampler.stop()


def test_hold_wakes_the_idle_thread_and_keeps_it_fast(paced):
    assert [paced.advance(MS) for _ in range(20)].count(1) <= 1
    before = paced.sampler.head
    paced.sampler.hold_fast()
    paced.await_ticks(before + 1)
    assert [paced.advance(MS) for _ in range(20)] == [1] * 20
    paced.sampler.hold_fast()
    paced.sampler.release_fast()
    paced.advance(5 * S)
    assert [paced.advance(MS) for _ in range(20)] == [1] * 20
    paced.sampler.release_fast()
    # Two seconds longer, and then no more.
    paced.advance(1900 * MS)
    assert [paced.advance(MS) for _ in range(20)] == [1] * 20
    paced.advance(300 * MS)
    assert sum(paced.advance(MS) for _ in range(20)) <= 1


def test_idle_period_can_be_changed(paced):
    assert paced.sampler.idle_period_ns == 100 * MS
    before = paced.sampler.head
    paced.sampler.set_idle_period(10 * MS)
    paced.await_ticks(before + 1)
    assert [paced.advance(10 * MS) for _ in range(10)] == [1] * 10
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="positive"):
            paced.sampler.set_idle_period(wrong)


def test_overrun_skips_ticks_and_counts_them(paced):
    before = paced.sampler.head
    paced.sampler.hold_fast()
    paced.await_ticks(before + 1)
    paced.advance(10 * MS)
    last = int(paced.sampler.snapshot()[0]["t_ns"][-1])
    missed = paced.sampler.resolve(last + 1).missed
    # The host does not run the thread for 200 ms: one late tick, no burst to catch up.
    assert paced.advance(200 * MS) == 1
    reading = paced.sampler.resolve(paced.ops.now_ns + 1)
    assert reading.missed - missed == 199
    assert [paced.advance(MS) for _ in range(10)] == [1] * 10
    assert paced.sampler.resolve(paced.ops.now_ns + 1).missed - missed == 199


def test_slow_read_is_flagged_and_the_ticks_it_cost_are_counted():
    paced = Paced(until_idle=False, events=[("slow", START_NS + 20 * MS, 200 * MS, 2)])
    for _ in range(19):
        paced.advance(MS)
    paced.advance(MS)
    # Two reads of 200 ms, one of them the repetition.
    assert paced.ops.now_ns == START_NS + 420 * MS
    rows = paced.sampler.snapshot()[0]
    assert ["SLOW" in flag_names(int(bits)) for bits in rows["flags"]] == [False] * 20 + [True]
    assert abs(int(rows["h_ns"][-1]) - 100 * MS) < 10
    paced.advance(100 * MS)
    assert paced.sampler.resolve(paced.ops.now_ns + 1).missed >= 399
    assert paced.sampler.stop()


def test_request_is_served_at_once_and_leaves_the_grid_alone(paced):
    last = int(paced.sampler.snapshot()[0]["t_ns"][-1])
    paced.ops.advance_to(last + 50 * MS)
    before = paced.sampler.head
    paced.sampler.tick()
    paced.await_ticks(before + 1)
    assert int(paced.sampler.snapshot()[0]["t_ns"][-1]) == last + 50 * MS
    paced.advance(50 * MS)
    assert int(paced.sampler.snapshot()[0]["t_ns"][-1]) == last + 100 * MS


def test_awaited_tick_began_after_the_call():
    sampler = sampler_over(sim(), idle_period_ns=10 * S, fast_period_ns=0)
    sampler.start()
    for _ in range(200):
        asked = time.monotonic_ns()
        assert sampler.tick(5.0) is True
        assert int(sampler.snapshot(sampler.head - 1)[0]["t_ns"][-1]) >= asked
    assert sampler.stop()


def test_requests_from_many_threads_are_all_served():
    sampler = sampler_over(sim(), idle_period_ns=10 * S, fast_period_ns=0)
    sampler.start()
    late = []

    def ask() -> None:
        for _ in range(100):
            asked = time.monotonic_ns()
            if not sampler.tick(5.0) or sampler.resolve(2**62).last_ns < asked:
                late.append(asked)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sampler.stop()
    assert late == []


def test_awaited_tick_gives_up_in_time(energy_uj):
    ops = ScriptedOps([Fault("pread", first=2, delay_ns=300 * MS)])
    sampler = sampler_over(powercap(energy_uj, ops), ops=ops, idle_period_ns=10 * S, fast_period_ns=0)
    sampler.start()
    while sampler.head < 1:
        time.sleep(0.001)
    begun = time.monotonic()
    assert sampler.tick(0.02) is False
    assert time.monotonic() - begun < 0.25
    assert sampler.stop()


def test_tick_without_a_thread_is_refused():
    sampler = sampler_over(sim())
    assert sampler.tick(0.01) is False
    sampler.start()
    assert sampler.stop()
    assert sampler.tick(0.01) is False


def test_interrupted_waits_make_no_ticks():
    ops = VirtualOps(start_ns=START_NS)
    script = ScriptedOps([Fault("wait", first=2, last=5000, errno=errno.EINTR)], base=ops)
    sampler = sampler_over(sim(script), ops=script, fast_period_ns=0)
    sampler.start()
    while script.calls("wait") < 6000:
        time.sleep(0.001)
    assert sampler.stop()
    rows = sampler.snapshot()[0]
    # One tick per wait that was not interrupted.
    assert rows["ticks"][-1] <= script.calls("wait") - 4999 + 1
    assert rows["missed"][-1] == 0
    assert ((rows["t_ns"] - START_NS) % (100 * MS) == 0).all()


def test_wait_that_cannot_wait_does_not_spin():
    ops = ScriptedOps([Fault("wait", errno=errno.ENOSYS)])
    sampler = sampler_over(sim(ops), ops=ops, idle_period_ns=10 * MS, fast_period_ns=0)
    sampler.start()
    time.sleep(0.2)
    assert sampler.stop()
    assert 2 <= sampler.head <= 30


def test_rate_is_kept_while_python_holds_the_interpreter():
    sampler = sampler_over(sim(), fast_period_ns=MS)
    sampler.hold_fast()
    sampler.start()
    begun = time.monotonic()
    spins = 0
    while time.monotonic() - begun < 0.5:
        spins += 1
    assert sampler.tick(10.0)
    assert sampler.stop()
    reading = sampler.resolve(2**62)
    asked = (reading.last_ns - reading.first_ns) / MS
    assert asked > 450
    assert reading.ticks >= 0.9 * (asked - reading.missed)
    assert 0 < reading.cpu_ns < 500 * MS


def test_a_tick_makes_few_system_calls(energy_uj):
    ops = ScriptedOps(base=VirtualOps())
    zones = [(energy_uj, Channel(f"zone-{i}", "package")) for i in range(4)]
    sampler = sampler_over(PowercapSource(zones, ops=ops), ops=ops)
    sampler.step(10, US)
    before = {name: ops.calls(name) for name in ("open", "pread", "read", "close", "clock", "wait", "wake")}
    sampler.step(640, US)
    made = {name: ops.calls(name) - before[name] for name in before}
    assert made["pread"] == 4 * 640
    assert made["open"] == made["read"] == made["close"] == made["wake"] == 0
    assert made["wait"] == 640
    # Beside them the clock, which is no system call but for the thread's own time, read every 64th tick.
    assert made["clock"] <= 4 * 640 + 640 // 64 + 2


def test_thread_has_a_name_and_takes_no_signals():
    sampler = sampler_over(sim(), name="cc-test-name-that-is-too-long")
    before = set(os.listdir("/proc/self/task"))
    sampler.start()
    assert sampler.tick(10.0)
    (thread,) = set(os.listdir("/proc/self/task")) - before
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/self/task/{thread}/status").read_text().splitlines())
    assert status["Name"] == "cc-test-name-th"
    blocked = int(status["SigBlk"], 16)
    for number in (1, 2, 3, 10, 12, 13, 14, 15, 17, 23, 29):
        assert blocked >> (number - 1) & 1
    assert sampler.stop()


def test_stop_does_not_wait_for_the_next_tick():
    sampler = sampler_over(sim(), idle_period_ns=3600 * S, fast_period_ns=0)
    sampler.start()
    begun = time.monotonic()
    assert sampler.stop()
    assert time.monotonic() - begun < 1.0


def test_stopping_twice_or_before_the_start_is_harmless():
    sampler = sampler_over(sim())
    assert sampler.stop()
    sampler.start()
    assert sampler.stop()
    assert sampler.stop()
    assert not sampler.is_running


def test_stopped_ring_stays_readable_and_everything_is_final():
    ops = VirtualOps(start_ns=START_NS)
    sampler = sampler_over(sim(ops), ops=ops)
    sampler.start()
    while sampler.head < 10:
        time.sleep(0.001)
    assert sampler.stop()
    last = sampler.resolve(2**62).last_ns
    assert sampler.resolve(last - US).is_final
    assert sampler.resolve(last + S).is_final
    assert sampler.snapshot()[0]["t_ns"][-1] == last


def test_thread_that_hangs_in_a_read_is_left_behind(energy_uj):
    """Freeing what it may touch would be worse than leaking it."""
    script = """
import sys, time
from codecarbon._sensors import Channel, Fault, PowercapSource, Sampler, ScriptedOps
ops = ScriptedOps([Fault("pread", first=2, delay_ns=60_000_000_000)])
source = PowercapSource([(sys.argv[1], Channel("package-0", "package"))], ops=ops)
sampler = Sampler([source], idle_period_ns=1_000_000, slots=64, coarse_slots=0, ops=ops)
sampler.start()
while ops.calls("pread") < 2:
    time.sleep(0.001)
begun = time.monotonic()
assert sampler.stop(0.05) is False
assert sampler.stop(0.05) is False
assert time.monotonic() - begun < 1.0
assert not sampler.is_running
sampler.close()
assert ops.open_fds == 1
del sampler, source, ops
"""
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script, energy_uj], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - begun < 15


def test_closing_waits_for_a_stop_in_another_thread(energy_uj):
    ops = ScriptedOps([Fault("pread", first=2, delay_ns=200 * MS)])
    sampler = sampler_over(powercap(energy_uj, ops), ops=ops, idle_period_ns=MS, fast_period_ns=0)
    sampler.start()
    while ops.calls("pread") < 2:
        time.sleep(0.001)
    other = threading.Thread(target=sampler.stop)
    other.start()
    while sampler.is_running:
        time.sleep(0.001)
    sampler.close()
    # The thread was inside a read: had it gone on, that read would have met a closed descriptor.
    other.join()
    assert sampler.state(0).errors == 0
    assert ops.open_fds == 0


def test_closed_sampler_neither_starts_nor_steps(energy_uj):
    ops = ScriptedOps()
    sampler = sampler_over(powercap(energy_uj, ops), ops=ops)
    sampler.step(3)
    sampler.close()
    assert ops.open_fds == 0
    for use in (sampler.start, sampler.step):
        with pytest.raises(ValueError):
            use()
    assert sampler.resolve(2**62).ticks == 3
    sampler.close()


def test_step_is_refused_beside_a_thread():
    sampler = sampler_over(sim())
    sampler.start()
    with pytest.raises(ValueError, match="without a thread"):
        sampler.step()
    assert sampler.stop()


def test_dropped_sampler_frees_its_sources(energy_uj):
    ops = ScriptedOps()
    sampler = sampler_over(powercap(energy_uj, ops), ops=ops)
    sampler.start()
    gone = weakref.ref(sampler)
    del sampler
    gc.collect()
    assert gone() is None
    assert ops.open_fds == 0


@pytest.mark.parametrize(
    ("sources", "options", "message"),
    [
        (0, {}, "1 to 64 channels"),
        (65, {}, "1 to 64 channels"),
        (1, {"idle_period_ns": 0}, "positive"),
        (1, {"idle_period_ns": -5}, "positive"),
        (1, {"fast_period_ns": -1}, "positive"),
    ],
)
def test_nonsense_is_refused(sources, options, message):
    made = [sim() for _ in range(sources)]
    with pytest.raises(ValueError, match=message):
        sampler_over(*made, **options)


def test_closed_source_is_refused():
    source = sim()
    source.close()
    with pytest.raises(ValueError, match="closed"):
        sampler_over(source)


def test_flags_have_names():
    assert flag_names(0) == ()
    assert flag_names(2**10 - 1) == (
        *("WRAP", "RESET", "AMBIGUOUS", "GAP", "ERR", "STALE", "SUSPEND", "SLOW", "FIRST", "EDGE"),
    )
