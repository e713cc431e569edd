"""Runs: start, stop, flush, again, and in the wrong order."""

from __future__ import annotations

import pytest

KWH_J = 3.6e6


def test_run_from_start_to_stop(rig):
    tracker = rig.tracker()
    tracker.start()
    rig.pass_s(36)
    emissions_kg = tracker.stop()
    # 110 W for 36 s at 100 g/kWh
    assert emissions_kg == pytest.approx(110 * 36 / KWH_J * 0.1)
    assert tracker.final_emissions == emissions_kg
    data = tracker.final_emissions_data
    assert data.duration == pytest.approx(36)
    assert data.cpu_energy == pytest.approx(100 * 36 / KWH_J)
    assert data.ram_energy == pytest.approx(10 * 36 / KWH_J)
    assert data.energy_consumed == pytest.approx(110 * 36 / KWH_J)
    assert data.emissions_rate == pytest.approx(emissions_kg / 36)
    assert tracker.final_record.window.component("cpu").method == "measured"
    assert [total.emissions for total, _ in rig.handler.outs] == [emissions_kg]
    assert rig.handler.exits == 1


def test_start_twice_warns_and_changes_nothing(rig, log):
    tracker = rig.tracker()
    tracker.start()
    rig.pass_s(1)
    tracker.start()
    assert "Already started tracking" in log.text
    rig.pass_s(1)
    tracker.stop()
    assert tracker.final_emissions_data.duration == pytest.approx(2)
    assert rig.session.calls.count("start") == 1


@pytest.mark.parametrize("action", ["stop", "flush"])
def test_stop_and_flush_before_start_say_so(rig, log, action):
    tracker = rig.tracker()
    assert getattr(tracker, action)() is None
    assert "You first need to start the tracker." in log.text
    assert tracker.final_emissions is None
    assert rig.handler.outs == []


def test_d29_second_stop_returns_the_same_and_writes_nothing(rig):
    tracker = rig.tracker()
    tracker.start()
    rig.pass_s(5)
    first = tracker.stop()
    rig.pass_s(5)
    assert tracker.stop() == first
    assert len(rig.handler.outs) == 1
    assert rig.handler.exits == 1


def test_flush_after_stop_returns_the_same_and_writes_nothing(rig):
    tracker = rig.tracker()
    tracker.start()
    rig.pass_s(5)
    first = tracker.stop()
    assert tracker.flush() == first
    assert len(rig.handler.outs) == 1


def test_d30_restart_adds_a_segment_and_leaves_the_pause_out(rig):
    tracker = rig.tracker()
    tracker.start()
    rig.pass_s(10)
    first = tracker.stop()
    run_id = tracker.run_id
    rig.pass_s(1000)
    tracker.start()
    rig.pass_s(20)
    second = tracker.stop()
    assert tracker.run_id == run_id
    assert second == pytest.approx(3 * first)
    assert tracker.final_emissions_data.duration == pytest.approx(30)
    assert [total.duration for total, _ in rig.handler.outs] == [pytest.approx(10), pytest.approx(30)]
    assert {total.run_id for total, _ in rig.handler.outs} == {str(run_id)}


def test_d35_flush_returns_cumulative_kg_and_hands_out_differences(rig):
    tracker = rig.tracker()
    tracker.start()
    rig.pass_s(10)
    flushed = tracker.flush()
    rig.pass_s(30)
    stopped = tracker.stop()
    assert stopped == pytest.approx(4 * flushed)
    (total_1, delta_1), (total_2, delta_2) = rig.handler.outs
    assert delta_1.emissions == total_1.emissions == flushed
    assert delta_2.emissions == pytest.approx(total_2.emissions - total_1.emissions)
    assert delta_2.duration == pytest.approx(30)
    assert total_2.duration == pytest.approx(40)


def test_context_manager_stops_after_an_exception_and_lets_it_pass(rig):
    def fail() -> None:
        rig.pass_s(2)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"), rig.tracker() as tracker:
        fail()
    assert tracker.final_emissions > 0
    assert len(rig.handler.outs) == 1


def test_service_shutdown_stops(rig):
    tracker = rig.tracker()
    tracker.start()
    rig.pass_s(1)
    tracker.service_shutdown(15, None)
    assert tracker.final_emissions > 0


