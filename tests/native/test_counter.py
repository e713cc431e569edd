"""From raw readings to totals: wraps, restarts, glitches and failures never make or lose a joule unseen."""

from __future__ import annotations

import errno
import random

import pytest

from codecarbon._sensors import Channel, PowercapSource, Sampler, SimChannel, SimSource, VirtualOps, flag_names
from tests.support.rig import INTEL, MS, START_NS, US, Rig, S, window

CAP_W = 2000.0
UJ_PER_COUNT = INTEL["num"] / INTEL["den"]


def steady(power_w=100.0, **options):
    """A channel at constant power from the first moment on."""
    return SimChannel(power=[(START_NS, power_w)], **{"cap_w": CAP_W, **INTEL, **options})


def counted(rig, i=0):
    """Counts that the register gained between the first read and the last, by the channel's own account."""
    times = rig.sampler.snapshot()[0]["t_ns"]
    return rig.channels[i].counts(int(times[-1])) - rig.channels[i].counts(int(times[0]))


def all_flags(rig):
    return frozenset().union(*rig.flags())


def test_first_reading_is_never_energy():
    rig = Rig(steady(start=10**6))
    rig.run(MS)
    assert rig.sampler.state(0).count == 0
    assert rig.flags() == [{"FIRST"}]


def test_total_is_exact_however_the_reads_are_split():
    rng = random.Random(1)
    for seed in range(30):
        rig = Rig(steady(rng.uniform(1, 900), jitter=0.2, seed=seed, start=rng.randrange(2**32)))
        for _ in range(40):
            rig.run(rng.randrange(1, 40) * MS, period_ns=rng.randrange(1, 20) * MS)
        assert rig.sampler.state(0).count == counted(rig)


def test_wrap_from_the_last_value_to_zero_is_exact():
    # One count per update, so that the register shows its last value and then 0.
    channel = SimChannel(power=[(START_NS, 0.001)], modulus=1000, start=997, cap_w=1.0)
    rig = Rig(channel)
    seen = []
    for _ in range(6):
        rig.run(MS)
        seen.append((rig.source.read()[0][0], rig.sampler.state(0).count))
    assert seen == [(998, 0), (999, 1), (0, 2), (1, 3), (2, 4), (3, 5)]
    assert [flags & {"WRAP", "RESET", "AMBIGUOUS", "ERR"} for flags in rig.flags()] == [
        frozenset(),
        frozenset(),
        {"WRAP"},
        frozenset(),
        frozenset(),
        frozenset(),
    ]
    assert rig.at(rig.ops.now_ns).lost_uj == 0


def test_wraps_change_nothing():
    start = 2**32 - 5000
    plain, wrapping = (
        Rig(steady(250.0, jitter=0.1, **{**INTEL, "modulus": modulus}, start=start)) for modulus in (0, 2**32)
    )
    for rig in (plain, wrapping):
        rig.run(S)
    assert "WRAP" in all_flags(wrapping)
    assert plain.sampler.state(0).count == wrapping.sampler.state(0).count == counted(plain)
    for ms in range(5, 900, 13):
        at = START_NS + ms * MS
        assert plain.at(at) == wrapping.at(at)


def test_two_wraps_between_reads_are_ambiguous_and_the_bound_holds_the_truth():
    # 2,000 W wrap this register every 131 ms; the sampler looks away for three of these.
    channel = steady(1900.0, **{**INTEL, "modulus": 2**22})
    rig = Rig(channel)
    rig.run(100 * MS)
    before = rig.ops.now_ns
    rig.ops.advance(400 * MS)
    rig.run(100 * MS)
    seen = rig.window(before - 50 * MS, before + 450 * MS)
    assert {"AMBIGUOUS"} <= seen.flags
    assert seen.energy_uj * 10**9 < rig.true_fj(before - 50 * MS, before + 450 * MS)
    assert seen.contains(rig.true_fj(before - 50 * MS, before + 450 * MS))
    # Nothing is known of when inside the gap, and the bound of each part says so.
    for ms in range(1, 400, 40):
        assert rig.window(before - 50 * MS, before + ms * MS).contains(rig.true_fj(before - 50 * MS, before + ms * MS))
        assert rig.window(before + MS, before + ms * MS + MS).contains(rig.true_fj(before + MS, before + ms * MS + MS))
    # What came before is untouched.
    clear = rig.window(before - 90 * MS, before - 20 * MS)
    assert "AMBIGUOUS" not in clear.flags
    assert clear.width_uj < clear.energy_uj


