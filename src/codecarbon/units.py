"""Exact constants and the only unit conversions in the code base.

Sources: 1 kWh = 3.6e6 J by definition of the watt hour (SI brochure, table 8); the avoirdupois pound is exactly
0.45359237 kg (international yard and pound agreement, 1959).
"""

NS_PER_S = 1_000_000_000
MS_PER_S = 1_000
UJ_PER_J = 1_000_000
UW_PER_W = 1_000_000
MJ_PER_J = 1_000
J_PER_KWH = 3_600_000.0
G_PER_KG = 1000.0
KG_PER_LB = 0.45359237
BYTES_PER_KIB = 1024
BYTES_PER_GIB = 1024**3
SECONDS_PER_HOUR = 3600.0
W_PER_KW = 1000.0
MW_PER_W = 1000.0


def j_from_uj(energy_uj: float) -> float:
    """Convert microjoules to joules."""
    return energy_uj / UJ_PER_J


def kwh_from_j(energy_j: float) -> float:
    """Convert joules to kilowatt hours."""
    return energy_j / J_PER_KWH


def j_from_kwh(energy_kwh: float) -> float:
    """Convert kilowatt hours to joules."""
    return energy_kwh * J_PER_KWH


def s_from_ns(duration_ns: int) -> float:
    """Convert nanoseconds to seconds."""
    return duration_ns / NS_PER_S


def ns_from_s(duration_s: float) -> int:
    """Convert seconds to whole nanoseconds, rounding to the nearest."""
    return round(duration_s * NS_PER_S)


def g_per_kwh_from_lb_per_mwh(intensity_lb_per_mwh: float) -> float:
    """Convert pounds per megawatt hour to grams per kilowatt hour."""
    return intensity_lb_per_mwh * KG_PER_LB


def kg_from_g(mass_g: float) -> float:
    """Convert grams to kilograms."""
    return mass_g / G_PER_KG


def gib_from_bytes(size_bytes: float) -> float:
    """Convert bytes to gibibytes."""
    return size_bytes / BYTES_PER_GIB


def j_from_mj(energy_mj: float) -> float:
    """Convert millijoules to joules."""
    return energy_mj / MJ_PER_J


def kw_from_w(power_w: float) -> float:
    """Convert watts to kilowatts."""
    return power_w / W_PER_KW


def w_from_kw(power_kw: float) -> float:
    """Convert kilowatts to watts."""
    return power_kw * W_PER_KW


def w_from_mw(power_mw: float) -> float:
    """Convert milliwatts to watts."""
    return power_mw / MW_PER_W


def h_from_s(duration_s: float) -> float:
    """Convert seconds to hours."""
    return duration_s / SECONDS_PER_HOUR
