"""Tasks: nested, overlapping, reused, forgotten, and without a run around them."""

from __future__ import annotations

from uuid import UUID

import pytest

from codecarbon.tracker import tasks as tasks_module

KWH_J = 3.6e6


def kwh(power_w: float, seconds: float) -> float:
    return power_w * seconds / KWH_J


def test_task_result_covers_the_task_only(rig):
    tracker = rig.tracker()
    tracker.start()
    rig.pass_s(5)
    tracker.start_task("fit")
    rig.pass_s(3)
    data = tracker.stop_task("fit")
    rig.pass_s(7)
    tracker.stop()
    assert data.duration == pytest.approx(3)
    assert data.cpu_energy == pytest.approx(kwh(100, 3))
    assert data.energy_consumed == pytest.approx(kwh(110, 3))
    assert data.emissions == pytest.approx(kwh(110, 3) * 0.1)
    assert data.cpu_power == pytest.approx(100)
    assert data.run_id == str(tracker.run_id)
    assert tracker.final_emissions_data.duration == pytest.approx(15)


def test_brief_task_gets_the_same_figures_as_a_long_one(rig):
    tracker = rig.tracker(pue=1.5)
    tracker.start()
    tracker.start_task("brief")
    rig.pass_s(0.05)
    brief = tracker.stop_task()
    assert brief.energy_consumed == pytest.approx(1.5 * kwh(110, 0.05))
    assert brief.emissions == pytest.approx(1.5 * kwh(110, 0.05) * 0.1)
    assert brief.ram_power == pytest.approx(10)
    assert tracker.task_record("brief").emissions_g == pytest.approx(1000 * brief.emissions)


def test_d03_tasks_leave_the_run_alone(rig):
    tracker = rig.tracker()
    tracker.start()
    rig.pass_s(2)
    tracker.start_task("a")
    rig.pass_s(1)
    tracker.stop_task("a")
    rig.pass_s(3)
    tracker.start_task("b")
    rig.pass_s(1)
    tracker.stop_task("b")
    tracker.stop()
    assert tracker.final_emissions_data.duration == pytest.approx(7)
    assert tracker.final_emissions_data.energy_consumed == pytest.approx(kwh(110, 7))


def test_nested_tasks(rig):
    tracker = rig.tracker()
    tracker.start()
    tracker.start_task("outer")
    rig.pass_s(1)
    tracker.start_task("inner")
    rig.pass_s(2)
    inner = tracker.stop_task()
    rig.pass_s(4)
    outer = tracker.stop_task()
    assert inner.duration == pytest.approx(2)
    assert outer.duration == pytest.approx(7)


def test_overlapping_tasks(rig):
    tracker = rig.tracker()
    tracker.start()
    tracker.start_task("a")
    rig.pass_s(1)
    tracker.start_task("b")
    rig.pass_s(2)
    a = tracker.stop_task("a")
    rig.pass_s(4)
    b = tracker.stop_task("b")
    assert a.duration == pytest.approx(3)
    assert b.duration == pytest.approx(6)


def test_stop_task_without_a_name_ends_the_newest(rig):
    tracker = rig.tracker()
    tracker.start()
    tracker.start_task("old")
    tracker.start_task("new")
    tracker.stop_task()
    assert tracker._tasks["old"].is_active
    assert not tracker._tasks["new"].is_active


def test_d26_a_name_that_is_used_again_ends_by_that_name(rig):
    tracker = rig.tracker()
    tracker.start()
    tracker.start_task("epoch")
    rig.pass_s(1)
    tracker.stop_task("epoch")
    tracker.start_task("epoch")
    rig.pass_s(2)
    second = tracker.stop_task("epoch")
    assert second.duration == pytest.approx(2)
    first_name, second_name = tracker._tasks
    assert first_name == "epoch"
    assert second_name.startswith("epoch_")
    assert tracker._tasks["epoch"].emissions_data.duration == pytest.approx(1)


def test_d26_stopping_a_finished_task_again_returns_its_result(rig):
    tracker = rig.tracker()
    tracker.start()
    tracker.start_task("once")
    rig.pass_s(1)
    first = tracker.stop_task("once")
    rig.pass_s(1)
    assert tracker.stop_task("once") == first
    assert tracker._tasks["once"].emissions_data == first


