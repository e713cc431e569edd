"""Exact constants and the only unit conversions in the code base.

Sources: 1 kWh = 3.6e6 J by definition of the watt hour (SI brochure, table 8); the avoirdupois pound is exactly
0.45359237 kg (international yard and pound agreement, 1959).
"""

NS_PER_S = 1_000_000_000
NS_PER_US = 1_000
US_PER_S = 1_000_000
US_PER_MIN = 60_000_000
US_PER_HOUR = 3_600_000_000
US_PER_DAY = 86_400_000_000
MS_PER_S = 1_000
UJ_PER_J = 1_000_000
UW_PER_W = 1_000_000
MJ_PER_J = 1_000
J_PER_KWH = 3_600_000.0
G_PER_KG = 1000.0
KG_PER_LB = 0.45359237
UG_PER_KG = 1_000_000_000
UG_PER_LB = 453_592_370
BYTES_PER_KIB = 1024
BYTES_PER_GIB = 1024**3
SECONDS_PER_HOUR = 3600.0
MIN_PER_HOUR = 60
W_PER_KW = 1000.0
MW_PER_W = 1000.0
PERCENT_PER_ONE = 100.0
# Less is told as such, since it is not nothing.


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


def us_from_s(duration_s: float) -> int:
    """Convert seconds to whole microseconds, rounding to the nearest."""
    return round(duration_s * US_PER_S)


def s_from_us(duration_us: int) -> float:
    """Convert microseconds to seconds."""
    return duration_us / US_PER_S


def us_from_ns(duration_ns: int) -> int:
    """Convert nanoseconds to whole microseconds, rounding down."""
    return duration_ns // NS_PER_US


def us_from_min(duration_min: float) -> int:
    """Convert minutes to whole microseconds, rounding to the nearest."""
    return round(duration_min * US_PER_MIN)


def us_from_iso(text: str) -> int:
    """Convert an ISO 8601 date, or date and time, to UTC microseconds since 1970.

    Accepts what services send: ``Z`` or an offset with or without its colon, no offset (UTC), no seconds, one-digit
    hours, and any number of decimals, of which six count.

    Raises:
        ValueError: It is no such text, or no such time exists.
    """
    import re
    from datetime import datetime, timedelta, timezone

    match = re.fullmatch(
        r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?"
        r"\s*(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)?)?",
        text.strip(),
        re.ASCII,
    )
    if match is None:
        raise ValueError(f"{text!r} is no ISO 8601 time")
    year, month, day, hour, minute, second, decimals, sign, offset_h, offset_min = match.groups()
    offset = timedelta(hours=int(offset_h or 0), minutes=int(offset_min or 0)) * (-1 if sign == "-" else 1)
    parts = [int(part or 0) for part in (year, month, day, hour, minute, second, (decimals or "0").ljust(6, "0")[:6])]
    try:
        moment = datetime(*parts, tzinfo=timezone(offset))  # type: ignore[misc, arg-type]
    except ValueError as error:
        raise ValueError(f"{text!r} is no time: {error}") from error
    return (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1)


def iso_from_us(unix_us: int) -> str:
    """Convert UTC microseconds since 1970 to ISO 8601 with ``Z``, with decimals only where there are some."""
    from datetime import datetime, timedelta, timezone

    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=unix_us)
    return moment.replace(tzinfo=None).isoformat() + "Z"


def g_per_kwh_from_lb_per_mwh(intensity_lb_per_mwh: float) -> float:
    """Convert pounds per megawatt hour to grams per kilowatt hour."""
    return intensity_lb_per_mwh * KG_PER_LB


def kg_from_g(mass_g: float) -> float:
    """Convert grams to kilograms."""
    return mass_g / G_PER_KG


def ug_from_kg(mass_kg: float) -> int:
    """Convert kilograms to whole micrograms, rounding down.

    The number counts as it is written: 0.29 kg are 290 000 000 µg, although the nearest binary fraction is a little
    less.

    Raises:
        ValueError: It is not finite.
    """
    import math
    from decimal import Context, Decimal

    if not math.isfinite(mass_kg):
        raise ValueError(f"{mass_kg!r} kg is no mass")
    # A double has at most 17 digits, and the factor ten: nothing is rounded at 40, whatever context the program set.
    product = Context(prec=40).multiply(Decimal(repr(float(mass_kg))), Decimal(UG_PER_KG))
    return math.floor(product)


def kg_from_ug(mass_ug: int) -> float:
    """Convert micrograms to kilograms."""
    return mass_ug / UG_PER_KG


def ug_from_lb(pounds: int) -> int:
    """Convert whole pounds to micrograms, exactly."""
    return pounds * UG_PER_LB


def lb_from_ug(mass_ug: int) -> int:
    """Convert micrograms to whole pounds, rounding down."""
    return mass_ug // UG_PER_LB


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


def words_from_us(duration_us: int) -> str:
    """Write a duration for people, µs: ``100 h``, ``23 h 58 min 47.8 s``; nothing is rounded away."""
    hours, rest_us = divmod(duration_us, US_PER_HOUR)
    minutes, rest_us = divmod(rest_us, US_PER_MIN)
    seconds = f"{rest_us / US_PER_S:.6f}".rstrip("0").rstrip(".")
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else "", f"{seconds} s" if rest_us else ""]
    return " ".join(filter(None, parts)) or "0 s"


def ratio_from_percent(percent: float) -> float:
    """Convert percent to a ratio."""
    return percent / PERCENT_PER_ONE


def percent_from_ratio(ratio: float, *, decimals: int = 0) -> str:
    """Write a ratio in percent, whole ones unless told otherwise; only a true 0 or 1 becomes 0 % or 100 %."""
    least_shown = 10.0**-decimals
    if 0 < ratio < ratio_from_percent(least_shown):
        return f"< {least_shown:g} %"
    if 0 < 1 - ratio < ratio_from_percent(least_shown):
        return f"> {PERCENT_PER_ONE - least_shown:g} %"
    return f"{ratio:.{decimals}%}".replace("%", " %")