@pytest.mark.parametrize("value", [0, 1, 12345, 2**31])
@pytest.mark.parametrize("modulus", [0, 2**32])
def test_reset_loses_energy_but_makes_none(value, modulus):
    at = START_NS + 500 * MS + 300_000
    channel = steady(150.0, start=2**32 - 10**8, **{**INTEL, "modulus": modulus}, events=[("reset", at, value)])
    rig = Rig(channel)
    rig.run(S)
    seen = rig.window(START_NS + 100 * MS, START_NS + 900 * MS)
    true_fj = rig.true_fj(START_NS + 100 * MS, START_NS + 900 * MS)
    assert "RESET" in seen.flags
    assert "WRAP" not in seen.flags
    assert seen.contains(true_fj)
    # At most three milliseconds of 150 W are unseen, and the bound knows of them.
    assert abs(seen.energy_uj * 1e-6 - true_fj * 1e-15) < 0.5
    assert rig.at(rig.ops.now_ns).lost_uj > 0
    totals = [rig.at(START_NS + ms * MS).total_uj for ms in range(1, 1000)]
    assert totals == sorted(totals)
    assert rig.window(START_NS + 100 * MS, START_NS + 400 * MS).flags == frozenset()


def test_decrease_of_a_64_bit_counter_is_a_reset_even_when_a_wrap_would_fit():
    channel = SimChannel(power=[(START_NS, 10.0)], cap_w=0.0, start=5000, events=[("reset", START_NS + 5 * MS, 4999)])
    rig = Rig(channel)
    rig.run(10 * MS)
    assert {"RESET"} <= all_flags(rig)
    assert "WRAP" not in all_flags(rig)
    assert rig.sampler.state(0).count < 10 * 10_000


def test_one_impossible_reading_is_held_and_read_again():
    channel = steady(events=[("glitch", START_NS + 50 * MS, int(1e15 / UJ_PER_COUNT), 1)], **{**INTEL, "modulus": 0})
    rig = Rig(channel)
    rig.run(100 * MS)
    assert rig.sampler.state(0).count == counted(rig)
    assert rig.at(rig.ops.now_ns).lost_uj == 0
    assert [number for number, flags in enumerate(rig.flags()) if "GAP" in flags] == [49]
    assert rig.source.reads == 101


def test_confirmed_jump_of_a_gigajoule_is_a_gap_and_not_energy():
    jump = int(1e15 / UJ_PER_COUNT)
    channel = steady(events=[("jump", START_NS + 50 * MS, jump)], **{**INTEL, "modulus": 0})
    rig = Rig(channel)
    rig.run(100 * MS)
    seen = rig.window(START_NS + 10 * MS, START_NS + 90 * MS)
    assert {"GAP"} <= seen.flags
    assert rig.sampler.state(0).count <= counted(rig)
    assert seen.contains(rig.true_fj(START_NS + 10 * MS, START_NS + 90 * MS))
    assert rig.source.reads == 102  # two more, to confirm


def test_jump_of_a_wrapping_counter_is_no_energy_either():
    channel = steady(events=[("jump", START_NS + 50 * MS, 2**31)])
    rig = Rig(channel)
    rig.run(100 * MS)
    seen = rig.window(START_NS + 10 * MS, START_NS + 90 * MS)
    assert seen.energy_uj < 10**8
    assert seen.contains(rig.true_fj(START_NS + 10 * MS, START_NS + 90 * MS))