def test_d26_task_rows_carry_utilisation(rig):
    tracker = rig.tracker()
    tracker.start()
    tracker.start_task("long")
    rig.pass_s(2)
    tracker.stop_task()
    tracker.start_task("brief")
    rig.pass_s(0.01)
    tracker.stop_task()
    tracker.stop()
    (rows, _) = rig.handler.tasks[-1]
    assert [(row.task_name, row.cpu_utilization_percent) for row in rows] == [("long", 50.0), ("brief", 50.0)]
    assert [row.ram_used_gb for row in rows] == [4.0, 4.0]


def test_same_name_open_twice_ends_the_inner_one_first(rig):
    tracker = rig.tracker()
    tracker.start()
    tracker.start_task("x")
    rig.pass_s(1)
    tracker.start_task("x")
    rig.pass_s(1)
    assert tracker.stop_task("x").duration == pytest.approx(1)
    assert tracker.stop_task("x").duration == pytest.approx(2)


@pytest.mark.parametrize("name", [None, "never started"])
def test_unknown_task_is_a_warning(rig, log, name):
    tracker = rig.tracker()
    tracker.start()
    assert tracker.stop_task(name) is None
    assert "There is no open task" in log.text


def test_stop_task_before_anything_is_a_warning(rig, log):
    assert rig.tracker().stop_task("x") is None
    assert "There is no open task named 'x'" in log.text


def test_tasks_without_a_run_are_the_run(rig):
    tracker = rig.tracker()
    for seconds in (1, 2):
        tracker.start_task()
        rig.pass_s(seconds)
        tracker.stop_task()
        rig.pass_s(100)
    tracker.stop()
    assert tracker.final_emissions_data.duration == pytest.approx(3)
    assert tracker.final_emissions_data.energy_consumed == pytest.approx(kwh(110, 3))


def test_overlapping_tasks_without_a_run_count_once(rig):
    tracker = rig.tracker()
    tracker.start_task("a")
    rig.pass_s(1)
    tracker.start_task("b")
    rig.pass_s(1)
    tracker.stop_task("a")
    rig.pass_s(1)
    tracker.stop_task("b")
    rig.pass_s(50)
    tracker.stop()
    assert tracker.final_emissions_data.duration == pytest.approx(3)


def test_start_after_tasks_covers_everything_from_there(rig):
    tracker = rig.tracker()
    tracker.start_task("warm-up")
    rig.pass_s(1)
    tracker.stop_task()
    rig.pass_s(10)
    tracker.start()
    rig.pass_s(2)
    tracker.stop()
    assert tracker.final_emissions_data.duration == pytest.approx(3)


def test_stop_ends_open_tasks(rig):
    tracker = rig.tracker()
    tracker.start()
    tracker.start_task("a")
    rig.pass_s(1)
    tracker.start_task("b")
    rig.pass_s(1)
    tracker.stop()
    (rows, experiment_name) = rig.handler.tasks[-1]
    assert [(row.task_name, row.duration) for row in rows] == [("a", pytest.approx(2)), ("b", pytest.approx(1))]
    assert experiment_name == "base"
    assert rig.session.holds == 0


def test_tasks_after_stop_extend_the_run(rig):
    tracker = rig.tracker()
    tracker.start()
    rig.pass_s(1)
    tracker.stop()
    tracker.start_task("late")
    rig.pass_s(2)
    tracker.stop_task("late")
    rig.pass_s(2)
    tracker.stop()
    assert tracker.final_emissions_data.duration == pytest.approx(3)


def test_task_energy_sums_exactly_to_the_run(rig):
    rig.session.power_w["cpu"] = 73.123456
    tracker = rig.tracker()
    tracker.start()
    for seconds in (0.000123, 1.234567, 0.000001, 2.5):
        tracker.start_task()
        rig.pass_s(seconds)
        tracker.stop_task()
    tracker.stop()
    parts_uj = [tracker.task_record(name).window.component("cpu").channels[0].energy_uj for name in tracker._tasks]
    assert sum(parts_uj) == tracker.final_record.window.component("cpu").channels[0].energy_uj


