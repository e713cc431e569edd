"""Whatever fails, the program goes on, the log says so once, and what is known is kept."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap

import pytest

from codecarbon import OfflineEmissionsTracker
from codecarbon.errors import ConfigError
from codecarbon.handlers import Lock
from codecarbon.tracker.guard import Shield
from tests.support.fake_session import FakeSession


@pytest.mark.parametrize("part", ["start", "stop", "window", "joules", "tick"])
def test_d27_failures_inside_never_reach_the_program(rig, log, part):
    tracker = rig.tracker()
    rig.session.failing.add(part)
    tracker.start()
    rig.pass_s(1)
    tracker.start_task("t")
    rig.pass_s(0.01)
    tracker.stop_task("t")
    tracker.flush()
    tracker.stop()
    assert tracker.is_degraded
    assert f"{part} fails because the test says so" in log.text
    assert hasattr(tracker, "final_emissions")


def test_a_fault_is_logged_once_with_its_traceback(rig, log):
    tracker = rig.tracker()
    tracker.start()
    rig.session.failing.add("window")
    for _ in range(3):
        tracker.flush()
    errors = [record for record in log.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert errors[0].exc_info is not None
    rig.session.failing.clear()


def test_start_that_fails_can_be_repeated(rig):
    tracker = rig.tracker()
    rig.session.failing.add("start")
    tracker.start()
    assert tracker.stop() is None
    rig.session.failing.clear()
    tracker.start()
    rig.pass_s(1)
    assert tracker.stop() > 0


def test_start_task_without_sensors_says_not_initialized(rig, log):
    tracker = rig.tracker()
    rig.session.failing.add("start")
    tracker.start_task("t")
    assert "Tracker not initialized" in log.text
    assert tracker.stop_task("t") is None


class BadHandler:
    """Fails in everything."""

    def out(self, total, delta):
        raise OSError("disk on fire")

    def live_out(self, total, delta):
        raise OSError("disk on fire")

    def task_out(self, data, experiment_name):
        raise OSError("disk on fire")

    def exit(self):
        raise OSError("disk on fire")


def test_d28_a_bad_handler_harms_nobody_else(rig, log):
    tracker = rig.tracker(output_handlers=[BadHandler(), rig.handler], api_call_interval=1)
    tracker.start()
    tracker.start_task("t")
    rig.pass_s(1)
    tracker.stop_task("t")
    emissions_kg = tracker.stop()
    assert emissions_kg > 0
    assert tracker.final_emissions == emissions_kg
    assert len(rig.handler.outs) == 1
    assert len(rig.handler.tasks) == 1
    assert rig.handler.exits == 1
    assert "disk on fire" in log.text
    assert tracker.is_degraded


def test_d39_the_callers_list_of_handlers_stays_as_it_is(rig, tmp_path):
    mine = [rig.handler]
    tracker = rig.tracker(output_handlers=mine, output_methods=["csv"], output_dir=tmp_path)
    assert mine == [rig.handler]
    assert tracker._output_handlers[0] is rig.handler
    assert len(tracker._output_handlers) == 2


@pytest.mark.parametrize(
    "options",
    [
        {"measure_power_secs": "soon"},
        {"tracking_mode": "cluster"},
        {"force_carbon_intensity_g_co2e_kwh": -1},
        {"output_methods": ["carrier pigeon"]},
        {"force_cpu_power": 1_000_001},
        {"force_ram_power": 1_000_001},
    ],
)
def test_bad_settings_raise_at_construction(rig, options):
    with pytest.raises(ConfigError):
        rig.tracker(**options)


def test_unknown_keyword_warns_once(rig, log):
    rig.tracker(no_such_option=1)
    rig.tracker(no_such_option=2)
    assert log.text.count("no_such_option") == 1


def test_d21_results_do_not_depend_on_outputs(rig):
    seen = []
    for handlers in ([], [rig.handler]):
        rig.session.is_running = False
        tracker = rig.tracker(output_handlers=handlers)
        tracker.start()
        rig.pass_s(10)
        tracker.stop()
        data = tracker.final_emissions_data
        seen.append((data.energy_consumed, data.cpu_utilization_percent))
    assert seen[0] == (pytest.approx(seen[1][0]), 50.0)


def test_shield_logs_once(log):
    def fail() -> None:
        raise ValueError("boom")

    shield = Shield(fail, "ticking")
    shield()
    shield()
    assert shield.is_degraded
    assert [record.levelname for record in log.records if "ticking" in record.message] == ["ERROR", "DEBUG"]


# --- one exclusive run -------------------------------------------------------------------------------------------


@pytest.fixture
def own_temp(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_second_exclusive_run_is_inert(rig, log, own_temp):
    first = rig.tracker(allow_multiple_runs=False)
    first.start()
    opened = []
    second = rig.tracker(
        allow_multiple_runs=False, _session_factory=lambda _settings: opened.append(1) or FakeSession()
    )
    with second:
        second.start_task("t")
        assert second.stop_task("t") is None
        assert second.flush() is None
        assert second.mark() is None
    assert second.final_emissions is None
    assert second.final_emissions_data is None
    assert second._another_instance_already_running
    assert second._tasks == {}
    assert second._conf["output_file"] == "emissions.csv"
    errors = [record.message for record in log.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert f"process {os.getpid()}" in errors[0]
    assert opened == []
    first.stop()
    second.start()
    assert opened == [1]
    assert not second._another_instance_already_running


def test_exclusive_lock_is_given_back_at_stop(rig, own_temp):
    tracker = rig.tracker(allow_multiple_runs=False)
    tracker.start()
    lock = Lock()
    with pytest.raises(FileExistsError):
        lock.acquire()
    tracker.stop()
    lock.acquire()
    lock.release()


def test_d32_the_lock_is_taken_at_start_not_at_construction(rig, own_temp):
    rig.tracker(allow_multiple_runs=False)
    other = rig.tracker(allow_multiple_runs=False)
    other.start()
    assert not other._another_instance_already_running


# --- processes ----------------------------------------------------------------------------------------------------


def run_python(code: str, folder) -> subprocess.CompletedProcess[str]:
    """Run a program of its own, as exit hooks and forks need one."""
    head = """
        import os, sys
        from tests.support.fake_session import FakeSession
        from codecarbon import OfflineEmissionsTracker
        session = FakeSession()
        def make(**options):
            return OfflineEmissionsTracker(country_iso_code="FRA", output_dir=sys.argv[1],
                                           _session_factory=lambda _settings: session, **options)
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(code), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def rows(folder) -> list[str]:
    path = folder / "emissions.csv"
    return path.read_text().splitlines()[1:] if path.exists() else []


