"""Numbers, durations, deadlines and powers as people write them, for the interfaces and the decorator."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from codecarbon import units

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

DURATION_FORMS = "a duration above 0 and of a year at most, such as 90m, 3h, 1h30m, 2d or PT3H"
TIME_FORMS = "a time such as 2030-05-17T08:00 (local time) or 2030-05-17T08:00Z"
POWER_FORMS = "a power above 0 such as 300W or 1.2kW"
PERCENT_FORMS = "a percentage from 0 to 100, such as 5 or 2.5%"

_NUMBER = r"(\d+(?:\.\d+)?)"
_SHORT = re.compile(rf"(?:{_NUMBER}d)?(?:{_NUMBER}h)?(?:{_NUMBER}m(?:in)?)?(?:{_NUMBER}s)?", re.ASCII | re.IGNORECASE)
# ISO 8601-1, 5.5.2: without years and months, whose lengths differ.
_ISO = re.compile(
    rf"P(?:{_NUMBER}W)?(?:{_NUMBER}D)?(?:T(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?", re.ASCII | re.IGNORECASE
)
_SHORT_US = (units.US_PER_DAY, units.US_PER_HOUR, units.US_PER_MIN, units.US_PER_S)
_ISO_US = (7 * units.US_PER_DAY, *_SHORT_US)
_OFFSET = re.compile(r"(?:[Zz]|[+-]\d\d:?(?:\d\d)?)$")
_TIME_OF_DAY = re.compile(r"[Tt ]\d")
_POWER = re.compile(rf"{_NUMBER}\s*(k?)W?", re.ASCII | re.IGNORECASE)
_PERCENT = re.compile(rf"{_NUMBER}\s*%?", re.ASCII)
_LONGEST_S = units.s_from_us(366 * units.US_PER_DAY)
_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1


def read_int32(text: str) -> int:
    """Read a whole number of 32 bits.

    Raises:
        ValueError: It is none.
    """
    stripped = text.strip()
    if not re.fullmatch(r"[+-]?\d{1,10}", stripped, re.ASCII):
        raise ValueError(f"{stripped!r} is not a whole number")
    number = int(stripped)
    if not _INT32_MIN <= number <= _INT32_MAX:
        raise ValueError(f"{number} does not fit into 32 bits")
    return number


def parse_duration_s(duration: str | float | timedelta) -> float:
    """Read a duration, s.

    Args:
        duration: A text with its units, short (``1h30m``) or ISO 8601 (``PT1H30M``); a number of seconds; or a
            ``timedelta``.

    Raises:
        ValueError: It is none of these, not above 0, or longer than a year.
    """
    if isinstance(duration, str):
        duration_s = _text_duration_s(duration.strip())
    else:
        total_seconds = getattr(duration, "total_seconds", None)
        if total_seconds is None and (isinstance(duration, bool) or not isinstance(duration, (int, float))):
            raise ValueError(f"{duration!r} is not {DURATION_FORMS}")
        duration_s = float(total_seconds() if total_seconds else duration)  # type: ignore[arg-type]
    if not 0 < duration_s <= _LONGEST_S:  # also false for NaN
        raise ValueError(f"{duration!r} is not {DURATION_FORMS}")
    return duration_s


def _text_duration_s(text: str) -> float:
    for pattern, factors_us in ((_SHORT, _SHORT_US), (_ISO, _ISO_US)):
        match = pattern.fullmatch(text)
        if match and any(match.groups()):
            parts = zip(match.groups(), factors_us, strict=True)
            return units.s_from_us(round(sum(float(part) * factor_us for part, factor_us in parts if part)))
    raise ValueError(f"{text!r} is not {DURATION_FORMS}")


def parse_time_us(time: str | datetime) -> int:
    """Read a moment, UTC microseconds since 1970.

    Args:
        time: ISO 8601, in local time unless it has an offset; or an aware ``datetime``.

    Raises:
        ValueError: It is neither, or its local time does not exist or exists twice.
    """
    if not isinstance(time, str):
        if getattr(time, "utcoffset", None) is None or time.utcoffset() is None:
            raise ValueError(f"{time!r} is not {TIME_FORMS}, nor a datetime with a time zone")
        return units.us_from_iso(time.isoformat())
    text = time.strip()
    if "T" in text.upper() or " " in text:
        has_offset = _OFFSET.search(_TIME_OF_DAY.split(text, maxsplit=1)[-1]) is not None
    else:
        has_offset = False
    try:
        as_utc_us = units.us_from_iso(text)
    except ValueError as error:
        raise ValueError(f"{time!r} is not {TIME_FORMS}") from error
    return as_utc_us if has_offset else _local_us(as_utc_us, text)


def _local_us(as_utc_us: int, text: str) -> int:
    """Move a moment that was read as UTC to the local time that it really is."""
    from datetime import datetime, timedelta, timezone

    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    naive = (epoch + timedelta(microseconds=as_utc_us)).replace(tzinfo=None)
    first, second = (naive.replace(fold=fold).astimezone(timezone.utc) for fold in (0, 1))
    if first != second:
        raise ValueError(f"{text!r} does not name one moment, since clocks change then: add an offset such as +01:00")
    return (first - epoch) // timedelta(microseconds=1)


def parse_power_w(power: str | float) -> float:
    """Read a power, W.

    Args:
        power: A number of watts, or a text in W or kW.

    Raises:
        ValueError: It is neither, or not above 0.
    """
    match = _POWER.fullmatch(str(power).strip())
    if match is None or isinstance(power, bool):
        raise ValueError(f"{power!r} is not {POWER_FORMS}")
    power_w = float(match[1])
    if match[2]:
        power_w = units.w_from_kw(power_w)
    if not 0 < power_w < math.inf:
        raise ValueError(f"{power!r} is not {POWER_FORMS}")
    return power_w


def parse_percent_ratio(percent: str | float) -> float:
    """Read a percentage, and return it as a ratio.

    Args:
        percent: A number, or a text with or without the sign.

    Raises:
        ValueError: It is neither, or not from 0 to 100.
    """
    if isinstance(percent, str):
        match = _PERCENT.fullmatch(percent.strip())
        number = float(match[1]) if match else math.nan
    else:
        number = math.nan if isinstance(percent, bool) else percent
    if not 0 <= number <= units.PERCENT_PER_ONE:  # also false for NaN
        raise ValueError(f"{percent!r} is not {PERCENT_FORMS}")
    return units.ratio_from_percent(number)


def parse_keys(regions: str | Sequence[str]) -> tuple[str, ...]:
    """Read location keys: one text with commas, or several texts; blanks and repetitions are dropped."""
    texts = [regions] if isinstance(regions, str) else list(regions)
    keys = [key.strip() for text in texts for key in text.split(",")]
    return tuple(dict.fromkeys(key for key in keys if key))