@pytest.mark.parametrize("modulus", [0, 2**32])
def test_single_zero_reading_changes_nothing(modulus):
    channel = steady(start=10**6, **{**INTEL, "modulus": modulus}, events=[("zero", START_NS + 50 * MS, 1)])
    rig = Rig(channel)
    rig.run(100 * MS)
    assert rig.sampler.state(0).count == counted(rig)
    assert not all_flags(rig) & {"RESET", "WRAP", "ERR"}
    assert rig.at(rig.ops.now_ns).lost_uj == 0


@pytest.mark.parametrize("start", [10**6, 2**31])
@pytest.mark.parametrize("reads", [3, 12, 3000])
@pytest.mark.parametrize("modulus", [0, 2**32])
def test_zeros_that_last_make_no_energy_and_lose_none(modulus, reads, start):
    channel = steady(start=start, **{**INTEL, "modulus": modulus}, events=[("zero", START_NS + 50 * MS, reads)])
    rig = Rig(channel)
    rig.run(4 * S)
    assert {"GAP"} <= all_flags(rig)
    assert not all_flags(rig) & {"WRAP", "RESET", "ERR"}
    assert rig.sampler.state(0).count == counted(rig)
    t0 = START_NS + 10 * MS
    for t1 in range(START_NS + 40 * MS, START_NS + 1300 * MS, 777 * US):
        assert rig.window(t0, t1).contains(rig.true_fj(t0, t1))


@pytest.mark.parametrize("reads", [3, 10, 100])
def test_counter_that_shows_too_little_for_a_while_makes_no_energy_when_it_returns(reads):
    less = 2**64 - 10**6
    events = [("glitch", START_NS + 50 * MS, less, reads)]
    rig = Rig(steady(300.0, start=10**7, **{**INTEL, "modulus": 0}, events=events))
    rig.run(400 * MS)
    assert {"RESET"} <= all_flags(rig)
    # Two restarts, and each hides the energy of two milliseconds at the most.
    assert 0 <= counted(rig) - rig.sampler.state(0).count <= 4 * 300 * 1000 / UJ_PER_COUNT
    t0, t1 = START_NS + 10 * MS, START_NS + 390 * MS
    assert rig.window(t0, t1).contains(rig.true_fj(t0, t1))


def test_restart_at_zero_makes_no_energy_when_it_counts_on():
    at = START_NS + 500 * MS + 300 * US
    rig = Rig(steady(150.0, start=10**9, **{**INTEL, "modulus": 0}, events=[("reset", at, 0)]))
    rig.run(S)
    gained = rig.channels[0].counts(rig.ops.now_ns) - rig.channels[0].counts(START_NS + MS)
    assert 0 < gained - rig.sampler.state(0).count < 150 * 3000 / UJ_PER_COUNT


def test_reading_beyond_the_modulus_is_an_error(tmp_path):
    path = tmp_path / "energy_uj"
    path.write_text("999\n")
    channel = Channel("package-0", "package", modulus=1000)
    sampler = Sampler([PowercapSource([(path, channel)])], idle_period_ns=MS, slots=64, coarse_slots=0)
    sampler.step()
    path.write_text("1000\n")
    sampler.step()
    assert (sampler.state(0).errors, sampler.state(0).last_errno, sampler.state(0).count) == (1, -errno.ERANGE, 0)


