"""Slots: energy is priced with the intensity of its own five minutes, and slots sum to the whole."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecarbon.model import Intensity, Location
from codecarbon.tracker.ledger import RunLedger
from codecarbon.tracker.pricing import Pricer, split_whole
from tests.support.fake_session import EPOCH_UNIX_S, FakeSession

KWH_J = 3.6e6


def intensity(g_per_kwh: float) -> Intensity:
    return Intensity(g_per_kwh, "test", None, "test")


def test_each_slot_is_priced_with_its_own_intensity():
    # 1 kWh in each of three slots at 100, 200 and 300 g
    session = FakeSession(power_w={"cpu": KWH_J / 300, "ram": 0.0, "gpu": None})
    session.clock.t_ns = 0
    by_slot = {EPOCH_UNIX_S: 100.0, EPOCH_UNIX_S + 300: 200.0, EPOCH_UNIX_S + 600: 300.0}
    pricer = Pricer(Location(), intensity_of=lambda slot: intensity(by_slot[slot]))
    ledger = RunLedger(session, threading.RLock())
    session.start()
    ledger.open(session.mark())
    seen_kg = []
    for _ in by_slot:
        session.clock.pass_s(300)
        pieces = ledger.pieces()
        window = ledger.window(pieces)
        record = pricer.record(window, ledger.slots(pieces, window.energy_j))
        seen_kg.append(record.emissions_g / 1000)
    assert seen_kg == [pytest.approx(0.1), pytest.approx(0.3), pytest.approx(0.6)]


def test_closed_slots_are_not_asked_for_again():
    session = FakeSession()
    ledger = RunLedger(session, threading.RLock())
    session.start()
    ledger.open(session.mark())
    asked = []
    for _ in range(20):
        session.clock.pass_s(300)
        session.calls.clear()
        pieces = ledger.pieces()
        slots = ledger.slots(pieces, ledger.window(pieces).energy_j)
        asked.append(session.calls.count("joules"))
    assert len(slots) == 21
    assert max(asked) <= 1
    assert sum(energy_j for _, energy_j in slots) == pytest.approx(110 * 300 * 20)


def test_a_slot_stays_open_until_its_samples_are_in():
    session = FakeSession()
    ledger = RunLedger(session, threading.RLock())
    session.start()
    ledger.open(session.mark())
    session.clock.pass_s(301)
    session.settled_ns = 0
    pieces = ledger.pieces()
    ledger.slots(pieces, ledger.window(pieces).energy_j)
    # The samples that come later say that the first slot used less.
    session.power_w["cpu"] = 50.0
    session.settled_ns = None
    pieces = ledger.pieces()
    first, second = ledger.slots(pieces, ledger.window(pieces).energy_j)
    assert first[1] == pytest.approx(60 * 299)
    assert second[1] == pytest.approx(60 * 2)


@given(
    st.dictionaries(st.integers(0, 50), st.floats(0, 1e9), max_size=8),
    st.floats(0, 1e10),
    st.integers(51, 60),
)
def test_slots_sum_to_the_whole(parts, whole_j, newest):
    slots = split_whole(parts, newest, whole_j)
    assert sum(energy_j for _, energy_j in slots) == pytest.approx(whole_j, rel=1e-9, abs=1e-6)
    assert all(energy_j >= 0 for _, energy_j in slots)
    assert slots == sorted(slots)


def test_forced_zero_is_a_value():
    pricer = Pricer(Location(country_iso_code="POL"), force_g_per_kwh=0.0)
    assert pricer.quick_kg(1e9) == 0.0


def test_quick_price_equals_the_full_one():
    pricer = Pricer(Location(country_iso_code="FRA"), pue_ratio=1.3)
    session = FakeSession()
    begin = session.start()
    session.clock.pass_s(100)
    window = session.window([(begin, session.mark())])
    record = pricer.record(window, [(EPOCH_UNIX_S, window.energy_j)])
    assert pricer.quick_kg(window.energy_j) == pytest.approx(record.emissions_g / 1000, rel=1e-12)
    assert record.emissions_low_g < record.emissions_g < record.emissions_high_g
