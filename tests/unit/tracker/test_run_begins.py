"""What handlers learn of a run before its first report, and which part of its emissions is final."""

from __future__ import annotations

import threading

import pytest

from codecarbon.handlers import BaseOutput
from codecarbon.model import Intensity, Location
from codecarbon.tracker.live import LiveIntensity
from codecarbon.tracker.pricing import Pricer
from tests.support.fake_provider import FakeProvider

PLACE = Location(country_iso_code="DEU")
MEAN = Intensity(400.0, "tables", 2023, "DEU")


class Curious(BaseOutput):
    """Notes what it is told, in order, with the final emissions at that moment."""

    def __init__(self):
        self.views = []
        self.events = []

    def run_begins(self, run):
        self.views.append(run)
        self.events.append(("begins", run.final_kg()))

    def out(self, total, delta):
        self.events.append(("out", self.views[-1].final_kg()))

    def live_out(self, total, delta):
        self.events.append(("live", self.views[-1].final_kg()))

    def exit(self):
        self.events.append(("exit", self.views[-1].final_kg()))


@pytest.fixture
def curious():
    return Curious()


def test_a_handler_learns_of_each_stretch_before_its_reports(rig, curious):
    tracker = rig.tracker(output_handlers=[curious], tracking_mode="process")
    for _ in range(2):
        tracker.start()
        rig.pass_s(3600)
        tracker.stop()
    kg = 0.011  # 110 W for an hour at 100 g/kWh
    assert curious.events == [
        ("begins", 0.0),
        ("out", pytest.approx(kg)),
        ("exit", pytest.approx(kg)),
        ("begins", pytest.approx(kg)),
        ("out", pytest.approx(2 * kg)),
        ("exit", pytest.approx(2 * kg)),
    ]
    assert [view[:2] for view in curious.views] == [(str(tracker.run_id), "process")] * 2


def test_a_task_alone_begins_a_run_too_and_only_once(rig, curious):
    tracker = rig.tracker(output_handlers=[curious])
    for name in "ab":
        tracker.start_task(name)
        rig.pass_s(10)
        tracker.stop_task()
    assert [kind for kind, _ in curious.events] == ["begins"]


def test_the_begin_comes_before_a_live_report_of_the_start(rig, curious):
    tracker = rig.tracker(output_handlers=[curious], api_call_interval=1)
    tracker.start()
    tracker.stop()
    assert [kind for kind, _ in curious.events][:2] == ["begins", "live"]


def test_who_does_not_care_is_not_told(rig):
    class Old:
        def out(self, total, delta):
            pass

    tracker = rig.tracker(output_handlers=[Old()])
    tracker.start()
    tracker.stop()
    assert tracker.handler_faults == ()


def test_a_handler_that_fails_at_the_begin_spoils_nothing(rig, curious):
    class Bad(BaseOutput):
        def run_begins(self, run):
            raise RuntimeError("no")

    tracker = rig.tracker(output_handlers=[Bad(), curious])
    tracker.start()
    rig.pass_s(3600)
    assert tracker.stop() == pytest.approx(0.011)
    assert [fault.handler for fault in tracker.handler_faults] == ["Bad"]
    assert [kind for kind, _ in curious.events] == ["begins", "out", "exit"]


def test_a_handler_is_told_without_the_trackers_lock(rig):
    done = []

    class Asks(BaseOutput):
        def run_begins(self, run):
            thread = threading.Thread(target=lambda: done.append(tracker.task_totals == {} and tracker.mark()))
            thread.start()
            with_lock = threading.Thread(target=lambda: tracker.start_task("from elsewhere"))
            with_lock.start()
            thread.join(10)
            with_lock.join(10)
            assert not with_lock.is_alive()

    tracker = rig.tracker(output_handlers=[Asks()])
    tracker.start()
    assert tracker.handler_faults == ()
    assert done[0]


class Paced:
    """A tracker whose live intensity a test asks for, on the session's clock."""

    def __init__(self, rig, provider, handler):
        self.rig = rig
        rig.session.clock.t_ns = 0
        rig.session.power_w = {"cpu": 3.6e6 / 300, "ram": 0.0, "gpu": None}  # 1 kWh in each slot
        session = rig.session
        self.live = LiveIntensity(
            lambda: [provider],
            PLACE,
            MEAN,
            clock=lambda: session.anchors.unix_ns(session.clock.t_ns) / 1e9 + 1,
            spawn=lambda _run: None,
        )
        pricer = Pricer(PLACE)
        pricer.live = self.live
        self.tracker = rig.tracker(
            output_handlers=[handler],
            force_carbon_intensity_g_co2e_kwh=None,
            _pricer_factory=lambda *_args, **_options: pricer,
        )

    def slot(self, *, asked):
        self.rig.pass_s(300)
        if asked:
            self.live.ask()


def test_only_slots_whose_price_stands_are_final(rig, curious):
    away = []
    provider = FakeProvider(lambda _start_us: None if away else 100.0)
    paced = Paced(rig, provider, curious)
    paced.tracker.start()
    paced.live.ask()
    paced.slot(asked=True)
    away.append(True)
    paced.slot(asked=True)
    paced.slot(asked=True)
    told = paced.tracker.flush()
    final = curious.events[-1][1]
    assert final < told
    assert paced.tracker.stop() == pytest.approx(curious.events[-1][1])


def test_what_becomes_final_is_counted_at_its_own_price(rig, curious):
    values = {}
    provider = FakeProvider(lambda start_us: values.get("now"))
    paced = Paced(rig, provider, curious)
    paced.tracker.start()
    paced.slot(asked=True)
    paced.tracker.flush()
    assert curious.events[-1] == ("out", 0.0)  # stand-ins price it so far
    values["now"] = 50.0
    for _ in range(3):
        paced.slot(asked=True)
    paced.tracker.flush()
    assert curious.events[-1][1] == pytest.approx(0.05 * 4)