def test_d10_flush_works_while_tasks_are_open_and_after_them(rig):
    tracker = rig.tracker(experiment_name="exp")
    tracker.start()
    tracker.start_task("done")
    rig.pass_s(1)
    tracker.stop_task()
    tracker.start_task("open")
    rig.pass_s(1)
    assert tracker.flush() == pytest.approx(kwh(110, 2) * 0.1)
    (rows, experiment_name) = rig.handler.tasks[-1]
    assert [row.task_name for row in rows] == ["done"]
    assert experiment_name == "exp"
    assert len(rig.handler.outs) == 1


def test_live_reports_during_a_task_do_not_change_it(rig):
    tracker = rig.tracker(api_call_interval=1)
    tracker.start()
    tracker.start_task("fit")
    for _ in range(5):
        rig.pass_s(1)
        tracker._measure_power_and_energy()
    assert tracker.stop_task().energy_consumed == pytest.approx(kwh(110, 5))


def test_result_is_provisional_first_and_settled_in_every_output(rig):
    tracker = rig.tracker()
    tracker.start()
    tracker.start_task("fit")
    rig.pass_s(1)
    rig.session.settled_ns = 0
    at_once = tracker.stop_task()
    rig.session.power_w["cpu"] = 50.0  # later samples tell another story
    rig.session.settled_ns = None
    assert at_once.cpu_energy == pytest.approx(kwh(100, 1))
    assert tracker._tasks["fit"].emissions_data.cpu_power == pytest.approx(50)
    settled = tracker._tasks["fit"].emissions_data
    assert tracker._tasks["fit"].emissions_data is settled


def test_backlog_of_unsettled_tasks_does_not_grow(rig):
    tracker = rig.tracker()
    tracker.start()
    rig.session.settled_ns = 0
    for _ in range(100):
        tracker.start_task()
        rig.pass_s(0.001)
        tracker.stop_task()
    assert tracker._run.tasks.unsettled_count == 100
    rig.session.settled_ns = None
    for _ in range(100):
        tracker.start_task()
        tracker.stop_task()
    assert tracker._run.tasks.unsettled_count <= tasks_module.SKIPPED_STOPS


def test_old_tasks_fold_into_sums_per_name(rig, monkeypatch):
    tracker = rig.tracker()
    tracker.start()
    tracker._run.tasks._kept = 3
    for number in range(5):
        tracker.start_task("step")
        rig.pass_s(number + 1)
        tracker.stop_task("step")
    assert len(tracker._tasks) == 3
    folded = tracker.task_totals["step"]
    assert folded.count == 2
    assert folded.duration_s == pytest.approx(1 + 2)
    assert folded.energy_kwh == pytest.approx(kwh(110, 3))
    tracker.stop()
    assert tracker.final_emissions_data.duration == pytest.approx(15)
    assert tasks_module.KEPT_TASKS == 10_000


def test_very_many_tasks_without_a_run_are_folded_exactly(rig):
    tracker = rig.tracker()
    count = 2000
    for _ in range(count):
        tracker.start_task("step")
        rig.pass_s(0.5)
        tracker.stop_task("step")
        rig.pass_s(0.25)
    tracker._reports.fold()
    assert len(tracker._run.ledger._stretches) < 1024
    tracker.start_task("last")
    rig.pass_s(1)
    tracker.stop()
    data = tracker.final_emissions_data
    assert data.duration == pytest.approx(count * 0.5 + 1)
    assert data.energy_consumed == pytest.approx(kwh(110, count * 0.5 + 1))
    assert data.emissions == pytest.approx(0.1 * data.energy_consumed)
    priced_j = sum(slot.energy_j for slot in tracker.final_record.priced)
    assert priced_j == pytest.approx(tracker.final_record.window.energy_j)
    # 2000 × 0.75 s are five slots
    assert [slot.start_unix_s % 300 for slot in tracker.final_record.priced] == [0] * 6


def test_unnamed_tasks_have_names_of_their_own(rig):
    tracker = rig.tracker()
    tracker.start()
    tracker.start_task()
    tracker.start_task("")
    assert len(set(tracker._tasks)) == 2
    assert {str(UUID(name)) for name in tracker._tasks} == set(tracker._tasks)


def test_task_from_another_module_path(rig):
    tracker = rig.tracker()
    tracker.start()
    tracker.start_task("fit")
    rig.pass_s(1)
    tracker.stop_task()
    row = tracker._tasks["fit"].out()
    assert row.task_name == "fit"
    assert row.duration == pytest.approx(1)
