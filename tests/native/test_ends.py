"""The ends of things that take long: reads of many seconds, waits whose thread has gone, and two that stop at once."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from codecarbon._sensors import (
    Channel,
    Fault,
    PowercapSource,
    Sampler,
    ScriptedOps,
    SimChannel,
    SimSource,
    VirtualOps,
    stop_all,
)
from tests.support.fake_powercap import build_sockets
from tests.support.rig import MS, START_NS, S, window


def test_bound_holds_inside_a_read_of_twenty_seconds():
    """A driver may hang, or a debugger stop the process: the bracket of such a read needs more than 32 bits."""
    channel = SimChannel(power=[(START_NS - S, 50.0)], events=[("slow", START_NS + S, 20 * S, 1)])
    ops = VirtualOps(start_ns=START_NS)
    sampler = Sampler([SimSource([channel], ops=ops)], idle_period_ns=100 * MS, slow_read_ns=0, ops=ops)
    sampler.step(9, 100 * MS)
    sampler.step(30, 100 * MS)
    wide = sampler.snapshot()[0][9]
    assert int(wide["h_ns"]) + (int(wide["h_high"]) << 32) >= 10 * S
    first = START_NS + 500 * MS
    for later in range(START_NS + S, START_NS + 22 * S, 100 * MS):
        for t0, t1 in ((first, later), (later, START_NS + 23 * S)):
            seen = window(sampler.resolve(t0), sampler.resolve(t1))
            assert seen.contains(channel.true_energy_fj(t0, t1)), (t0 - START_NS, t1 - START_NS)


def make_still() -> Sampler:
    return Sampler([SimSource([SimChannel(power=[(0, 0.0)])])], idle_period_ns=MS, slots=256, coarse_slots=0)


def test_stop_ends_a_burst_and_whoever_waits_for_it():
    sampler = make_still()
    sampler.start()
    answers: list[bool] = []
    waiter = threading.Thread(target=lambda: answers.append(sampler.sync(300.0)))
    begun = time.monotonic()
    waiter.start()
    while sampler.head < 10_000:
        assert time.monotonic() - begun < 60
    assert sampler.stop(10.0)
    waiter.join(10.0)
    assert answers == [False]


def test_a_wait_for_a_tick_ends_with_the_thread(tmp_path: Path):
    fault = Fault("pread", first=3, delay_ns=200 * MS)
    sampler = make_file_sampler(tmp_path, fault)
    sampler.start()
    while not fault.hits:
        pass
    # The slow tick began before the request, and none follows it.
    answers: list[bool] = []
    waiter = threading.Thread(target=lambda: answers.append(sampler.tick(300.0)))
    waiter.start()
    assert sampler.stop(10.0)
    waiter.join(10.0)
    assert not waiter.is_alive()


def make_file_sampler(tmp_path: Path, fault: Fault) -> Sampler:
    zone = build_sockets(tmp_path, has_dram=False).zones["package-0"]
    ops = ScriptedOps([fault])
    source = PowercapSource([(zone.energy_path, Channel("package-0", "package"))], ops=ops)
    return Sampler([source], idle_period_ns=MS, slots=256, coarse_slots=0, slow_read_ns=0)


def test_last_reference_goes_while_the_exit_hook_stops_the_thread(tmp_path: Path):
    """Run under the address sanitizer, this tells whether either of the two touches what the other has freed."""
    fault = Fault("pread", first=3, delay_ns=200 * MS)
    sampler = make_file_sampler(tmp_path, fault)
    sampler.start()
    while not fault.hits:
        pass
    hook = threading.Thread(target=stop_all, args=(10.0,))
    hook.start()
    while sampler.is_running:
        pass
    del sampler
    hook.join(10.0)
    assert not hook.is_alive()


def test_no_mark_is_final_while_the_last_tick_is_being_made(tmp_path: Path):
    fault = Fault("pread", first=3, delay_ns=300 * MS)
    sampler = make_file_sampler(tmp_path, fault)
    sampler.start()
    while not fault.hits:
        pass
    stopper = threading.Thread(target=sampler.stop, args=(10.0,))
    stopper.start()
    while sampler.is_running:
        pass
    ticks, reading = sampler.head, sampler.resolve(time.monotonic_ns())
    assert not (reading.is_final and sampler.head == ticks == 2)
    stopper.join(10.0)
    assert sampler.head == 3
    assert sampler.resolve(time.monotonic_ns()).is_final


def test_any_number_of_seconds_may_be_waited():
    sampler = make_still()
    sampler.start()
    assert sampler.tick(float("inf"))
    assert sampler.tick(1e300)
    assert sampler.stop(float("inf"))
