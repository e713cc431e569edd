"""Functions that wait for clean electricity, with clocks that only the tests move."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from datetime import datetime, timedelta, timezone

import pytest

from codecarbon.carbon_aware.decision import Decision
from codecarbon.carbon_aware.decorator import carbon_aware
from codecarbon.carbon_aware.results import ScheduleOption
from codecarbon.errors import ConfigError
from codecarbon.model import TimeSpan
from codecarbon.units import US_PER_HOUR, us_from_s

OPTION = ScheduleOption("here", (TimeSpan(0, 1),), 100.0)


class FakePlanner:
    """Decides for a start some time from now, or for now."""

    def __init__(self, in_s: float | None = None, because: str = "it is so"):
        self.in_s = in_s
        self.because = because
        self.wishes = []
        self.clock = Clock()

    def decide(self, wish, *, kept_us=None):
        self.wishes.append(wish)
        now_us = us_from_s(self.clock())
        if self.in_s is None:
            return Decision(now_us, now_us, is_now=True, because=self.because)
        start_us = now_us + us_from_s(self.in_s)
        return Decision(start_us, now_us, is_now=False, because=self.because, option=OPTION, generated_us=0)


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s

    def sleep(self, pause_s):
        self.now_s += pause_s

    async def async_sleep(self, pause_s):
        self.now_s += pause_s
        await asyncio.sleep(0)


def decorator(planner, **arguments):
    clock = planner.clock
    return carbon_aware(
        **{"duration": "3h", **arguments},
        planner=planner,
        clock=clock,
        sleep=clock.sleep,
        async_sleep=clock.async_sleep,
    )


def test_a_function_runs_at_the_planned_start():
    planner = FakePlanner(100)

    @decorator(planner)
    def work(first, *, second):
        return planner.clock.now_s, first, second

    assert work(1, second=2) == (1100.0, 1, 2)
    assert work.decision.start_us == us_from_s(1100)


def test_a_coroutine_function_waits_without_blocking_its_loop():
    planner = FakePlanner(100)
    ticks = []

    @decorator(planner)
    async def work():
        return planner.clock.now_s

    async def tick():
        while True:
            ticks.append(planner.clock.now_s)
            await asyncio.sleep(0)

    async def main():
        ticking = asyncio.create_task(tick())
        result = await work()
        ticking.cancel()
        return result

    assert asyncio.run(main()) == 1100.0
    assert inspect.iscoroutinefunction(work)
    assert {1000.0, 1030.0, 1060.0, 1090.0} <= set(ticks), "others went on in between"


def test_a_coroutine_function_plans_on_another_thread():
    planner = FakePlanner()
    threads = []
    decide = planner.decide
    planner.decide = lambda wish: threads.append(threading.current_thread()) or decide(wish)

    @decorator(planner)
    async def work():
        return threading.current_thread()

    assert asyncio.run(work()) is threading.main_thread()
    assert threads
    assert threading.main_thread() not in threads


def test_missing_data_run_at_once_and_are_logged(caplog):
    planner = FakePlanner(None, "the forecast is not there")

    @decorator(planner)
    def work():
        return planner.clock.now_s

    with caplog.at_level(logging.INFO, logger="codecarbon"):
        assert work() == 1000.0
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("WARNING", "run now, because the forecast is not there")
    assert work.decision.is_now


def test_the_wish_is_made_for_each_call():
    planner = FakePlanner()

    @decorator(planner, within="2h", regions="eastus,westus")
    def work():
        pass

    work()
    planner.clock.now_s += 3600
    work()
    first, second = planner.wishes
    assert first.latest_end_us == us_from_s(1000) + 5 * US_PER_HOUR
    assert second.latest_end_us - first.latest_end_us == US_PER_HOUR
    assert first.locations == ("eastus",), "the function is not moved"
    assert first.seed == second.seed


def test_a_deadline_stays_where_it_is():
    planner = FakePlanner()
    deadline = datetime(2030, 5, 17, 8, tzinfo=timezone.utc)

    @decorator(planner, deadline=deadline, duration=timedelta(minutes=30))
    def work():
        pass

    work()
    assert planner.wishes[0].latest_end_us == int(deadline.timestamp() * 1e6)
    assert planner.wishes[0].duration_s == 1800


@pytest.mark.parametrize(("source", "allows"), [(None, False), ("watttime", False), ("sample", True), ("Sample", True)])
def test_made_up_data_are_taken_only_by_name(source, allows):
    planner = FakePlanner()

    @decorator(planner, source=source)
    def work():
        pass

    work()
    assert planner.wishes[0].allows_synthetic is allows


@pytest.mark.parametrize(("arguments", "ratio"), [({}, 0.01), ({"min_saving_percent": 7.5}, 0.075)])
def test_what_waiting_must_save_is_a_part_of_the_wish(arguments, ratio):
    planner = FakePlanner()

    @decorator(planner, **arguments)
    def work():
        pass

    work()
    assert planner.wishes[0].min_saving_ratio == pytest.approx(ratio)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"duration": "soon"}, "duration"),
        ({"duration": 0}, "duration"),
        ({"within": "-1h"}, "within"),
        ({"min_saving_percent": 101}, "min_saving_percent"),
        ({"deadline": datetime(2030, 5, 17)}, "deadline"),  # noqa: DTZ001
        ({"deadline": "tomorrow"}, "deadline"),
    ],
)
def test_a_wrong_argument_is_an_error_where_it_is_written(arguments, field):
    with pytest.raises(ConfigError) as caught:
        decorator(FakePlanner(), **arguments)
    assert caught.value.field == field


def test_a_generator_is_refused():
    with pytest.raises(ConfigError, match="no generator"):

        @decorator(FakePlanner())
        def work():
            yield 1


def test_an_exception_of_the_function_is_its_own():
    @decorator(FakePlanner(10))
    def work():
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        work()


def test_the_function_keeps_its_name_and_has_no_decision_before_a_call():
    @decorator(FakePlanner())
    def work():
        """Do it."""

    assert (work.__name__, work.__doc__, work.decision) == ("work", "Do it.", None)


def test_the_package_is_the_decorator():
    import codecarbon.carbon_aware

    @codecarbon.carbon_aware(duration="1h", planner=FakePlanner(None))
    def work():
        return 7

    assert work() == 7


def test_the_waiting_is_not_measured(tmp_path):
    from codecarbon import track_emissions

    planner = FakePlanner(7200)

    @decorator(planner)
    @track_emissions(offline=True, country_iso_code="FRA", output_dir=str(tmp_path), log_level="error")
    def work():
        return planner.clock.now_s

    assert work() == 8200.0
    header, row = (tmp_path / "emissions.csv").read_text().splitlines()
    duration_s = float(row.split(",")[header.split(",").index("duration")])
    assert duration_s < 60
