"""The laws of measured energy, over thousands of simulated windows whose truth is known exactly."""

from __future__ import annotations

import itertools
import random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codecarbon._sensors import SimChannel
from tests.support.rig import FJ_PER_UJ, MS, START_NS, US, Rig, S, Window, random_power, random_windows, window

CAP_W = 2000.0


def laws(examples: int) -> settings:
    """Try the same examples in every run: a red run means that the change broke a law."""
    return settings(derandomize=True, deadline=None, database=None, max_examples=examples)


class Scene(NamedTuple):
    """A sensor, a load and a way of sampling."""

    seed: int
    update_ns: int
    period_ns: int
    later_period_ns: int  # in the second half
    span_ns: int
    steps: int
    modulus: int
    read_ns: int
    is_late: bool

    def channel(self) -> SimChannel:
        rng = random.Random(self.seed)
        return SimChannel(
            power=random_power(rng, self.span_ns, steps=self.steps, max_w=300.0),
            update_ns=self.update_ns,
            jitter=0.1,
            seed=self.seed,
            phase_ns=rng.randrange(self.update_ns),
            start=rng.randrange(self.modulus) if self.modulus else rng.randrange(2**40),
            num=15625,
            den=256,
            modulus=self.modulus,
            cap_w=CAP_W,
        )

    def play(self, *, slots: int = 16384) -> Rig:
        rig = Rig(self.channel(), period_ns=self.period_ns, read_ns=self.read_ns, slots=slots)
        late = random.Random(self.seed) if self.is_late else None
        rig.run_until(START_NS + self.span_ns // 2, late=late)
        return rig.run_until(START_NS + self.span_ns, late=late, period_ns=self.later_period_ns)

    def windows(self, rig: Rig, n: int) -> list[tuple[int, int]]:
        first_ns, last_ns = rig.sampler.state(0).first_ns, rig.sampler.resolve(START_NS).last_ns
        return list(random_windows(random.Random(self.seed), first_ns + self.read_ns + US, last_ns, n))


def scenes(*, update_ns=None, period_ns=None, spans=(400 * MS, S, 3 * S)) -> st.SearchStrategy[Scene]:
    """Draw scenes; a modulus of 2^22 counts wraps every 850 ms at 300 W."""
    update_ns = st.one_of(st.integers(500 * US, 5 * MS), st.just(100 * MS)) if update_ns is None else update_ns
    period_ns = st.one_of(st.integers(500 * US, 5 * MS), st.just(20 * MS)) if period_ns is None else period_ns
    return st.builds(
        lambda factor, **rest: Scene(later_period_ns=rest["period_ns"] * factor, **rest),
        factor=st.sampled_from([1, 1, 7]),
        seed=st.integers(0, 2**32),
        update_ns=update_ns,
        period_ns=period_ns,
        span_ns=st.sampled_from(spans),
        steps=st.integers(0, 20),
        modulus=st.sampled_from([0, 2**22, 2**32]),
        read_ns=st.sampled_from([0, 3 * US, 30 * US]),
        is_late=st.booleans(),
    )


@laws(400)
@given(scenes())
def test_the_truth_lies_inside_the_hard_bound(scene):
    rig = scene.play()
    for t0, t1 in scene.windows(rig, 40):
        seen = rig.window(t0, t1)
        assert seen.contains(rig.true_fj(t0, t1)), (t0 - START_NS, t1 - START_NS, seen)
        assert seen.low_uj <= seen.energy_uj <= seen.high_uj


@laws(150)
@given(scenes(period_ns=st.just(100 * MS), spans=(5 * S, 20 * S)))
def test_the_truth_lies_inside_the_hard_bound_at_the_idle_rate(scene):
    rig = scene.play()
    for t0, t1 in scene.windows(rig, 20):
        assert rig.window(t0, t1).contains(rig.true_fj(t0, t1))


@laws(150)
@given(scenes(spans=(5 * S, 20 * S), update_ns=st.sampled_from([MS, 7 * MS, 100 * MS])))
def test_the_truth_lies_inside_the_hard_bound_after_the_fine_tier_forgot(scene):
    rig = scene.play(slots=64)
    seen_coarse = 0
    for t0, t1 in scene.windows(rig, 20):
        seen = rig.window(t0, t1)
        assert seen.contains(rig.true_fj(t0, t1)), (t0 - START_NS, t1 - START_NS, seen)
        assert seen.low_uj <= seen.energy_uj <= seen.high_uj
        seen_coarse += rig.sampler.resolve(t0).is_coarse
    assert seen_coarse > 0


@pytest.mark.parametrize("steps", [0, 12], ids=["constant power", "varying power"])
def test_the_error_is_below_sigma_about_as_often_as_a_sigma_says(steps):
    rng = random.Random(7)
    inside = total = 0
    for _ in range(300):
        scene = Scene(
            seed=rng.randrange(2**32),
            update_ns=rng.randrange(500 * US, 5 * MS),
            period_ns=(period_ns := rng.randrange(500 * US, 5 * MS)),
            later_period_ns=period_ns,
            span_ns=S,
            steps=steps,
            modulus=2**32,
            read_ns=0,
            is_late=False,
        )
        rig = scene.play()
        for t0, t1 in scene.windows(rig, 30):
            seen = rig.window(t0, t1)
            error_j = (seen.energy_uj * FJ_PER_UJ - rig.true_fj(t0, t1)) * 1e-15
            inside += abs(error_j) <= seen.std_j
            total += 1
    assert 0.65 <= inside / total <= 0.92, inside / total


@laws(150)
@given(scenes(), st.integers(2, 12))
def test_parts_sum_to_the_whole_exactly(scene, cuts):
    rig = scene.play()
    rng = random.Random(scene.seed)
    marks = sorted(START_NS + rng.randrange(scene.span_ns) for _ in range(cuts))
    readings = [rig.sampler.resolve(t) for t in marks]
    parts = [window(first, later) for first, later in itertools.pairwise(readings)]
    whole = window(readings[0], readings[-1])
    assert sum(part.energy_uj for part in parts) == whole.energy_uj
    assert all(part.energy_uj >= 0 for part in parts)


@laws(150)
@given(scenes())
def test_energy_never_falls(scene):
    rig = scene.play()
    last = rig.sampler.resolve(START_NS).last_ns
    rng = random.Random(scene.seed)
    start = START_NS + rng.randrange(scene.span_ns // 2)
    step = (last - start) // 800 + 1
    totals = [rig.at(t).total_uj for t in range(start, last, step)]
    assert totals == sorted(totals)


@laws(150)
@given(scenes())
def test_decimation_changes_the_estimate_by_less_than_the_bounds(scene):
    fine = scene.play()
    coarse = scene._replace(
        period_ns=3 * scene.period_ns, later_period_ns=3 * scene.later_period_ns, read_ns=0, is_late=False
    ).play()
    for t0, t1 in scene.windows(coarse, 20):
        one, other = fine.window(t0, t1), coarse.window(t0, t1)
        # Both intervals hold the truth, so they overlap, and so the estimates are no further apart than this.
        assert abs(one.energy_uj - other.energy_uj) <= one.width_uj + other.width_uj
        assert max(one.low_uj, other.low_uj) <= min(one.high_uj, other.high_uj)


@laws(150)
@given(scenes())
def test_the_total_is_the_floor_of_the_energy_however_it_was_read(scene):
    rig = scene.play()
    times = [int(t) for t in rig.sampler.snapshot()[0]["t_ns"]]
    gained = [rig.channels[0].counts(t) for t in (times[0], times[-1])]
    if scene.read_ns == 0:
        assert rig.sampler.state(0).count == gained[1] - gained[0]
    else:
        # The register was looked at somewhere inside the read.
        slack = 2 + 2 * int(300 * 1.3 * scene.update_ns * 1e-3 * 256 / 15625)
        assert abs(rig.sampler.state(0).count - (gained[1] - gained[0])) <= slack


@laws(150)
@given(scenes())
def test_what_is_settled_never_changes_and_what_is_not_stays_inside_its_bound(scene):
    rig = Rig(scene.channel(), period_ns=scene.period_ns)
    first: dict[int, tuple[int, int, int, int]] = {}
    open_marks: list[tuple[int, tuple[int, int, int, int]]] = []
    for part in range(1, 9):
        rig.run_until(START_NS + part * scene.span_ns // 8)
        if rig.sampler.head == 0:
            continue
        for t in (rig.ops.now_ns - 7 * MS, rig.ops.now_ns, rig.ops.now_ns + scene.update_ns // 3):
            reading = rig.sampler.resolve(t)
            if reading.is_final:
                first[t] = reading.channel(0)
            else:
                open_marks.append((t, reading.channel(0)))
    rig.run(5 * S, period_ns=10 * MS)
    for t, settled in first.items():
        assert rig.sampler.resolve(t).channel(0) == settled
    for t, (_, low, high, _) in open_marks:
        final = rig.sampler.resolve(t)
        assert final.is_final
        assert low <= final.channel(0)[0] <= high


@laws(150)
@given(scenes(update_ns=st.integers(500 * US, 5 * MS)), st.lists(st.integers(20, 98), min_size=1, max_size=4))
def test_failed_reads_and_restarts_never_break_the_bound(scene, percents):
    rng = random.Random(scene.seed)
    events: list[tuple[object, ...]] = []
    for percent in sorted(percents):
        at = START_NS + scene.span_ns * percent // 100
        events.append(
            rng.choice(
                [
                    ("error", at, at + rng.randrange(1, 30 * MS), 5),
                    ("reset", at, 0),
                    ("zero", at, rng.randrange(1, 4)),
                    ("glitch", at, rng.randrange(2**27, 2**31), 1),
                    ("slow", at, rng.randrange(1, 20 * MS), 1),
                    ("freeze", at, at + rng.randrange(1, 30 * MS)),
                ]
            )
        )
    channel = SimChannel(
        power=random_power(rng, scene.span_ns, steps=scene.steps, max_w=300.0),
        update_ns=scene.update_ns,
        seed=scene.seed,
        jitter=0.1,
        start=2**21,
        num=15625,
        den=256,
        modulus=2**32,
        cap_w=350.0,
        events=events,
    )
    rig = Rig(channel, period_ns=scene.period_ns, read_ns=scene.read_ns)
    rig.run_until(START_NS + scene.span_ns)
    for t0, t1 in scene.windows(rig, 30):
        seen: Window = rig.window(t0, t1)
        assert seen.contains(rig.true_fj(t0, t1)), (events, t0 - START_NS, t1 - START_NS, seen)
