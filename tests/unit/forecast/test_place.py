"""Where to run: forecasts of several places against each other, and what moving costs."""

from __future__ import annotations

import pytest

from codecarbon.errors import InvalidParameters, NotCovered, WindowInfeasible
from codecarbon.forecast import best_place, best_window, rank_places
from codecarbon.model.series import IntensityPoint, IntensitySeries

MIN = 60_000_000
T0 = 1_640_995_200_000_000


def series(values, step=60, start=0):
    return [IntensityPoint(T0 + (start + i * step) * MIN, step * MIN, float(value)) for i, value in enumerate(values)]


PLACES = {"DE": series([400, 300, 350]), "SE": series([50, 40, 45]), "FR": series([60, 30, 80])}


def test_places_are_ranked_by_their_best_windows():
    ranked = rank_places(PLACES, 3600, now_us=T0)
    assert [(choice.place, choice.intensity_g_per_kwh) for choice in ranked] == [
        ("FR", 30.0),
        ("SE", 40.0),
        ("DE", 300.0),
    ]
    assert ranked[0].window == best_window(PLACES["FR"], 3600, now_us=T0)
    assert ranked[0].home_now_intensity_g_per_kwh == 400.0
    assert ranked[0].saving_ratio == pytest.approx(1 - 30 / 400)
    assert best_place(PLACES, 3600, now_us=T0) == ranked[0]


def test_a_move_costs_mass():
    # From Sweden to France saves 10 g/kWh: 20 g for 2 kWh.
    assert best_place(PLACES, 3600, home="SE", move_cost_g=19, energy_kwh=2.0).place == "FR"
    stay = best_place(PLACES, 3600, home="SE", move_cost_g=21, energy_kwh=2.0)
    assert (stay.place, stay.move_g_per_kwh) == ("SE", 0.0)
    moved = rank_places(PLACES, 3600, home="SE", move_cost_g=21, energy_kwh=2.0)[1]
    assert (moved.place, moved.move_g_per_kwh, moved.intensity_g_per_kwh) == ("FR", 10.5, 40.5)
    assert rank_places(PLACES, 3600, home="SE", move_cost_g_per_kwh=10.5)[1] == moved
    assert best_place(PLACES, 3600, home="SE", move_cost_g_per_kwh=9.5).place == "FR"


def test_a_move_costs_energy_at_its_dirtier_end():
    ranked = rank_places(PLACES, 3600, home="SE", move_energy_kwh=0.2, energy_kwh=2.0, now_us=T0)
    assert {choice.place: choice.move_g_per_kwh for choice in ranked} == {
        "SE": 0.0,
        "FR": pytest.approx(0.2 * 60 / 2),
        "DE": pytest.approx(0.2 * 400 / 2),
    }
    longer = rank_places(PLACES, 3600, home="SE", move_energy_kwh=0.2, move_time_s=5400, energy_kwh=2.0)
    by_place = {choice.place: choice for choice in longer}
    assert by_place["FR"].move_g_per_kwh == pytest.approx(0.2 * (60 * 60 + 30 * 30) / 90 / 2)


def test_a_move_takes_time():
    late = {choice.place: choice for choice in rank_places(PLACES, 3600, home="DE", move_time_s=7200, now_us=T0)}
    assert late["FR"].window.start_us == T0 + 120 * MIN
    assert late["FR"].intensity_g_per_kwh == 80.0
    assert late["DE"].window.start_us == T0 + 60 * MIN
    # A move may be over before the run may start.
    early = rank_places(PLACES, 3600, home="DE", move_time_s=1800, now_us=T0, earliest_us=T0 + 60 * MIN)
    assert early[0].window.start_us == T0 + 60 * MIN


def test_a_place_where_it_does_not_fit_is_left_out():
    ranked = rank_places(PLACES, 3600, home="DE", move_time_s=7201, now_us=T0)
    assert [choice.place for choice in ranked] == ["DE"]
    with pytest.raises(WindowInfeasible, match=r"DE: .*; SE: .*; FR: "):
        rank_places(PLACES, 4 * 3600)


def test_staying_wins_ties_and_then_the_order():
    equal = {"a": series([100]), "b": series([100.00000001]), "c": series([100])}
    assert [choice.place for choice in rank_places(equal, 3600, home="b")] == ["b", "a", "c"]
    assert [choice.place for choice in rank_places(equal, 3600)] == ["a", "c", "b"]
    assert best_place(equal | {"b": series([100.001])}, 3600, home="b").place == "a"


def test_signals_are_never_mixed():
    mixed = {
        "a": IntensitySeries(tuple(series([1])), zone="a", source="s"),
        "b": IntensitySeries(tuple(series([1])), zone="b", source="s", signal="marginal"),
    }
    with pytest.raises(InvalidParameters, match="average and marginal"):
        rank_places(mixed, 3600)


@pytest.mark.parametrize(
    ("places", "options", "field"),
    [
        ({}, {}, "locations"),
        (PLACES, {"home": "XX"}, "home"),
        (PLACES, {"move_cost_g": 1.0}, "energy"),
        (PLACES, {"move_cost_g": -1.0}, "move_cost"),
        (PLACES, {"move_cost_g_per_kwh": -1.0}, "move_intensity"),
        (PLACES, {"move_time_s": float("inf")}, "move_time"),
        (PLACES, {"move_energy_kwh": float("nan")}, "move_energy"),
    ],
)
def test_what_cannot_be_is_refused(places, options, field):
    with pytest.raises(InvalidParameters) as caught:
        rank_places(places, 3600, **options)
    assert caught.value.problems[0][0] == field


def test_a_move_that_nobody_can_price_is_an_error():
    with pytest.raises(NotCovered):
        rank_places(PLACES, 3600, move_energy_kwh=1.0, energy_kwh=1.0, now_us=T0 - 600 * MIN)
