"""Totals at an instant: bounded, monotone, exact in their sums, and settled once for all."""

from __future__ import annotations

import itertools

import pytest

from codecarbon._sensors import SimChannel
from tests.support.rig import INTEL, MS, START_NS, US, Rig, S, window

CAP_W = 2000.0


def steady(power_w=100.0, **options):
    return SimChannel(power=[(START_NS - S, power_w)], **{"cap_w": CAP_W, **INTEL, **options})


def stepped(**options):
    power = [(-1000, 40.0), (300, 200.0), (700, 0.0), (900, 90.0)]
    return SimChannel(
        power=[(START_NS + ms * MS, power_w) for ms, power_w in power], **{"cap_w": CAP_W, **INTEL, **options}
    )


def assert_monotone(rig, t0_ns, t1_ns, step_ns):
    totals = [rig.at(t).total_uj for t in range(t0_ns, t1_ns, step_ns)]
    falls = [(step, later - total) for step, (total, later) in enumerate(itertools.pairwise(totals)) if later < total]
    assert not falls, falls[:5]


def test_nothing_is_known_before_the_first_tick():
    rig = Rig(steady())
    with pytest.raises(ValueError, match="no data"):
        rig.sampler.resolve(START_NS)


def test_instant_before_the_first_tick_is_the_first_tick():
    rig = Rig(steady())
    rig.run(100 * MS)
    reading = rig.sampler.resolve(START_NS - 5 * S)
    assert reading.position == -1
    assert reading.first_ns == START_NS + MS
    seen = window(reading, rig.sampler.resolve(START_NS + 50 * MS))
    assert seen.contains(rig.true_fj(START_NS + MS, START_NS + 50 * MS))


def test_instant_after_the_last_tick_is_provisional():
    rig = Rig(steady())
    rig.run(100 * MS)
    reading = rig.sampler.resolve(START_NS + 104 * MS)
    assert (reading.position, reading.is_final) == (1, False)
    assert reading.last_ns == START_NS + 100 * MS
    inside = rig.sampler.resolve(START_NS + 50 * MS)
    assert (inside.position, inside.is_final) == (0, True)
    # The tail is taken to go on as before: four more milliseconds at 100 W.
    assert window(inside, reading).energy_uj == pytest.approx(54 * 100_000, rel=0.02)


def test_empty_window_is_nothing_and_its_bound_contains_zero():
    rig = Rig(steady())
    rig.run(100 * MS)
    seen = rig.window(START_NS + 50 * MS, START_NS + 50 * MS)
    assert (seen.energy_uj, seen.low_uj) == (0, 0)
    assert seen.contains(0)


def test_estimate_at_constant_power_is_close():
    rig = Rig(steady(200.0))
    rig.run(3 * S)
    for start, length in [(100, 2000), (777, 1000), (1500, 100)]:
        t0, t1 = START_NS + start * MS + 123 * US, START_NS + (start + length) * MS + 456 * US
        seen = rig.window(t0, t1)
        assert seen.energy_uj == pytest.approx(rig.true_fj(t0, t1) / 1e9, abs=200 * 1000)
        assert seen.width_uj <= 2 * 2 * 200 * 1000 + 4 * 62


@pytest.mark.parametrize("update_ns", [500 * US, MS, 7 * MS, 100 * MS])
@pytest.mark.parametrize("period_ns", [MS, 10 * MS, 100 * MS])
def test_energy_never_falls_with_time(update_ns, period_ns):
    rig = Rig(stepped(update_ns=update_ns, jitter=0.1), period_ns=period_ns)
    rig.run(1200 * MS)
    assert_monotone(rig, START_NS, START_NS + 1100 * MS, 97 * US)


def test_energy_never_falls_before_the_first_update_is_seen():
    rig = Rig(SimChannel(power=[(START_NS - S, 50.0)], update_ns=300 * MS, phase_ns=10 * MS, cap_w=CAP_W))
    rig.run(2 * S)
    assert_monotone(rig, START_NS, START_NS + 400 * MS, 53 * US)


def test_energy_never_falls_in_the_coarse_tier():
    power = [(START_NS, 20.0), (START_NS + 3 * S, 0.0), (START_NS + 8 * S, 20.0)]
    rig = Rig(SimChannel(power=power, cap_w=CAP_W), slots=64)
    rig.run(20 * S)
    assert rig.sampler.resolve(START_NS + 5 * S).is_coarse
    assert_monotone(rig, START_NS + S, START_NS + 19 * S, 11 * MS)


def test_window_that_left_the_fine_tier_is_bounded_by_the_coarse_one():
    rig = Rig(stepped(), slots=64)
    rig.run(30 * S)
    for start, end in [(0, 10), (1, 25), (5, 6), (5.3, 5.9)]:
        t0, t1 = START_NS + int(start * S) + 5 * MS, START_NS + int(end * S)
        assert rig.sampler.resolve(t1).is_coarse
        assert rig.window(t0, t1).contains(rig.true_fj(t0, t1)), (start, end)


def test_parts_sum_to_the_whole():
    rig = Rig(stepped(jitter=0.1), period_ns=3 * MS)
    rig.run(S)
    cuts = [rig.sampler.resolve(START_NS + us * US) for us in range(5000, 990_000, 12_345)]
    whole = cuts[0].energy(cuts[-1], 0)[0]
    assert sum(first.energy(later, 0)[0] for first, later in itertools.pairwise(cuts)) == whole


