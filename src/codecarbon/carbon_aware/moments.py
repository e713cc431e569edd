"""Times and durations in the spellings of the Carbon Aware interfaces."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from codecarbon.carbon_aware.results import Moment
from codecarbon.units import MIN_PER_HOUR, US_PER_DAY, US_PER_HOUR, US_PER_MIN, US_PER_S

MAX_OFFSET_MIN = 14 * MIN_PER_HOUR  # no clock on Earth is further from UTC
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_US = timedelta(microseconds=1)
_STRICT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,7}))?)?(?:(Z)|([+-])(\d\d):(\d\d))?)?", re.ASCII
)
_LENIENT = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)(?:[Tt ](\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*(?:([Zz])|([+ -])(\d\d):?(\d\d)?)?)?",
    re.ASCII,
)


def read_moment(text: str, *, is_lenient: bool = True) -> Moment:
    """Read a date, or a date and time, with the offset it is written in; UTC when it has none.

    Args:
        text: ISO 8601, with at most seven decimals, of which six count.
        is_lenient: Also takes one-digit months, days and hours, a blank for the ``T``, and a blank for the plus sign
            of the offset, which is what a plus sign in a URL decodes to.

    Raises:
        ValueError: It is no such text, or no such time exists.
    """
    match = (_LENIENT if is_lenient else _STRICT).fullmatch(text.strip() if is_lenient else text)
    if match is None:
        raise ValueError(f"{text!r} is not a date and time in ISO 8601")
    *numbers, decimals, _, sign, offset_h, offset_m = match.groups()
    offset_min = (int(offset_h or 0) * MIN_PER_HOUR + int(offset_m or 0)) * (-1 if sign == "-" else 1)
    micros = int((decimals or "0").ljust(6, "0")[:6])
    year, month, day, hour, minute, second = (int(number or 0) for number in numbers)
    if abs(offset_min) > MAX_OFFSET_MIN:
        raise ValueError(f"{text!r} is no time: its offset is beyond 14 hours")
    if int(offset_m or 0) >= MIN_PER_HOUR:
        raise ValueError(f"{text!r} is no time: the minutes of its offset exceed 59")
    try:
        moment = datetime(year, month, day, hour, minute, second, micros, tzinfo=timezone.utc)
        unix_us = (moment - timedelta(minutes=offset_min) - _EPOCH) // _US
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is no time: {error}") from error
    return Moment(unix_us, offset_min)


def write_moment(moment: Moment) -> str:
    """Write a moment in its own offset, for example ``2022-03-01T15:30:00.5+06:00``; UTC is ``+00:00``."""
    local = _EPOCH.replace(tzinfo=None) + timedelta(microseconds=moment.unix_us, minutes=moment.offset_min)
    text = local.isoformat()
    if local.microsecond:
        text = text.rstrip("0")
    hours, minutes = divmod(abs(moment.offset_min), MIN_PER_HOUR)
    return f"{text}{'-' if moment.offset_min < 0 else '+'}{hours:02}:{minutes:02}"


def write_time(unix_us: int) -> str:
    """Write an instant in UTC, for example ``2022-03-01T15:30:00+00:00``."""
    return write_moment(Moment(unix_us))


def write_duration(duration_us: int) -> str:
    """Write a duration as ``[d.]hh:mm:ss[.ffffff]``, for example ``08:00:00`` and ``1.00:00:00``."""
    days, rest_us = divmod(abs(duration_us), US_PER_DAY)
    hours, rest_us = divmod(rest_us, US_PER_HOUR)
    minutes, rest_us = divmod(rest_us, US_PER_MIN)
    seconds, micros = divmod(rest_us, US_PER_S)
    text = f"{days}." if days else ""
    fraction = f".{micros:06}".rstrip("0") if micros else ""
    return f"{'-' if duration_us < 0 else ''}{text}{hours:02}:{minutes:02}:{seconds:02}{fraction}"


def moment_of(when: datetime) -> Moment:
    """Convert an aware datetime.

    Raises:
        ValueError: It is naive, so that nobody knows which instant it means.
    """
    offset = when.utcoffset()
    if offset is None:
        raise ValueError(f"{when!r} has no time zone; write for example datetime(..., tzinfo=timezone.utc)")
    return Moment((when - _EPOCH) // timedelta(microseconds=1), offset // timedelta(minutes=1))


def datetime_of(unix_us: int) -> datetime:
    """Convert UTC microseconds since 1970 to an aware datetime."""
    return _EPOCH + timedelta(microseconds=unix_us)
