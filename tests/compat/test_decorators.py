"""Decorators: every kind of function is measured while it runs, and nothing about it changes."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from codecarbon import EmissionsTracker, TaskEmissionsTracker, track_emissions, track_task_emissions
from codecarbon.errors import ConfigError
from tests.support.fake_session import FakeClock, FakeSession, RecordingHandler

CLOCK = FakeClock()


@pytest.fixture
def handler():
    return RecordingHandler()


@pytest.fixture
def options(handler):
    return {
        "output_methods": [],
        "output_handlers": [handler],
        "force_carbon_intensity_g_co2e_kwh": 100.0,
        "_session_factory": lambda _settings: FakeSession(CLOCK),
        "log_level": "error",
    }


def durations(handler):
    return [total.duration for total, _ in handler.outs]


def test_function_with_arguments_and_result(handler, options):
    @track_emissions(project_name="deco", **options)
    def add(a, b=1):
        """Add."""
        CLOCK.pass_s(2)
        return a + b

    assert add(1, b=2) == 3
    assert add(5) == 6
    assert (add.__name__, add.__doc__) == ("add", "Add.")
    assert durations(handler) == [pytest.approx(2), pytest.approx(2)]
    first, second = (total for total, _ in handler.outs)
    assert first.run_id != second.run_id
    assert first.project_name == "deco"


def test_bare(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CODECARBON_OUTPUT_METHODS", "")
    monkeypatch.setenv("CODECARBON_LOG_LEVEL", "error")
    started = []
    monkeypatch.setattr(EmissionsTracker, "start", lambda self: started.append("start"))
    monkeypatch.setattr(EmissionsTracker, "stop", lambda self: started.append("stop"))

    @track_emissions
    def answer():
        return 42

    assert started == []
    assert answer() == 42
    assert started == ["start", "stop"]


def test_exception_passes_and_the_run_is_written(handler, options):
    @track_emissions(**options)
    def fail():
        CLOCK.pass_s(1)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        fail()
    assert durations(handler) == [pytest.approx(1)]


def test_d12_coroutine_is_measured_until_it_returns(handler, options):
    @track_emissions(**options)
    async def work(x):
        CLOCK.pass_s(1)
        await asyncio.sleep(0)
        CLOCK.pass_s(1)
        return x

    assert inspect.iscoroutinefunction(work)
    assert asyncio.run(work(7)) == 7
    assert durations(handler) == [pytest.approx(2)]


def test_d12_generator_is_measured_until_it_ends(handler, options):
    @track_emissions(**options)
    def numbers():
        CLOCK.pass_s(1)
        got = yield 1
        CLOCK.pass_s(1)
        yield got
        return "end"

    assert inspect.isgeneratorfunction(numbers)
    running = numbers()
    assert handler.outs == []
    assert next(running) == 1
    assert running.send("back") == "back"
    with pytest.raises(StopIteration) as stop:
        next(running)
    assert stop.value.value == "end"
    assert durations(handler) == [pytest.approx(2)]


def test_d12_generator_that_is_closed_early_is_written(handler, options):
    @track_emissions(**options)
    def endless():
        while True:
            CLOCK.pass_s(1)
            yield

    running = endless()
    next(running)
    running.close()
    assert durations(handler) == [pytest.approx(1)]


def test_d12_async_generator_passes_everything_through(handler, options):
    seen = []

    @track_emissions(**options)
    async def talk():
        try:
            CLOCK.pass_s(1)
            seen.append((yield "first"))
            try:
                yield "second"
            except ValueError as error:
                seen.append(str(error))
                yield "third"
        finally:
            CLOCK.pass_s(1)
            seen.append("closed")

    async def listen():
        talking = talk()
        assert await talking.__anext__() == "first"
        assert await talking.asend("sent") == "second"
        assert await talking.athrow(ValueError("thrown")) == "third"
        with pytest.raises(StopAsyncIteration):
            await talking.__anext__()
        return [value async for value in short()]

    @track_emissions(**options)
    async def short():
        for number in range(3):
            CLOCK.pass_s(1)
            yield number

    assert inspect.isasyncgenfunction(talk)
    assert asyncio.run(listen()) == [0, 1, 2]
    assert seen == ["sent", "thrown", "closed"]
    assert durations(handler) == [pytest.approx(2), pytest.approx(3)]


def test_d12_async_generator_that_is_closed_early_is_written(handler, options):
    closed = []

    @track_emissions(**options)
    async def endless():
        try:
            while True:
                CLOCK.pass_s(1)
                yield
        finally:
            closed.append(True)

    async def run():
        running = endless()
        await running.__anext__()
        await running.aclose()

    asyncio.run(run())
    assert closed == [True]
    assert durations(handler) == [pytest.approx(1)]


def test_positional_settings_in_the_old_order(handler, options):
    @track_emissions(None, "by position", 999, -1, **options)
    def work():
        CLOCK.pass_s(1)

    work()
    assert handler.outs[0][0].project_name == "by position"


def test_setting_given_twice_is_a_type_error():
    with pytest.raises(TypeError, match="project_name"):
        track_emissions(None, "a", project_name="b")


def test_a_string_is_no_function():
    with pytest.raises(TypeError, match="project"):
        track_emissions("project")


def test_offline_without_a_country_raises_when_called(options):
    @track_emissions(offline=True, **options)
    def work():
        pytest.fail("must not run")

    with pytest.raises(ConfigError, match="ISO country code"):
        work()


def test_d40_offline_with_a_country_from_the_environment(handler, options, monkeypatch):
    monkeypatch.setenv("CODECARBON_COUNTRY_ISO_CODE", "FRA")

    @track_emissions(offline=True, **options)
    def work():
        CLOCK.pass_s(1)

    work()
    assert handler.outs[0][0].country_iso_code == "FRA"


@pytest.mark.parametrize(
    "place", [{"country_iso_code": "CAN"}, {"cloud_provider": "gcp", "cloud_region": "us-central1"}]
)
def test_offline_with_a_place_runs(handler, options, place):
    @track_emissions(offline=True, **place, **options)
    def work():
        CLOCK.pass_s(1)

    work()
    assert len(handler.outs) == 1


def test_d40_offline_mode_forwards_everything(handler, options):
    @track_emissions(
        offline=True,
        country_iso_code="FRA",
        experiment_id="exp-1",
        experiment_name="name",
        api_call_interval=1,
        **options,
    )
    def work():
        CLOCK.pass_s(1)

    work()
    assert handler.outs[0][0].experiment_id == "exp-1"
    assert len(handler.lives) == 2


def test_d40_task_decorator_makes_no_tracker_until_called(handler, options, monkeypatch):
    made = []

    def make(self, *args, **kwargs):
        made.append(self)
        original(self, **options)

    original = EmissionsTracker.__init__
    monkeypatch.setattr(EmissionsTracker, "__init__", make)

    @track_task_emissions(task_name="step")
    def step():
        CLOCK.pass_s(1)
        return "done"

    assert made == []
    assert step() == step() == "done"
    assert len(made) == 2
    assert [[row.task_name for row in rows] for rows, _ in handler.tasks] == [["step"], ["step"]]


def test_task_decorator_on_a_tracker(handler, options):
    tracker = EmissionsTracker(**options)
    tracker.start()

    @track_task_emissions(tracker=tracker, task_name="step")
    def step():
        CLOCK.pass_s(1)

    @track_task_emissions(tracker=tracker)
    async def other():
        CLOCK.pass_s(3)

    step()
    asyncio.run(other())
    tracker.stop()
    (rows, _) = handler.tasks[-1]
    assert [(row.task_name, row.duration) for row in rows] == [("step", pytest.approx(1)), ("other", pytest.approx(3))]


def test_task_context(handler, options):
    tracker = EmissionsTracker(**options)
    with TaskEmissionsTracker("block", tracker) as helper:
        assert helper.tracker is tracker
        CLOCK.pass_s(2)
    assert tracker._tasks["block"].emissions_data.duration == pytest.approx(2)
    assert handler.outs == []
    tracker.stop()
    assert durations(handler) == [pytest.approx(2)]


def test_task_context_of_its_own(handler, options, monkeypatch):
    original = EmissionsTracker.__init__
    monkeypatch.setattr(EmissionsTracker, "__init__", lambda self: original(self, **options))
    with TaskEmissionsTracker("block"):
        CLOCK.pass_s(2)
    assert durations(handler) == [pytest.approx(2)]