@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL, errno.ENODEV])
def test_d13_failed_reads_add_no_energy_and_lose_none(number):
    channel = steady(events=[("error", START_NS + 30 * MS, START_NS + 60 * MS, number)])
    rig = Rig(channel)
    rig.run(50 * MS)
    state = rig.sampler.state(0)
    assert (state.errors, state.errors_in_row, state.last_errno, state.is_gone) == (21, 21, -number, False)
    assert state.count == channel.counts(START_NS + 29 * MS) - channel.counts(START_NS + MS)
    rig.run(50 * MS)
    # The counter went on meanwhile, and so nothing is missing.
    assert rig.sampler.state(0).count == counted(rig)
    assert rig.sampler.state(0).errors_in_row == 0
    assert ["ERR" in flags for flags in rig.flags()] == [30 <= ms < 60 for ms in range(1, 101)]
    inside = rig.window(START_NS + 40 * MS, START_NS + 50 * MS)
    assert inside.contains(rig.true_fj(START_NS + 40 * MS, START_NS + 50 * MS))
    assert inside.flags == {"ERR"}
    assert {"ERR"} <= rig.window(START_NS + 10 * MS, START_NS + 90 * MS).flags
    assert {"ERR"} <= rig.window(START_NS + 10 * MS, START_NS + 50 * MS).flags
    assert {"ERR"} <= rig.window(START_NS + 50 * MS, START_NS + 90 * MS).flags
    assert rig.window(START_NS + 70 * MS, START_NS + 90 * MS).flags == frozenset()


def test_bound_holds_before_the_read_that_follows_a_failed_one():
    # The register is written at 100 ms, while reads fail; the first good read comes at 106 ms.
    channel = steady(1000.0, update_ns=10 * MS, events=[("error", START_NS + 95 * MS, START_NS + 106 * MS, errno.EIO)])
    rig = Rig(channel)
    rig.run(200 * MS)
    for us in range(95_000, 112_000, 100):
        t = START_NS + us * 1000
        total = rig.at(t)
        assert total.low_uj * 10**9 <= rig.true_fj(START_NS, t) <= total.high_uj * 10**9, us


def test_one_channel_fails_and_the_others_go_on():
    broken = steady(events=[("error", START_NS + 30 * MS, START_NS + 60 * MS, errno.EIO)])
    sound = SimChannel("dram-0", "dram", power=[(START_NS - S, 7.0)])
    rig = Rig(broken, sound)
    rig.run(100 * MS)
    assert rig.sampler.state(1).errors == 0
    assert rig.sampler.state(1).count == counted(rig, 1)
    assert rig.window(START_NS + 10 * MS, START_NS + 90 * MS, 1).flags == frozenset()


def test_a_hundred_failures_in_a_row_make_it_gone_and_it_returns_as_a_new_epoch():
    back = START_NS + 8 * S
    channel = steady(events=[("gone", START_NS + S, back), ("reset", back - S, 77)])
    rig = Rig(channel, slots=16384)
    rig.run(S + 98 * MS)
    assert not rig.sampler.state(0).is_gone
    rig.run(MS)
    assert rig.sampler.state(0).is_gone
    assert rig.source.reopens == 0
    gone = rig.sampler.state(0).count
    rig.run(5 * S)
    # Asked for after five seconds, not at every tick; it was too early.
    assert rig.source.reopens == 1
    assert rig.sampler.state(0).count == gone
    rig.run(6 * S)
    assert rig.source.reopens == 2
    state = rig.sampler.state(0)
    assert not state.is_gone
    assert state.errors_in_row == 0
    returned = START_NS + S + 99 * MS + 10 * S
    assert state.count - gone <= channel.counts(rig.ops.now_ns) - channel.counts(returned)
    seen = rig.window(START_NS + 500 * MS, START_NS + 12 * S)
    assert {"ERR", "GAP", "RESET"} <= seen.flags
    assert seen.contains(rig.true_fj(START_NS + 500 * MS, START_NS + 12 * S))
    reading = rig.sampler.resolve(rig.ops.now_ns)
    assert 9 * S < reading.gap_ns < 11 * S


def test_frozen_counter_is_stale_and_its_bound_grows():
    channel = steady(events=[("freeze", START_NS + S, START_NS + 11 * S)])
    rig = Rig(channel, slots=16384)
    rig.run(2 * S)
    assert "STALE" in rig.flags()[-1]
    early = rig.window(START_NS + 500 * MS, START_NS + 1500 * MS)
    assert early.contains(rig.true_fj(START_NS + 500 * MS, START_NS + 1500 * MS))
    widths = []
    for _ in range(4):
        rig.run(2 * S)
        seen = rig.window(START_NS + 500 * MS, rig.ops.now_ns)
        assert seen.contains(rig.true_fj(START_NS + 500 * MS, rig.ops.now_ns))
        widths.append(seen.width_uj)
    assert widths == sorted(widths)
    assert widths[-1] > 2.9 * widths[0]
    rig.run(2 * S)
    # It caught up.
    assert "STALE" not in rig.flags()[-1]
    assert rig.sampler.state(0).count == counted(rig)
    assert {"STALE"} <= rig.window(START_NS + 500 * MS, START_NS + 11500 * MS).flags