@pytest.mark.parametrize("ending", ["", "sys.exit(3)", "raise KeyError('mine')"])
def test_d31_a_tracker_still_running_at_exit_writes_its_row(tmp_path, ending):
    done = run_python(f"make(project_name='left running').start(); session.clock.pass_s(5)\n{ending}", tmp_path)
    assert len(rows(tmp_path)) == 1, done.stderr
    assert "left running" in rows(tmp_path)[0]
    assert done.returncode == {"": 0, "sys.exit(3)": 3}.get(ending, 1)


def test_d51_inherited_tracker_is_inert_in_a_forked_child(tmp_path):
    done = run_python(
        """
        tracker = make()
        tracker.start()
        session.clock.pass_s(1)
        child = os.fork()
        if child == 0:
            assert tracker.stop() is None
            assert tracker.flush() is None
            tracker.start_task("t")
            assert tracker.stop_task("t") is None
            tracker.start()
            sys.exit(7)  # runs the exit hooks
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        print(tracker.stop() > 0)
        """,
        tmp_path,
    )
    assert done.stdout.strip() == "True", done.stderr
    assert len(rows(tmp_path)) == 1


def test_tracker_made_in_a_forked_child_works(tmp_path):
    done = run_python(
        """
        parent = make()
        parent.start()
        child = os.fork()
        if child == 0:
            session = FakeSession()
            own = make(project_name="child")
            own.start()
            session.clock.pass_s(1)
            own.stop()
            sys.exit(0)
        os.waitpid(child, 0)
        parent.stop()
        """,
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert len(rows(tmp_path)) == 2


def test_unwritable_folder_costs_a_warning_and_no_data(rig, log, tmp_path):
    blocked = tmp_path / "file" / "below"
    (tmp_path / "file").mkdir()
    tracker = rig.tracker(output_methods=["csv"], output_dir=blocked)
    (tmp_path / "file").rmdir()
    (tmp_path / "file").write_text("in the way")
    tracker.start()
    rig.pass_s(1)
    assert tracker.stop() > 0
    assert tracker.final_emissions_data.energy_consumed > 0
    assert len([record for record in log.records if record.levelno >= logging.WARNING]) == 1


def test_public_names_pickle_to_a_fresh_tracker(tmp_path):
    import pickle

    tracker = OfflineEmissionsTracker("p", country_iso_code="FRA", output_dir=tmp_path, log_level="error")
    twin = pickle.loads(pickle.dumps(tracker))
    assert twin._project_name == "p"
    assert twin.run_id != tracker.run_id
