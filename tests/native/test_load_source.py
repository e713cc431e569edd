"""LoadSource: machine load, constants and memory in virtual time; opening and closing."""

from __future__ import annotations

import errno

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codecarbon._sensors import Fault, LoadSource
from tests.support.fake_proc import PAGE_BYTES, FakeProc
from tests.support.limits import count_descriptors, one_descriptor_left
from tests.support.load_rig import MS, P_MAX_W, Rig, S


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