def test_settled_instant_never_changes():
    rig = Rig(stepped(jitter=0.1), slots=8192)
    settled = {}
    for _ in range(200):
        rig.run(5 * MS)
        now = rig.ops.now_ns
        for t in range(now - 60 * MS, now + 3 * MS, 1_700 * US):
            reading = rig.sampler.resolve(t)
            if t in settled:
                assert reading.channel(0) == settled[t]
            elif reading.is_final and reading.position == 0:
                settled[t] = reading.channel(0)
    assert len(settled) > 300
    for t, channel in settled.items():
        assert rig.sampler.resolve(t).channel(0) == channel


@pytest.mark.parametrize("update_ns", [MS, 100 * MS])
def test_provisional_bound_contains_the_settled_value(update_ns):
    rig = Rig(stepped(update_ns=update_ns, jitter=0.1))
    provisional = []
    for _ in range(95):
        rig.run(10 * MS)
        for ahead in (-MS, 0, MS, 5 * MS):
            t = rig.ops.now_ns + ahead
            provisional.append((t, rig.sampler.resolve(t)))
    rig.run(S)
    assert sum(not reading.is_final for _, reading in provisional) > 100
    for t, reading in provisional:
        final = rig.sampler.resolve(t)
        assert final.is_final
        assert reading.channel(0)[1] <= final.channel(0)[0] <= reading.channel(0)[2]
        assert reading.channel(0)[1] * 10**9 <= rig.true_fj(START_NS, t) + rig.true_fj(START_NS - S, START_NS)


def test_instant_settles_although_no_update_ever_comes():
    rig = Rig(SimChannel(power=[(START_NS - S, 50.0), (START_NS + 200 * MS, 0.0)], cap_w=CAP_W), slots=8192)
    rig.run(230 * MS)
    mark = rig.ops.now_ns
    assert not rig.sampler.resolve(mark).is_final
    rig.run(S)
    reading = rig.sampler.resolve(mark)
    assert reading.is_final
    assert reading.channel(0)[0] == rig.sampler.state(0).count
    rig.run(5 * S)
    assert rig.sampler.resolve(mark).channel(0)[0] == reading.channel(0)[0]


def test_lost_energy_is_in_the_upper_bound_only():
    rig = Rig(steady(150.0, events=[("reset", START_NS + 500 * MS + 300 * US, 5)]))
    rig.run(S)
    before, after = START_NS + 400 * MS, START_NS + 600 * MS
    lost = rig.at(after).lost_uj - rig.at(before).lost_uj
    assert lost > 0
    seen = rig.window(before, after)
    assert seen.high_uj == rig.at(after).high_uj - rig.at(before).low_uj + lost
    assert seen.contains(rig.true_fj(before, after))


def test_resolved_reading_says_how_often_and_what_was_missed():
    rig = Rig(steady())
    rig.run(100 * MS)
    reading = rig.sampler.resolve(START_NS + 50 * MS + 500 * US)
    assert (reading.t_ns, reading.ticks, reading.missed, reading.gap_ns) == (START_NS + 50 * MS + 500 * US, 50, 0, 0)


def test_wrong_channels_are_refused():
    one, two = Rig(steady()), Rig(steady(), SimChannel("dram-0", "dram", power=[(START_NS, 1.0)]))
    for rig in (one, two):
        rig.run(10 * MS)
    reading, other = (rig.sampler.resolve(START_NS + 5 * MS) for rig in (one, two))
    for wrong in (-1, 1):
        with pytest.raises(IndexError):
            reading.channel(wrong)
        with pytest.raises(IndexError):
            reading.energy(reading, wrong)
        with pytest.raises(IndexError):
            one.sampler.state(wrong)
    with pytest.raises(ValueError, match="different samplers"):
        reading.energy(other, 0)


def test_instant_that_settled_in_a_standstill_keeps_its_value_when_power_returns():
    power = [(START_NS, 50.0), (START_NS + 200 * MS, 0.0), (START_NS + 2 * S, 80.0)]
    rig = Rig(SimChannel(power=power, cap_w=CAP_W), slots=8192)
    rig.run(1900 * MS)
    settled = {}
    for ms in range(10, 1900, 7):
        reading = rig.sampler.resolve(START_NS + ms * MS)
        if reading.is_final:
            settled[START_NS + ms * MS] = reading.channel(0)[0]
    assert max(settled) > START_NS + 1500 * MS
    rig.run(S)
    assert {t: rig.at(t).total_uj for t in settled} == settled


def test_energy_never_falls_when_the_last_update_has_left_the_ring():
    power = [(START_NS, 50.0), (START_NS + 200 * MS, 0.0), (START_NS + 2 * S, 80.0)]
    rig = Rig(SimChannel(power=power, cap_w=CAP_W), slots=256, coarse_slots=0)
    rig.run(2100 * MS)
    assert_monotone(rig, START_NS + 1800 * MS, START_NS + 2090 * MS, 91 * US)


def test_nothing_is_claimed_before_the_first_good_reading():
    rig = Rig(steady(events=[("error", START_NS, START_NS + 100 * MS, 5)]))
    rig.run(200 * MS)
    assert rig.sampler.resolve(START_NS + 50 * MS).channel(0)[:2] == (0, 0)
    assert rig.sampler.state(0).first_ns == START_NS + 100 * MS
    t0, t1 = START_NS + 100 * MS, START_NS + 190 * MS
    assert rig.window(t0, t1).contains(rig.true_fj(t0, t1))
    assert_monotone(rig, START_NS, START_NS + 190 * MS, 91 * US)
