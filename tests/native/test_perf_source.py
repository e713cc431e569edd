"""PerfSource on software events, which the kernel counts like any other PMU's."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys
import time

import pytest

from codecarbon._sensors import Channel, Fault, PerfSource, ScriptedOps, probe_event
from tests.support.fake_pmu import (
    CONTEXT_SWITCHES,
    CPU_CLOCK,
    DUMMY,
    SOFTWARE,
    build_constant,
    build_phantom,
    need_perf,
)
from tests.support.limits import count_descriptors, one_descriptor_left

NO_SUCH_EVENT = 99
NO_SUCH_PMU = 0x7FFFFFFF


def channel(name):
    return Channel(name, "package", num=1, den=1000)


def open_events(*configs, ops=None):
    return PerfSource(SOFTWARE, 0, [(config, channel(f"event-{config}")) for config in configs], ops=ops)


def words(*values):
    return struct.pack(f"={len(values)}Q", *values)


def replies(config, *texts):
    """Faults that make the reads of one event answer so, in turn; the last one goes on."""
    path = f"perf:{SOFTWARE}:{config}"
    faults = [Fault("read", path=path, first=n, last=n, data=data) for n, data in enumerate(texts, start=1)]
    return [*faults, Fault("read", path=path, first=len(texts) + 1, data=texts[-1])]


@pytest.fixture(autouse=True)
def _perf():
    need_perf()


def test_cpu_clock_counts_elapsed_time_exactly():
    source = open_events(CPU_CLOCK)
    before_ns = time.monotonic_ns()
    (first, status), after_first_ns = source.read()[0], time.monotonic_ns()
    assert status == 0
    while time.monotonic_ns() < after_first_ns + 20_000_000:
        pass
    before_second_ns = time.monotonic_ns()
    ((second, status),) = source.read()
    after_ns = time.monotonic_ns()
    assert status == 0
    # The kernel's two clocks may differ by a few parts in a thousand over 20 ms.
    assert 0.995 * (before_second_ns - after_first_ns) <= second - first <= 1.005 * (after_ns - before_ns)


def test_group_of_five_is_read_at_one_instant():
    source = open_events(*[CPU_CLOCK] * 5)
    first = source.read()
    spreads_ns = []
    for _ in range(50):
        values = source.read()
        assert [status for _, status in values] == [0] * 5
        rises = [later - earlier for (later, _), (earlier, _) in zip(values, first, strict=True)]
        spreads_ns.append(max(rises) - min(rises))
    # One system call: clocks that were started one after the other, microseconds apart, advance together.
    assert min(spreads_ns) < 1000
    starts = [raw for raw, _ in first]
    assert starts == sorted(starts, reverse=True)


def test_each_event_keeps_its_place():
    source = open_events(DUMMY, CONTEXT_SWITCHES, DUMMY, CONTEXT_SWITCHES)
    end_s = time.monotonic() + 10
    while (0, 0) in (values := source.read())[1::2] and time.monotonic() < end_s:
        time.sleep(0.001)
    assert [raw > 0 for raw, _ in values] == [False, True, False, True]


def test_member_that_does_not_run_fails_by_itself():
    # The kernel takes members of another PMU behind the same type number, and runs only the leader's.
    ops = ScriptedOps([
        *replies(DUMMY, words(0, 10, 0, 22)),
        *replies(CPU_CLOCK, *[words(2, 10 * n, 10 * n, n, 11, 0, 22) for n in range(1, 4)]),
    ])  # fmt: skip
    source = open_events(CPU_CLOCK, DUMMY, ops=ops)
    assert source.read() == [(2, 0), (0, -errno.ENODATA)]
    source.reopen()  # the group as a whole is well: opening it again would break the clock's epoch
    assert ops.calls("perf_open") == 2
    assert source.read() == [(3, 0), (0, -errno.ENODATA)]


def test_phantom_opens_and_never_moves():
    source = open_events(DUMMY)
    assert {source.read()[0] for _ in range(100)} == {(0, 0)}


@pytest.mark.parametrize("position", [0, 1, 3])
def test_refused_event_is_named_and_nothing_stays_open(position):
    configs = [CPU_CLOCK] * 4
    configs[position] = NO_SUCH_EVENT
    before = count_descriptors()
    with pytest.raises(FileNotFoundError) as caught:
        open_events(*configs)
    assert caught.value.filename == f"perf:type={SOFTWARE},config={NO_SUCH_EVENT:#x},cpu=0"
    assert count_descriptors() == before


def test_probe_tells_why_an_event_is_refused():
    before = count_descriptors()
    assert probe_event(SOFTWARE, 0, CPU_CLOCK) == 0
    assert probe_event(SOFTWARE, 0, NO_SUCH_EVENT) == errno.ENOENT
    assert probe_event(NO_SUCH_PMU, 0, 0) == errno.ENOENT
    assert probe_event(SOFTWARE, 1_000_000, CPU_CLOCK) in {errno.EINVAL, errno.ENODEV}
    with one_descriptor_left():
        os.open(os.devnull, os.O_RDONLY)
        assert probe_event(SOFTWARE, 0, CPU_CLOCK) == errno.EMFILE
    assert count_descriptors() == before + 1


def test_too_many_open_files_is_a_clean_error():
    before = count_descriptors()
    with one_descriptor_left(), pytest.raises(OSError) as caught:
        open_events(CPU_CLOCK, CPU_CLOCK)
    assert caught.value.errno == errno.EMFILE
    assert count_descriptors() == before


def test_closing_releases_and_ends_reading():
    before = count_descriptors()
    source = open_events(CPU_CLOCK, DUMMY, DUMMY)
    assert count_descriptors() == before + 3
    source.close()
    source.close()
    assert count_descriptors() == before
    with pytest.raises(ValueError, match="closed"):
        source.read()


def test_dropping_the_last_reference_closes():
    before = count_descriptors()
    for _ in range(100):
        open_events(CPU_CLOCK, DUMMY)
    assert count_descriptors() == before


def test_events_do_not_survive_exec():
    source = open_events(CPU_CLOCK, DUMMY)
    listing = "import os; print(*[os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd') if n > '2'])"
    inherited = subprocess.run(
        [sys.executable, "-c", listing], close_fds=False, capture_output=True, text=True, check=False
    )
    assert "perf_event" not in inherited.stdout
    assert source.read()[0][1] == 0


def test_reopening_a_healthy_group_does_nothing():
    source = open_events(CPU_CLOCK)
    ((first, _),) = source.read()
    source.reopen()
    ((second, _),) = source.read()
    assert second > first


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.ENOSYS, errno.ENODEV, errno.EINVAL])
@pytest.mark.parametrize("position", [1, 2, 3])
def test_refusal_carries_the_kernel_s_reason(code, position):
    ops = ScriptedOps([Fault("perf_open", first=position, last=position, errno=code)])
    with pytest.raises(OSError) as caught:
        open_events(CPU_CLOCK, CPU_CLOCK, CPU_CLOCK, ops=ops)
    assert caught.value.errno == code
    assert ops.open_fds == 0
    assert probe_event(SOFTWARE, 0, CPU_CLOCK, ops=ScriptedOps([Fault("perf_open", errno=code)])) == code


@pytest.mark.parametrize("reply", [b"", words(2, 10, 10, 0, 7), words(1, 10, 10)])
def test_group_that_cannot_be_read_is_refused_at_once(reply):
    ops = ScriptedOps(replies(CPU_CLOCK, reply))
    with pytest.raises(OSError) as caught:
        open_events(CPU_CLOCK, ops=ops)
    assert caught.value.errno == errno.EIO
    assert ops.open_fds == 0


def test_group_in_error_state_is_opened_again():
    fault = Fault("read", first=3, data=b"")
    ops = ScriptedOps([fault])
    source = open_events(CPU_CLOCK, ops=ops)
    ((before, status),) = source.read()
    assert status == 0
    assert source.read() == [(0, -errno.ENODEV)]
    fault.is_active = False
    source.reopen()
    ((after, status),) = source.read()
    assert status == 0
    assert ops.open_fds == 1
    assert after < before + 1_000_000_000  # counts from its own opening, not from the first one's


def test_group_that_cannot_be_opened_again_keeps_failing_and_leaks_nothing():
    broken = Fault("read", first=2, data=b"")
    away = Fault("perf_open", first=2, errno=errno.ENODEV)
    ops = ScriptedOps([broken, away])
    source = open_events(CPU_CLOCK, ops=ops)
    for _ in range(3):
        assert source.read() == [(0, -errno.ENODEV)]
        with pytest.raises(OSError) as caught:
            source.reopen()
        assert caught.value.errno == errno.ENODEV
    assert ops.open_fds == 1
    away.is_active = broken.is_active = False
    source.read()
    assert source.read()[0][1] == 0


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (words(1, 20, 20), errno.EIO),
        (words(2, 20, 20, 5, 7), errno.EIO),
        (words(1, 20, 20, 5, 7, 5, 8), errno.EIO),
        (words(1, 20, 20, 5, 99), errno.ENODATA),
    ],
)
def test_reply_of_another_shape_is_a_failed_reading(reply, code):
    source = open_events(CPU_CLOCK, ops=ScriptedOps(replies(CPU_CLOCK, words(1, 10, 10, 0, 7), reply)))
    assert source.read() == [(0, -code)]


def test_values_go_by_identity_not_by_place():
    ops = ScriptedOps([
        *replies(DUMMY, words(0, 10, 10, 22)),
        *replies(CPU_CLOCK, words(2, 10, 10, 0, 11, 0, 22), words(2, 20, 20, 5, 22, 3, 11)),
    ])  # fmt: skip
    assert open_events(CPU_CLOCK, DUMMY, ops=ops).read() == [(3, 0), (5, 0)]


def test_time_that_the_group_did_not_run_is_a_failed_reading():
    rows = [(10, 10), (20, 20), (120, 30), (220, 130), (320, 130), (320, 130)]
    ops = ScriptedOps(replies(CPU_CLOCK, *[words(1, *row, n, 7) for n, row in enumerate(rows)]))
    source = open_events(CPU_CLOCK, ops=ops)
    assert [source.read()[0] for _ in range(5)] == [(1, 0), (0, -errno.ENODATA), (3, 0), (0, -errno.ENODATA), (5, 0)]


@pytest.mark.parametrize("count", [0, 65])
def test_number_of_events_has_limits(count):
    with pytest.raises(ValueError, match=f"got {count}"):
        open_events(*[DUMMY] * count)


def test_fake_pmu_has_the_kernel_s_shape(tmp_path):
    build_constant(tmp_path / "one", 65, 7)
    folder = tmp_path / "one/bus/event_source/devices/power"
    assert (folder / "type").read_text() == "1\n"
    assert (folder / "cpumask").read_text() == "0\n"
    assert (folder / "format/event").read_text() == "config:0-7\n"
    assert (folder / "events/energy-pkg").read_text() == "event=0x00\n"
    assert (folder / "events/energy-ram.scale").read_text() == "7e-9\n"
    assert (folder / "events/energy-ram.unit").read_text() == "Joules\n"
    build_phantom(tmp_path / "two")
    events = tmp_path / "two/devices/power/events"
    assert {path.name for path in events.iterdir()} == {"energy-psys", "energy-psys.scale", "energy-psys.unit"}
