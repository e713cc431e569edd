"""LoadSource on process trees: in virtual time, and a few truths about this very machine."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import time

import pytest

from codecarbon._sensors import Fault, LoadSource
from tests.support.fake_proc import FakeProc
from tests.support.load_rig import Rig, S


@pytest.fixture
def proc(tmp_path):
    return FakeProc(tmp_path / "proc")


@pytest.fixture(params=[True, False], ids=["children-files", "scan"])
def tree(request, tmp_path):
    """A rig in process mode, over both ways of finding children."""
    return Rig(FakeProc(tmp_path / "proc", has_children_files=request.param), mode="process")


# --- process trees


def test_time_before_the_first_reading_does_not_count(tree):
    tree.proc.use(tree.proc.top, 500)
    tree.proc.add(101, tree.proc.top, own=300, waited=200)
    assert tree.tree_ticks() == 0


def test_time_of_the_whole_tree_counts_and_that_of_others_does_not(tree):
    top = tree.proc.top
    tree.proc.add(101, top)
    tree.proc.add(102, 101)
    tree.proc.add(200, 1)
    tree.read()
    for pid, ticks in ((top, 1), (101, 10), (102, 100), (200, 1000)):
        tree.proc.use(pid, ticks)
    assert tree.tree_ticks() == 111
    assert tree.tree_ticks() == 111


def test_d08_child_that_lived_between_two_readings_counts(tree):
    tree.read()
    tree.proc.add(101, tree.proc.top, own=40)
    tree.proc.end(101, collected_by=tree.proc.top)
    assert tree.tree_ticks() == 40


def test_d08_first_sight_of_a_child_counts_all_its_time(tree):
    tree.read()
    tree.proc.add(101, tree.proc.top, own=30, waited=5)
    assert tree.tree_ticks() == 35


def test_child_that_ended_is_not_counted_twice(tree):
    tree.read()
    tree.proc.add(101, tree.proc.top, own=30)
    assert tree.tree_ticks() == 30
    tree.proc.use(101, 7)
    tree.proc.end(101, collected_by=tree.proc.top)
    assert tree.tree_ticks() == 37
    assert tree.tree_ticks() == 37


def test_branch_that_ended_between_two_readings_is_counted_once(tree):
    tree.read()
    tree.proc.add(101, tree.proc.top, own=10)
    tree.proc.add(102, 101, own=20)
    assert tree.tree_ticks() == 30
    tree.proc.use(102, 5)
    tree.proc.end(102, collected_by=101)
    tree.proc.use(101, 1)
    tree.proc.end(101, collected_by=tree.proc.top)
    assert tree.tree_ticks() == 36


def test_child_whose_time_is_collected_late_is_not_counted_twice(tree):
    tree.read()
    tree.proc.add(101, tree.proc.top, own=30)
    tree.read()
    tree.proc.use(101, 2)
    # The parent was read before it reaped, the child was looked for after it was gone.
    gone = tree.proc.processes[101].own
    tree.proc.end(101)
    tree.proc.use(tree.proc.top, 100)
    assert tree.tree_ticks() == 130
    tree.proc.processes[tree.proc.top].waited += gone
    tree.proc.use(tree.proc.top, 1)
    assert tree.tree_ticks() == 133


def test_time_that_nobody_collects_stays_counted(tree):
    tree.read()
    tree.proc.add(101, tree.proc.top, own=30)
    tree.read()
    tree.proc.end(101)  # SIGCHLD ignored: the kernel reaps, and no parent sees the time
    assert tree.tree_ticks() == 30
    tree.read()
    # Much later another child comes and goes, and its time is its own, but for two ticks of rounding.
    tree.proc.add(102, tree.proc.top, own=50)
    tree.proc.end(102, collected_by=tree.proc.top)
    assert 78 <= tree.tree_ticks() <= 80


def test_orphan_that_leaves_the_tree_takes_nothing_with_it(tree):
    tree.read()
    tree.proc.add(101, tree.proc.top, own=10)
    tree.proc.add(102, 101, own=20)
    tree.read()
    tree.proc.end(101, collected_by=tree.proc.top)
    assert tree.tree_ticks() == 30
    tree.proc.use(102, 1000)
    assert tree.tree_ticks() == 30


def test_pid_that_came_back_is_another_process(tree):
    tree.read()
    tree.proc.add(101, tree.proc.top, own=50, start=2000)
    tree.read()
    tree.proc.end(101, collected_by=tree.proc.top)
    tree.proc.add(101, tree.proc.top, own=3, start=3000)
    assert tree.tree_ticks() == 53


@pytest.mark.parametrize("name", ["a b", "evil) R 1 2 3", "()", "x" * 15, "(((", "é\n"])
def test_name_of_a_process_may_hold_anything(tree, name):
    tree.read()
    tree.proc.add(101, tree.proc.top, own=30, name=name)
    tree.proc.add(102, 101, own=4)
    assert tree.tree_ticks() == 34


def test_children_of_every_thread_are_found(tree):
    top = tree.proc.processes[tree.proc.top]
    top.threads = 3
    top.child_threads = {101: tree.proc.top + 50_000, 102: tree.proc.top + 50_001}
    tree.proc.add(101, tree.proc.top)
    tree.proc.add(102, tree.proc.top)
    tree.read()
    tree.proc.use(101, 1)
    tree.proc.use(102, 10)
    assert tree.tree_ticks() == 11


def test_long_lists_of_children_are_read_to_the_end(tmp_path):
    proc = FakeProc(tmp_path / "proc")
    rig = Rig(proc, mode="process")
    rig.read()
    proc.add(30_000_001, proc.top, own=7)
    children = proc.root / str(proc.top) / "task" / str(proc.top) / "children"
    # Pids of processes that are gone already, more than one batch of them, and the living one last.
    children.write_text("".join(f"{pid} " for pid in range(10_000_000, 10_005_000)) + "30000001 ")
    assert rig.tree_ticks() == 7


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
    assert rig.tree_ticks() == 9


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
    assert rig.tree_ticks() == 5


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


def test_d08_commands_of_a_millisecond_count():
    source = open_real("process")

    def own_and_children_s():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + usage.ru_utime + usage.ru_stime

    before_s, expected_s = tree_s(source), -own_and_children_s()
    for _ in range(10):
        subprocess.run(["true"], check=True)
    expected_s += own_and_children_s()
    assert tree_s(source) - before_s == pytest.approx(expected_s, abs=0.001)
    assert source.read()[0][0] > 0


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
