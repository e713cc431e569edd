"""Power where no sensor tells: check values of the published formulas, and the mistakes once made with them."""

from __future__ import annotations

import pytest

from codecarbon.hardware import models


@pytest.mark.parametrize(
    ("ram_gib", "count"),
    [
        *[(1, 1), (2, 1), (8, 2), (16, 2), (17, 4), (32, 4), (64, 4), (65, 8), (128, 8)],
        *[(200, 13), (256, 8), (512, 8), (1024, 8), (2048, 16), (4096, 32), (8192, 32)],
    ],
)
def test_modules_behind_an_amount_of_memory(ram_gib, count):
    assert models.dimm_count(ram_gib) == count


@pytest.mark.parametrize(
    ("ram_gib", "power_w"), [(2, 10.0), (8, 10.0), (32, 20.0), (128, 38.0), (2048, 70.0), (4096, 126.0)]
)
def test_memory_power_check_values(ram_gib, power_w):
    assert models.ram_power_w(ram_gib, is_arm=False) == pytest.approx(power_w)


def test_arm_memory_draws_less_and_has_a_lower_floor():
    assert models.ram_power_w(8, is_arm=True) == 3.0
    assert models.ram_power_w(32, is_arm=True) == pytest.approx(6.0)


@pytest.mark.parametrize("ram_gib", [0, -1, float("nan")])
def test_unknown_memory_has_no_modelled_power(ram_gib):
    with pytest.raises(ValueError, match="positive"):
        models.ram_power_w(ram_gib, is_arm=False)


def test_d19_small_process_is_not_charged_the_machine_s_floor():
    machine_w = models.ram_power_w(32, is_arm=False)
    share_w = models.process_ram_power_w(machine_w, resident_bytes=64 << 20, total_bytes=32 << 30)
    assert share_w == pytest.approx(20.0 * 64 / (32 * 1024))


def test_shared_pages_counted_twice_never_charge_more_than_the_machine():
    assert models.process_ram_power_w(20.0, resident_bytes=5, total_bytes=4) == 20.0


def test_share_of_unknown_memory_is_refused():
    with pytest.raises(ValueError, match="positive"):
        models.process_ram_power_w(20.0, 1, 0)


def ceiling(tdp_w, **facts):
    return models.cpu_power_ceiling(tdp_w, **{"sockets": 2, "logical_cpus": 64, "is_virtual": False, **facts})


def test_rated_power_counts_per_socket():
    assert ceiling(150.0).power_w == 300.0


def test_d18_unknown_cpu_is_not_multiplied_by_sockets():
    assert ceiling(None).power_w == 256.0
    assert ceiling(None, sockets=1).power_w == 256.0


def test_guest_is_not_charged_for_the_whole_chip():
    guest = ceiling(350.0, sockets=1, logical_cpus=2, is_virtual=True)
    assert guest.power_w == 8.0
    assert "2 virtual processors" in guest.reason
    assert "350 W" in guest.reason


def test_guest_with_the_whole_chip_is_charged_its_rated_power():
    assert ceiling(100.0, sockets=1, logical_cpus=64, is_virtual=True).power_w == 100.0


def test_guest_with_an_unknown_number_of_processors_keeps_the_rated_power():
    assert ceiling(100.0, sockets=1, logical_cpus=0, is_virtual=True).power_w == 100.0


def test_forced_power_wins_over_everything():
    forced = ceiling(150.0, is_virtual=True, forced_w=42.0)
    assert forced == (42.0, "force_cpu_power: 42 W")


def test_nothing_known_is_said():
    unknown = ceiling(None, logical_cpus=0)
    assert unknown.power_w == 85.0
    assert "nothing known" in unknown.reason


def test_unknown_number_of_sockets_is_one():
    assert ceiling(65.0, sockets=0).power_w == 65.0
