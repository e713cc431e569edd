"""Units and ranges of RAPL counters, against figures that the kernel publishes."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecarbon.hardware import rapl_units as ru

INTEL = "GenuineIntel"
SKYLAKE_CLIENT, HASWELL_X, BROADWELL_D, SAPPHIRE_RAPIDS, EMERALD_RAPIDS, BAY_TRAIL = 0x5E, 0x3F, 0x56, 0x8F, 0xCF, 0x37
ESU_14, ESU_16 = 0xA0E03, 0xA1003  # unit registers as real machines hold them


def test_unit_field_is_bits_12_to_8():
    assert ru.get_esu(ESU_14) == 14
    assert ru.get_esu(ESU_16) == 16
    assert ru.get_esu(0xFFFF_FFFF_FFFF_EEFF & ~0x1F00 | 14 << 8) == 14


@pytest.mark.parametrize("esu", [0, 2, 21, 31])
def test_unit_register_of_a_pretender_is_refused(esu):
    with pytest.raises(ValueError, match="expected 3 to 20"):
        ru.get_esu(esu << 8)


def test_usual_units_are_exact_powers_of_two():
    assert ru.unit_from_esu(14) == (15625, 256)  # 61.03515625 uJ
    assert ru.unit_from_esu(16) == (15625, 1024)


def test_client_counts_everything_in_the_register_s_unit():
    units = ru.get_units(INTEL, 6, SKYLAKE_CLIENT, ESU_14)
    assert units == dict.fromkeys(["package", "core", "uncore", "dram", "psys"], ru.unit_from_esu(14))


@pytest.mark.parametrize("model", [HASWELL_X, 0x4F, BROADWELL_D, 0x55, 0x6A, 0x6C, 0x57, 0x85])
def test_server_memory_has_its_own_unit(model):
    units = ru.get_units(INTEL, 6, model, ESU_14)
    assert units["dram"] == ru.unit_from_esu(16)
    assert units["package"] == ru.unit_from_esu(14)


@pytest.mark.parametrize("model", [SAPPHIRE_RAPIDS, EMERALD_RAPIDS])
def test_sapphire_rapids_counts_the_platform_in_joules_and_memory_as_usual(model):
    units = ru.get_units(INTEL, 6, model, ESU_14)
    assert units["psys"] == (1_000_000, 1)
    assert units["dram"] == units["package"] == ru.unit_from_esu(14)


@pytest.mark.parametrize("model", [BAY_TRAIL, 0x4A, 0x4C, 0x4D, 0x5A, 0x75])
def test_silvermont_field_is_the_exponent_of_microjoules(model):
    assert ru.get_units(INTEL, 6, model, 5 << 8)["package"] == (32, 1)


@pytest.mark.parametrize(("vendor", "family"), [("AuthenticAMD", 0x17), ("AuthenticAMD", 0x1A), ("HygonGenuine", 0x18)])
def test_amd_has_package_only_and_no_exception_of_intel_s(vendor, family):
    registers = ru.find_registers(vendor, family)
    assert registers is not None
    assert registers.unit == 0xC0010299
    assert registers.energy == {"package": 0xC001029B}
    # Model 0x8F of AMD is no Sapphire Rapids.
    assert ru.get_units(vendor, family, SAPPHIRE_RAPIDS, ESU_16) == {"package": ru.unit_from_esu(16)}


@pytest.mark.parametrize(
    ("vendor", "family"), [("AuthenticAMD", 0x15), ("GenuineIntel", 15), ("CentaurHauls", 7), ("", 6)]
)
def test_other_processors_have_no_known_registers(vendor, family):
    assert ru.find_registers(vendor, family) is None
    with pytest.raises(ValueError, match="no RAPL registers"):
        ru.get_units(vendor, family, 1, ESU_14)


def test_kernel_s_perf_scale_is_two_to_the_minus_32():
    assert Fraction(*ru.get_perf_unit("2.3283064365386962890625e-10\n")) == Fraction(10**6, 2**32)
    assert ru.get_perf_unit("2.3283064365386963e-10") == ru.get_perf_unit("2.3283064365386962890625e-10")


@pytest.mark.parametrize(
    ("text", "uj_per_count"),
    [("1e-9", Fraction(1, 1000)), ("1.5e-7", Fraction(3, 20)), ("0.001", Fraction(1000)), ("1E-6", Fraction(1))],
)
def test_other_perf_scales_mean_what_they_say(text, uj_per_count):
    assert Fraction(*ru.get_perf_unit(text)) == uj_per_count


@pytest.mark.parametrize(
    "text", ["", "Joules", "0", "-1e-9", "nan", "inf", "1e300", "1e-300", "1.000000000000000000001e-9"]
)
def test_senseless_perf_scale_is_refused(text):
    with pytest.raises(ValueError, match=r"scale|float"):
        ru.get_perf_unit(text)


@pytest.mark.parametrize(
    ("range_uj", "unit_nj", "quantum"),
    [(262143328850, 61035, 62), (65712999613, 15300, 16), (65532610987, 15258, 16), (4294967295000000, 10**9, 10**6)],
)
def test_powercap_ranges_of_real_machines(range_uj, unit_nj, quantum):
    found = ru.get_powercap_range(range_uj)
    assert found == (unit_nj * 2**32 // 1000, quantum, False)


@given(st.integers(min_value=1, max_value=10**9))
def test_range_of_any_whole_unit_gives_the_modulus_one_unit_above(unit_nj):
    found = ru.get_powercap_range(unit_nj * (2**32 - 1) // 1000)
    assert found.modulus == unit_nj * 2**32 // 1000
    assert not found.is_assumed


def test_range_of_another_shape_wraps_right_after_its_largest_value():
    assert ru.get_powercap_range(999_999) == (1_000_000, 1, False)


@pytest.mark.parametrize("range_uj", [None, 0, -1])
def test_missing_range_is_assumed_and_said(range_uj):
    found = ru.get_powercap_range(range_uj)
    assert found.is_assumed
    assert found.modulus == ru.get_powercap_range(262143328850).modulus


def test_totals_of_the_kernels_unit_last_for_centuries_in_64_bits() -> None:
    unit = ru.get_perf_unit("2.3283064365386962890625e-10\n")
    shift = ru.get_perf_shift(unit)
    uj_per_count = Fraction(*unit) * 2**shift
    years_at_1_kw = 2**64 * uj_per_count / 10**9 / (365 * 86_400)
    assert years_at_1_kw > 1000
    assert uj_per_count <= Fraction(10**6, 2**ru.FIXED_DRAM_ESU), "nothing that hardware counts is left out"
    assert ru.get_perf_shift(ru.get_perf_unit("1e-9")) == 0


@pytest.mark.parametrize(("kind", "step_j"), [("package", 2**-14), ("dram", 2**-14), ("psys", 1.0)])
def test_a_perf_reading_lags_its_energy_by_no_more_than_its_step(kind: str, step_j: float) -> None:
    unit = ru.get_perf_unit("2.3283064365386962890625e-10")
    shift = ru.get_perf_shift(unit)
    assert ru.get_perf_quantum(kind, shift) * 2**shift * Fraction(*unit) == Fraction(step_j) * 10**6
    assert ru.get_perf_quantum(kind, 0) == 1
