"""LoadSource: machine load, memory and process trees in virtual time, and a few truths about this very machine."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codecarbon._sensors import Fault, LoadSource, ScriptedOps, VirtualOps
from tests.support.fake_proc import PAGE_BYTES, TICK_NS, FakeProc
from tests.support.limits import count_descriptors, one_descriptor_left

S, MS = 1_000_000_000, 1_000_000
CPUS = 4
P_MAX_W = 100.0


class Rig:
    """A source over a fake procfs in virtual time."""

    def __init__(self, proc, *, faults=(), **options):
        self.proc = proc
        self.clock = VirtualOps()
        self.ticks = {"busy": 0, "idle": 0, "stolen": 0}
        defaults = {"mode": "machine", "cpu_formula": "load", "p_max_w": P_MAX_W, "ram_w": 20.0, "cpu_count": CPUS}
        defaults["ram_total_bytes"] = 1 << 30
        self.source = LoadSource(proc.root, **{**defaults, **options}, ops=ScriptedOps(faults, base=self.clock))

    def run(self, ns, **ticks):
        """Let time pass, and ticks with it."""
        self.clock.advance(ns)
        for name, count in ticks.items():
            self.ticks[name] += count
        self.proc.set_ticks(**self.ticks)

    def read(self, name=None):
        """All readings by channel name, or the value of one, which must be good."""
        readings = {
            channel.name: reading for channel, reading in zip(self.source.channels, self.source.read(), strict=True)
        }
        if name is None:
            return readings
        assert readings[name][1] == 0
        return readings[name][0]

    def statuses(self):
        return {name: status for name, (_, status) in self.read().items()}


@pytest.fixture
def proc(tmp_path):
    return FakeProc(tmp_path / "proc")


@pytest.fixture
def machine(proc):
    rig = Rig(proc)
    assert set(rig.read().values()) == {(0, 0)}  # the first reading is the baseline
    return rig


@pytest.fixture(params=[True, False], ids=["children-files", "scan"])
def tree(request, tmp_path):
    """A rig in process mode, over both ways of finding children."""
    return Rig(FakeProc(tmp_path / "proc", has_children_files=request.param), mode="process")


# --- load of the machine


@pytest.mark.parametrize(
    ("busy", "idle", "stolen", "power_w"),
    [(400, 0, 0, 100.0), (0, 400, 0, 10.0), (200, 200, 0, 21.25), (100, 300, 0, 10 + 90 / 64), (200, 0, 200, 21.25)],
)
def test_energy_follows_the_cube_of_the_load(machine, busy, idle, stolen, power_w):
    machine.run(S, busy=busy, idle=idle, stolen=stolen)
    assert machine.read("cpu-model") == round(power_w * 1e6)


def test_busy_share_is_counted_in_nanoseconds(machine):
    machine.run(S, busy=100, idle=300)
    assert machine.read("util.cpu") == S // 4


def test_d07_second_reading_right_after_the_first_does_not_change_the_load(machine):
    machine.run(S, busy=400)
    first = machine.read()
    assert machine.read() == first
    machine.run(5 * MS)  # no tick passed: the load is not suddenly 0
    assert machine.read("util.cpu") == S + 5 * MS
    assert machine.read("cpu-model") == 100_500_000


def test_guess_of_a_short_interval_is_settled_by_the_next_long_one(machine):
    machine.run(S, busy=400)
    machine.read()
    machine.run(10 * MS)
    assert machine.read("cpu-model") == 101_000_000  # guessed: still busy
    machine.run(990 * MS, idle=400)
    assert machine.read("cpu-model") == 110_000_000  # it was idle all the second
    assert machine.read("util.cpu") == S + 10 * MS  # a total never falls: the excess is kept back
    machine.run(S, busy=400)
    assert machine.read("util.cpu") == 2 * S


def test_guess_that_was_too_high_is_held_against_what_follows(machine):
    machine.run(S, busy=400)
    machine.read()
    machine.run(19 * MS)
    machine.read()
    machine.run(2 * MS, idle=8)
    overdrawn = machine.read("cpu-model")
    assert overdrawn == 101_900_000  # never falls, though only 0.21 J are true
    machine.run(S, idle=400)
    assert machine.read("cpu-model") == 100_000_000 + 10 * 1_021_000


def test_short_first_interval_takes_the_tree_for_the_load(proc):
    rig = Rig(proc)
    rig.read()
    proc.use(proc.top, 2)  # 20 ms on one of four processors, within 10 ms of time: rounding makes such things
    rig.run(10 * MS)
    assert rig.read("util.cpu") == 5 * MS
    rig.run(10 * MS)
    assert rig.read("util.cpu") == 5 * MS
    rig.run(S, busy=404)
    assert rig.read("util.cpu") == pytest.approx(1.02 * S)


def test_guest_time_is_not_counted_twice(proc):
    rig = Rig(proc)
    rig.read()
    rig.clock.advance(S)
    proc.set_ticks(busy=200, idle=200, guest=200)
    assert rig.read("util.cpu") == S // 2


def test_unreadable_load_is_not_idleness_and_is_bridged_later(proc):
    fault = Fault("pread", path="*/proc/stat", errno=errno.EIO)
    fault.is_active = False
    rig = Rig(proc, faults=[fault])
    rig.read()
    fault.is_active = True
    rig.run(S, busy=400)
    readings = rig.read()
    assert readings["cpu-model"] == readings["util.cpu"] == (0, -errno.EIO)
    assert {status for name, (_, status) in readings.items() if name not in {"cpu-model", "util.cpu"}} == {0}
    fault.is_active = False
    rig.run(S, busy=400)
    assert rig.read("cpu-model") == 200_000_000


@pytest.mark.parametrize(
    "text",
    [
        *["", "cpu", "cpu \n", "cpu0 1 2 3 4\n", "cpu  1 2 3\n", "cpu  a b c d\n", "cpu  -1 2 3 4\n"],
        *["cpu  1 2 x 4\n", f"cpu  {'9' * 30} 0 0 0\n", "intr 5\n"],
    ],
)
def test_garbage_for_load_is_a_failed_reading(machine, text):
    machine.clock.advance(S)
    (machine.proc.root / "stat").write_text(text)
    assert machine.read()["cpu-model"] == (0, -errno.EINVAL)


def test_columns_of_old_kernels_suffice(machine):
    machine.clock.advance(S)
    (machine.proc.root / "stat").write_text("cpu  100 0 100 200\n")
    assert machine.read("util.cpu") == S // 2


def test_tick_counters_that_stand_still_are_not_believed(machine):
    machine.run(S, busy=400)
    machine.read()
    machine.run(999 * MS)
    assert machine.statuses()["cpu-model"] == 0
    machine.run(MS)
    assert machine.statuses()["cpu-model"] == -errno.ENODATA
    machine.run(S, busy=800)
    assert machine.read("cpu-model") == 300_000_000


def test_busy_time_that_went_back_keeps_the_last_load(machine):
    machine.run(S, busy=400)
    machine.read()
    machine.run(S, busy=-300, idle=10)
    assert machine.read("cpu-model") == 200_000_000
    machine.run(S, idle=400)
    assert machine.read("cpu-model") == 210_000_000


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 3000 * MS), st.integers(0, 800), st.integers(0, 800), st.booleans()),
        min_size=1,
        max_size=30,
    )
)
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=50)
def test_modelled_energy_never_falls_and_stays_between_rest_and_full_load(tmp_path_factory, steps):
    rig = Rig(FakeProc(tmp_path_factory.mktemp("law")))
    rig.read()
    start_ns, last = rig.clock.now_ns, (0, 0)
    for ns, busy, idle, is_read_twice in steps:
        rig.run(ns, busy=busy, idle=idle)
        for _ in range(1 + is_read_twice):
            readings = rig.read()
            if readings["cpu-model"][1] != 0:
                assert readings["cpu-model"] == (0, -errno.ENODATA)
                continue
            now = readings["cpu-model"][0], readings["util.cpu"][0]
            assert now >= last
            last = now
            elapsed_ns = rig.clock.now_ns - start_ns
            assert now[1] <= elapsed_ns + 1
            # What a guess took too much, at most 20 ms at full power, is not given back before it is settled.
            assert now[0] <= P_MAX_W * elapsed_ns / 1000 + 1
            assert now[0] >= 0.1 * P_MAX_W * elapsed_ns / 1000 - 1


# --- constants and memory


@pytest.mark.parametrize(("formula", "power_w"), [("constant", 50.0), ("fixed", 100.0)])
@pytest.mark.parametrize("mode", ["machine", "process"])
def test_constant_models_follow_time_alone(proc, mode, formula, power_w):
    rig = Rig(proc, mode=mode, cpu_formula=formula)
    rig.read()
    for ns in (S, 3 * MS, 0, 7):
        rig.run(ns)
        rig.read()
    assert rig.read("cpu-model") == int(power_w * (S + 3 * MS + 7) / 1000)


def test_machine_memory_draws_a_constant_power(machine):
    machine.run(3 * S)
    assert machine.read("ram-model") == 60_000_000


def test_fractions_of_a_microjoule_are_not_lost(proc):
    rig = Rig(proc, ram_w=0.001)
    rig.read()
    for _ in range(200):
        rig.run(123_457)  # 0.123457 uJ each
        rig.read()
    assert rig.read("ram-model") == 24


def test_process_memory_is_a_share_of_the_machine_s(tree):
    quarter = (1 << 28) // PAGE_BYTES
    tree.proc.add(101, tree.proc.top, rss=quarter)
    tree.proc.add(200, 1, rss=quarter)  # not ours
    tree.read()
    tree.run(4 * S)
    assert tree.read("ram-model") == 20_000_000
    tree.proc.add(102, 101, rss=quarter)
    tree.run(4 * S)
    assert tree.read("ram-model") == 50_000_000  # it grew somewhere in between: half way
    tree.proc.add(103, 101, rss=100 * quarter)
    tree.run(1)
    tree.read()
    tree.run(S)
    assert tree.read("ram-model") == 70_000_000  # pages shared by many never make it more than the machine


def test_memory_in_use_is_integrated(machine):
    machine.run(S)
    assert machine.read("util.ram_used") == (2 << 20) * 1000
    machine.proc.set_memory(total_kib=8 << 20, available_kib=4 << 20)
    machine.run(S)
    assert machine.read("util.ram_used") == (5 << 20) * 1000


@pytest.mark.parametrize(
    ("text", "code"),
    [("", errno.ENODATA), ("MemTotal: 5 kB\n", errno.ENODATA), ("MemTotal: x\nMemAvailable: 5 kB\n", errno.EINVAL)],
)
def test_garbage_for_memory_is_a_failed_reading(machine, text, code):
    (machine.proc.root / "meminfo").write_text(text)
    machine.run(S, busy=400)
    statuses = machine.statuses()
    assert statuses.pop("util.ram_used") == -code
    assert set(statuses.values()) == {0}


# --- process trees


def tree_ticks(rig):
    ns = rig.read("util.tree_cpu")
    assert ns % TICK_NS == 0
    return ns // TICK_NS


def test_time_before_the_first_reading_does_not_count(tree):
    tree.proc.use(tree.proc.top, 500)
    tree.proc.add(101, tree.proc.top, own=300, waited=200)
    assert tree_ticks(tree) == 0


def test_time_of_the_whole_tree_counts_and_that_of_others_does_not(tree):
    top = tree.proc.top
    tree.proc.add(101, top)
    tree.proc.add(102, 101)
    tree.proc.add(200, 1)
    tree.read()
    for pid, ticks in ((top, 1), (101, 10), (102, 100), (200, 1000)):
        tree.proc.use(pid, ticks)
    assert tree_ticks(tree) == 111
    assert tree_ticks(tree) == 111


def test_d08_child_that_lived_between_two_readings_counts(tree):
    tree.read()
    tree.proc.add(101, tree.proc.top, own=40)
    tree.proc.end(101, collected_by=tree.proc.top)
    assert tree_ticks(tree) == 40


def test_d08_first_sight_of_a_child_counts_all_its_time(tree):
    tree.read()
    tree.proc.add(101, tree.proc.top, own=30, waited=5)
    assert tree_ticks(tree) == 35


def test_child_that_ended_is_not_counted_twice(tree):
    tree.read()
    tree.proc.add(101, tree.proc.top, own=30)
    assert tree_ticks(tree) == 30
    tree.proc.use(101, 7)
    tree.proc.end(101, collected_by=tree.proc.top)
    assert tree_ticks(tree) == 37
    assert tree_ticks(tree) == 37


def test_branch_that_ended_between_two_readings_is_counted_once(tree):
    tree.read()
    tree.proc.add(101, tree.proc.top, own=10)
    tree.proc.add(102, 101, own=20)
    assert tree_ticks(tree) == 30
    tree.proc.use(102, 5)
    tree.proc.end(102, collected_by=101)
    tree.proc.use(101, 1)
    tree.proc.end(101, collected_by=tree.proc.top)
    assert tree_ticks(tree) == 36


def test_child_whose_time_is_collected_late_is_not_counted_twice(tree):
    tree.read()
    tree.proc.add(101, tree.proc.top, own=30)
    tree.read()
    tree.proc.use(101, 2)
    # The parent was read before it reaped, the child was looked for after it was gone.
    gone = tree.proc.processes[101].own
    tree.proc.end(101)
    tree.proc.use(tree.proc.top, 100)
    assert tree_ticks(tree) == 130
    tree.proc.processes[tree.proc.top].waited += gone
    tree.proc.use(tree.proc.top, 1)
    assert tree_ticks(tree) == 133


def test_time_that_nobody_collects_stays_counted(tree):
    tree.read()
    tree.proc.add(101, tree.proc.top, own=30)
    tree.read()
    tree.proc.end(101)  # SIGCHLD ignored: the kernel reaps, and no parent sees the time
    assert tree_ticks(tree) == 30
    tree.read()
    # Much later another child comes and goes, and its time is its own, but for two ticks of rounding.
    tree.proc.add(102, tree.proc.top, own=50)
    tree.proc.end(102, collected_by=tree.proc.top)
    assert 78 <= tree_ticks(tree) <= 80


def test_orphan_that_leaves_the_tree_takes_nothing_with_it(tree):
    tree.read()
    tree.proc.add(101, tree.proc.top, own=10)
    tree.proc.add(102, 101, own=20)
    tree.read()
    tree.proc.end(101, collected_by=tree.proc.top)
    assert tree_ticks(tree) == 30
    tree.proc.use(102, 1000)
    assert tree_ticks(tree) == 30


def test_pid_that_came_back_is_another_process(tree):
    tree.read()
    tree.proc.add(101, tree.proc.top, own=50, start=2000)
    tree.read()
    tree.proc.end(101, collected_by=tree.proc.top)
    tree.proc.add(101, tree.proc.top, own=3, start=3000)
    assert tree_ticks(tree) == 53


@pytest.mark.parametrize("name", ["a b", "evil) R 1 2 3", "()", "x" * 15, "(((", "é\n"])
def test_name_of_a_process_may_hold_anything(tree, name):
    tree.read()
    tree.proc.add(101, tree.proc.top, own=30, name=name)
    tree.proc.add(102, 101, own=4)
    assert tree_ticks(tree) == 34


def test_children_of_every_thread_are_found(tree):
    top = tree.proc.processes[tree.proc.top]
    top.threads = 3
    top.child_threads = {101: tree.proc.top + 50_000, 102: tree.proc.top + 50_001}
    tree.proc.add(101, tree.proc.top)
    tree.proc.add(102, tree.proc.top)
    tree.read()
    tree.proc.use(101, 1)
    tree.proc.use(102, 10)
    assert tree_ticks(tree) == 11


def test_long_lists_of_children_are_read_to_the_end(tmp_path):
    proc = FakeProc(tmp_path / "proc")
    rig = Rig(proc, mode="process")
    rig.read()
    proc.add(30_000_001, proc.top, own=7)
    children = proc.root / str(proc.top) / "task" / str(proc.top) / "children"
    # Pids of processes that are gone already, more than one batch of them, and the living one last.
    children.write_text("".join(f"{pid} " for pid in range(10_000_000, 10_005_000)) + "30000001 ")
    assert tree_ticks(rig) == 7


def test_endless_tree_is_refused_instead_of_summed_in_part(tmp_path):
    proc = FakeProc(tmp_path / "proc")
    rig = Rig(proc, mode="process")
    rig.read()
    proc.add(101, proc.top, own=7)
    (proc.root / "101" / "task" / "101" / "children").write_text("101 101 ")
    assert rig.statuses() == {
        "cpu-model": -errno.E2BIG, "ram-model": -errno.E2BIG, "util.cpu": 0, "util.ram_used": 0,
        "util.tree_cpu": -errno.E2BIG,
    }  # fmt: skip


def test_process_met_twice_counts_once(tmp_path):
    proc = FakeProc(tmp_path / "proc")
    rig = Rig(proc, mode="process")
    rig.read()
    proc.add(101, proc.top)
    proc.add(102, 101, own=9, rss=1)
    # It changed parents during the walk: both list it.
    (proc.root / str(proc.top) / "task" / str(proc.top) / "children").write_text("101 102 ")
    assert tree_ticks(rig) == 9


@pytest.mark.parametrize("readings", [1, 2, 5, 100])
def test_d08_energy_of_a_process_does_not_depend_on_the_interval(tree, readings):
    tree.read()
    for _ in range(readings):
        tree.proc.use(tree.proc.top, 1000 // readings)
        tree.run(10 * S // readings)
        tree.read()
    # 10 s of one processor out of four at 100 W.
    assert tree.read("cpu-model") == 250_000_000


def test_process_energy_is_proportional_to_its_time_without_a_floor(tree):
    tree.read()
    tree.run(10 * S, busy=4000)
    assert tree.read("cpu-model") == 0
    assert tree.read("util.cpu") == 10 * S


def test_dead_top_is_a_failed_reading(proc):
    fault = Fault("pread", path="*/100/stat", first=3, errno=errno.ESRCH)
    rig = Rig(proc, faults=[fault], mode="process")
    rig.read()
    rig.read()
    assert rig.statuses()["cpu-model"] == -errno.ESRCH


def test_top_whose_pid_went_to_another_process_is_a_failed_reading(proc):
    rig = Rig(proc, mode="process")
    rig.read()
    proc.processes[proc.top].start += 1
    proc.use(proc.top, 99)
    assert rig.statuses()["cpu-model"] == -errno.ESRCH


@pytest.mark.parametrize(
    "text", ["", "100", "100 (python", "100 (python) S 1 2 3\n", "x (python) S 1\n", "100 (a) S -\n"]
)
def test_garbage_for_a_process_is_a_failed_reading(proc, text):
    rig = Rig(proc, mode="process")
    rig.read()
    (proc.root / "100" / "stat").write_text(text)
    assert rig.statuses()["util.tree_cpu"] == -errno.EINVAL


def test_another_process_can_be_the_top(tree):
    tree.proc.add(700, 1)
    rig = Rig(tree.proc, mode="process", pid=700)
    rig.read()
    tree.proc.use(tree.proc.top, 1000)
    tree.proc.use(700, 5)
    assert tree_ticks(rig) == 5


# --- opening and closing


@pytest.mark.parametrize(("mode", "name"), [("machine", "stat"), ("process", "self/stat")])
def test_model_without_its_file_is_refused_by_name(tmp_path, mode, name):
    (tmp_path / "meminfo").write_text("MemTotal: 5 kB\nMemAvailable: 2 kB\n")
    before = count_descriptors()
    with pytest.raises(FileNotFoundError) as caught:
        LoadSource(tmp_path, mode=mode, cpu_formula="load", p_max_w=10, ram_w=1, ram_total_bytes=5120, cpu_count=1)
    assert caught.value.filename == str(tmp_path / name)
    assert count_descriptors() == before


def test_unknown_pid_is_refused_by_name(proc):
    with pytest.raises(FileNotFoundError) as caught:
        Rig(proc, mode="process", pid=4242)
    assert caught.value.filename == str(proc.root / "4242" / "stat")


def test_constant_models_need_no_procfs(tmp_path):
    source = LoadSource(tmp_path / "none", mode="machine", cpu_formula="fixed", p_max_w=10, ram_w=1, cpu_count=1)
    assert [status for _, status in source.read()] == [0, 0, *[-errno.ENOENT] * 3]


def test_unwanted_models_have_no_channel(proc):
    rig = Rig(proc, p_max_w=None, ram_w=None)
    assert list(rig.read()) == ["util.cpu", "util.ram_used", "util.tree_cpu"]
    assert [channel.domain for channel in Rig(proc).source.channels] == [
        "cpu", "ram", "util.cpu", "util.ram_used", "util.tree_cpu",
    ]  # fmt: skip


def test_file_that_comes_back_is_opened_again_and_nothing_restarts(proc):
    (proc.root / "meminfo").rename(proc.root / "away")
    rig = Rig(proc)
    rig.read()
    rig.run(S, busy=400)
    assert rig.statuses() == {
        "cpu-model": 0, "ram-model": 0, "util.cpu": 0, "util.ram_used": -errno.ENOENT, "util.tree_cpu": 0,
    }  # fmt: skip
    with pytest.raises(FileNotFoundError):
        rig.source.reopen()
    (proc.root / "away").rename(proc.root / "meminfo")
    rig.source.reopen()
    assert rig.read("util.ram_used") == 0
    rig.run(S, busy=400)
    assert rig.read("util.ram_used") == (2 << 20) * 1000
    assert rig.read("cpu-model") == 200_000_000


def test_too_many_open_files_is_a_clean_error(proc):
    before = count_descriptors()
    with one_descriptor_left(), pytest.raises(OSError) as caught:
        Rig(proc, mode="process")
    assert caught.value.errno == errno.EMFILE
    assert count_descriptors() == before


def test_descriptors_are_kept_not_made(proc):
    proc.add(101, proc.top)
    before = count_descriptors()
    rig = Rig(proc)
    for _ in range(10):
        rig.read()
    assert count_descriptors() == before + 3
    assert rig.source.close() is None
    rig.source.close()
    assert count_descriptors() == before
    with pytest.raises(ValueError, match="closed"):
        rig.source.read()


def test_dropping_the_last_reference_closes(proc):
    before = count_descriptors()
    for _ in range(20):
        Rig(proc).read()
    assert count_descriptors() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "node"}, "mode"),
        ({"cpu_formula": "linear"}, "cpu_formula"),
        ({"cpu_count": 0}, "cpu_count"),
        ({"p_max_w": -1}, "p_max_w"),
        ({"p_max_w": float("nan")}, "p_max_w"),
        ({"ram_w": float("inf")}, "ram_w"),
        ({"mode": "process", "ram_total_bytes": 0}, "ram_total_bytes"),
    ],
)
def test_bad_arguments_are_named(proc, options, message):
    with pytest.raises(ValueError, match=message):
        Rig(proc, **options)


def test_path_too_long_for_the_walk_is_refused():
    with pytest.raises(ValueError, match="too long"):
        LoadSource("/" + "x" * 500, mode="machine", cpu_formula="fixed", p_max_w=1, ram_w=1, cpu_count=1)


# --- this machine


def open_real(mode):
    return LoadSource(
        "/proc", mode=mode, cpu_formula="load", p_max_w=100, ram_w=10, ram_total_bytes=1 << 40,
        cpu_count=os.cpu_count() or 1,
    )  # fmt: skip


def tree_s(source):
    raw, status = source.read()[-1]
    assert status == 0
    return raw / S


BURN = "import time\nend = time.process_time() + {}\nwhile time.process_time() < end: pass"


def test_d08_short_children_are_counted_to_the_millisecond():
    source = open_real("process")
    before_s = tree_s(source)
    usage = os.times()
    children = [subprocess.Popen([sys.executable, "-S", "-c", BURN.format(0.08)]) for _ in range(8)]
    for child in children:
        child.wait()
        tree_s(source)  # readings in between change nothing
    counted_s = tree_s(source) - before_s
    own = os.times()
    expected_s = own.children_user + own.children_system - usage.children_user - usage.children_system
    own_s = own.user + own.system - usage.user - usage.system
    assert expected_s >= 8 * 0.08
    # os.times() itself counts own time in ticks, and the clock has gone on since.
    assert counted_s == pytest.approx(expected_s + own_s, abs=0.05)


def test_d08_command_of_a_millisecond_counts():
    source = open_real("process")
    before_s = tree_s(source)
    subprocess.run(["true"], check=True)
    assert tree_s(source) > before_s
    cpu = source.read()[0]
    assert cpu[0] > 0


def test_own_time_is_the_scheduler_s_to_the_microsecond():
    source = open_real("process")
    before_s, clock_s = tree_s(source), time.process_time()
    end_s = clock_s + 0.02
    while time.process_time() < end_s:
        pass
    used_s = time.process_time() - clock_s
    assert tree_s(source) - before_s >= used_s
    assert tree_s(source) - before_s < used_s + 0.02


def test_grandchildren_count_while_they_run():
    source = open_real("process")
    before_s = tree_s(source)
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {BURN.format(0.3)!r}])"
    with subprocess.Popen([sys.executable, "-c", script]) as child:
        end_s = time.monotonic() + 30
        while tree_s(source) - before_s < 0.2 and child.poll() is None:
            assert time.monotonic() < end_s
            time.sleep(0.01)
        assert child.poll() is None, "the time was seen only after the end"
    counted_s = tree_s(source) - before_s
    assert counted_s >= 0.3


def test_real_machine_is_readable_and_sane():
    source = open_real("machine")
    first = source.read()
    assert {status for _, status in first} == {0}
    assert {raw for raw, _ in first} == {0}
    time.sleep(0.05)
    start_ns = time.monotonic_ns()
    (cpu_uj, _), _, (busy_ns, _), (kib_ms, _), _ = second = source.read()
    assert {status for _, status in second} == {0}
    assert cpu_uj >= 0.05 * 0.1 * 100e6
    assert 0 <= busy_ns < start_ns
    assert kib_ms > 0