def test_pue_and_wue(rig):
    tracker = rig.tracker(pue=2.0, wue=3.0)
    tracker.start()
    rig.pass_s(36)
    tracker.stop()
    data = tracker.final_emissions_data
    assert data.cpu_energy == pytest.approx(2 * 100 * 36 / KWH_J)
    assert data.energy_consumed == pytest.approx(2 * 110 * 36 / KWH_J)
    assert data.cpu_power == pytest.approx(100)  # before PUE
    assert data.water_consumed == pytest.approx(3 * data.energy_consumed)  # after PUE
    assert data.emissions == pytest.approx(0.1 * data.energy_consumed)
    assert (data.pue, data.wue) == (2.0, 3.0)


def test_live_reports_come_every_second_measurement(rig):
    tracker = rig.tracker(api_call_interval=2, project_name="live")
    tracker.start()
    rig.pass_s(3)
    tracker.stop()
    ((total, _),) = rig.handler.lives
    assert total.project_name == "live"
    assert total.emissions > 0
    assert len(rig.handler.outs) == 1


def test_differences_over_all_reports_sum_to_the_whole(rig):
    tracker = rig.tracker(api_call_interval=1)
    tracker.start()
    for seconds in (1, 2, 3):
        rig.pass_s(seconds)
        tracker._measure_power_and_energy()
    tracker.flush()
    rig.pass_s(4)
    tracker.stop()
    deltas = [delta for _, delta in rig.handler.lives + rig.handler.outs]
    assert sum(delta.energy_consumed for delta in deltas) == pytest.approx(tracker.final_emissions_data.energy_consumed)
    assert sum(delta.duration for delta in deltas) == pytest.approx(10)


def test_missing_part_is_named_once(rig, log):
    rig.session.power_w["ram"] = None
    tracker = rig.tracker()
    tracker.start()
    rig.pass_s(1)
    tracker.flush()
    tracker.stop()
    assert [record.message for record in log.records if "no counter is live" in record.message] == [
        "Not in the figures: ram: no counter is live"
    ]
    assert tracker.final_record.window.component("ram").energy_j is None
    assert tracker.final_emissions_data.ram_energy == 0.0


def test_energy_between_marks_and_datetimes(rig):
    tracker = rig.tracker()
    tracker.start()
    begin = tracker.mark()
    rig.pass_s(4)
    end = tracker.mark()
    rig.pass_s(4)
    assert tracker.energy(begin, end).window.energy_j == pytest.approx(440)
    assert tracker.energy(begin).window.energy_j == pytest.approx(880)
    record = tracker.energy(begin, end)
    assert tracker.energy(record.window.start_utc, record.window.end_utc).window.energy_j == pytest.approx(440)
    with tracker.window("part") as part:
        rig.pass_s(2)
        assert part.record is None
    assert part.record.window.energy_j == pytest.approx(220)
    assert part.record.emissions_g == pytest.approx(220 / KWH_J * 100)
    assert rig.session.holds == 0


def test_marks_without_a_run_are_none(rig):
    tracker = rig.tracker()
    assert tracker.mark() is None
    assert tracker.energy(tracker.mark(), tracker.mark()) is None
    with tracker.window() as part:
        pass
    assert part.record is None


def test_backward_window_is_logged_not_raised(rig, log):
    tracker = rig.tracker()
    tracker.start()
    begin = tracker.mark()
    rig.pass_s(1)
    assert tracker.energy(tracker.mark(), begin) is None
    assert "ends before it starts" in log.text


def test_d05_power_columns_are_the_energy_of_the_same_time(rig):
    tracker = rig.tracker()
    tracker.start()
    for seconds in (0.4, 15, 3):  # the first is shorter than any period
        rig.pass_s(seconds)
        tracker.flush()
    tracker.stop()
    for total, delta in rig.handler.outs:
        for data in (total, delta):
            for part, power_w in (("cpu", 100), ("ram", 10)):
                if data.duration:
                    assert getattr(data, f"{part}_power") == pytest.approx(power_w)
                energy_kwh = getattr(data, f"{part}_power") * data.duration / KWH_J
                assert getattr(data, f"{part}_energy") == pytest.approx(energy_kwh)
    assert [total.duration for total, _ in rig.handler.outs] == [pytest.approx(s) for s in (0.4, 15.4, 18.4, 18.4)]


def test_d11_time_that_outputs_take_is_not_in_the_run(rig):
    class Slow:
        def out(self, total, delta):
            rig.pass_s(4)

    tracker = rig.tracker(output_handlers=[Slow(), rig.handler])
    tracker.start()
    rig.pass_s(1)
    tracker.stop()
    assert [total.duration for total, _ in rig.handler.outs] == [pytest.approx(1)]
    assert tracker.final_emissions_data.duration == pytest.approx(1)
    assert tracker.final_emissions_data.cpu_energy == pytest.approx(100 / KWH_J)