def test_idle_sensor_that_is_read_slowly_is_not_stale():
    rig = Rig(steady(0.0), period_ns=100 * MS)
    rig.run(10 * S)
    assert "STALE" not in all_flags(rig)
    assert not rig.sampler.state(0).has_moved


def test_suspend_is_seen_in_the_boot_clock():
    rig = Rig(steady())
    rig.run(2 * S)
    rig.ops.suspend(3600 * S)
    rig.run(2 * S)
    assert {"SUSPEND"} <= rig.window(START_NS + S, START_NS + 3500 * MS).flags
    assert sum("SUSPEND" in flags for flags in rig.flags()) == 1
    assert rig.sampler.state(0).count == counted(rig)


def test_step_of_the_wall_clock_changes_nothing():
    plain, stepped = Rig(steady()), Rig(steady())
    for rig in (plain, stepped):
        rig.run(S)
        if rig is stepped:
            rig.ops.step_utc(-86400 * S)
        rig.run(S)
    for ms in range(5, 1990, 17):
        assert plain.at(START_NS + ms * MS) == stepped.at(START_NS + ms * MS)
    assert all_flags(stepped) == all_flags(plain)


def test_slow_read_is_flagged_and_its_bracket_is_the_bound():
    channel = steady(events=[("slow", START_NS + 100 * MS, 200 * MS, 2)])
    rig = Rig(channel)
    rig.run(S)
    rows = rig.sampler.snapshot()[0]
    slow = [row for row, flags in zip(rows, rig.flags(), strict=True) if "SLOW" in flags]
    assert len(slow) == 1
    assert abs(int(slow[0]["h_ns"]) - 100 * MS) <= 2
    for end in (50, 150, 250, 350, 450, 550):
        seen = rig.window(START_NS + 20 * MS, START_NS + end * MS)
        assert seen.contains(rig.true_fj(START_NS + 20 * MS, START_NS + end * MS)), end


def test_slow_read_is_repeated_at_once_and_the_tighter_bracket_kept():
    rig = Rig(steady(events=[("slow", START_NS + 100 * MS, 5 * MS, 1)]), read_ns=2000)
    rig.run(200 * MS)
    rows = rig.sampler.snapshot()[0]
    assert sum("SLOW" in flags for flags in rig.flags()) == 1
    assert int(rows["h_ns"].max()) <= 1001
    assert rig.sampler.state(0).count == counted(rig)


@pytest.mark.slow
def test_ten_million_ticks_across_forty_wraps_are_exact():
    channel = steady(1060.0, jitter=0.1)
    rig = Rig(channel)
    rig.run(MS)
    first = rig.ops.now_ns
    rig.sampler.step(10_000_000, MS)
    turns = channel.counts(rig.ops.now_ns) // 2**32 - channel.counts(first) // 2**32
    assert turns >= 40
    assert rig.sampler.state(0).count == channel.counts(rig.ops.now_ns) - channel.counts(first)
    assert rig.sampler.resolve(rig.ops.now_ns + 1).ticks == 10_000_001
    assert rig.at(rig.ops.now_ns).lost_uj == 0


def test_new_epoch_is_not_lost_when_its_first_read_is_slow():
    returned = START_NS + S + 99 * MS + 5 * S
    events = [
        ("gone", START_NS + S, START_NS + 2 * S),
        ("reset", START_NS + 3 * S, 10**7),
        ("slow", returned, MS, 1),
    ]
    rig = Rig(steady(events=events), slots=16384)
    rig.run(8 * S)
    assert {"SLOW"} <= all_flags(rig)
    assert rig.sampler.state(0).errors_in_row == 0
    t0, t1 = START_NS + 500 * MS, START_NS + 7 * S
    assert {"RESET"} <= rig.window(t0, t1).flags
    assert rig.window(t0, t1).contains(rig.true_fj(t0, t1))


def test_slow_read_is_not_given_up_for_a_failed_one():
    events = [
        ("slow", START_NS + 50 * MS, 200_000, 1),
        ("error", START_NS + 50 * MS + 200_000, START_NS + 50 * MS + 300_000, errno.EIO),
    ]
    rig = Rig(steady(events=events))
    rig.run(100 * MS)
    assert {"SLOW"} <= all_flags(rig)
    assert rig.sampler.state(0).errors == 0
    assert rig.sampler.state(0).count == counted(rig)


def test_sampler_with_one_rate_learns_periods_and_sees_stalls():
    channel = steady(update_ns=100 * MS, events=[("freeze", START_NS + 20 * S, START_NS + 40 * S)])
    ops = VirtualOps(start_ns=START_NS)
    sampler = Sampler([SimSource([channel], ops=ops)], idle_period_ns=50 * MS, slots=1024, coarse_slots=0, ops=ops)
    sampler.step(20 * 20, 50 * MS)
    assert sampler.state(0).update_period_ns == 100 * MS
    sampler.step(10 * 20, 50 * MS)
    assert "STALE" in flag_names(int(sampler.snapshot()[0]["flags"][-1]))


def test_time_without_knowledge_is_counted_once_for_channels_that_fail_together():
    events = [("gone", START_NS + S, START_NS + 2 * S)]
    channels = [steady(name=name, events=events) for name in ("package-0", "package-1", "package-2")]
    rig = Rig(*channels, slots=16384)
    rig.run(8 * S)
    gap_ns = rig.sampler.resolve(rig.ops.now_ns).gap_ns
    assert abs(gap_ns - 5100 * MS) < 5 * MS


@pytest.mark.parametrize("start", [0, 2**32 - 10])
@pytest.mark.parametrize("modulus", [0, 2**32])
def test_slow_counter_may_jump_right_after_the_first_reading(modulus, start):
    # Written every 100 ms, for the first time half a millisecond after the first reading: 15 J at once.
    channel = steady(150.0, update_ns=100 * MS, phase_ns=1500 * US, start=start, **{**INTEL, "modulus": modulus})
    rig = Rig(channel, ops=VirtualOps(start_ns=START_NS + 100 * MS))
    rig.run(400 * MS)
    assert not all_flags(rig) & {"GAP", "RESET"}
    assert rig.sampler.state(0).count == counted(rig)


@pytest.mark.parametrize("is_twice", [False, True])
@pytest.mark.parametrize("stall_ns", [S, 8 * S, 10 * S, 20 * S, 3600 * S])
def test_bound_holds_around_a_read_that_stalls(stall_ns, is_twice):
    """However wide the bracket is, the reading may have been made anywhere inside."""
    events = [("slow", START_NS + 50 * MS, stall_ns, 1 + is_twice)]
    for seed in range(8):
        ops = VirtualOps(start_ns=START_NS)
        channel = steady(20.0, events=events)
        sampler = Sampler(
            [SimSource([channel], ops=ops, read_ns=2000, seed=seed)], idle_period_ns=MS, slots=1024, ops=ops
        )
        sampler.step(200, MS)
        assert any("SLOW" in flag_names(int(bits)) for bits in sampler.snapshot()[0]["flags"])
        first, end = sampler.resolve(START_NS + 10 * MS), ops.now_ns - 10 * MS
        for part in range(1, 50):
            t = START_NS + 40 * MS + (end - START_NS - 40 * MS) * part // 50
            assert window(first, sampler.resolve(t)).contains(channel.true_energy_fj(START_NS + 10 * MS, t))
            assert window(sampler.resolve(t), sampler.resolve(end)).contains(channel.true_energy_fj(t, end))
