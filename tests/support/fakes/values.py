"""Made-up intensities for fakes: the same for the same zone and time, and different for any two zones or hours."""

from __future__ import annotations

import math
from datetime import datetime, timezone
from zlib import crc32

HOUR_S = 3600
DAY_S = 24 * HOUR_S


def g_per_kwh(zone: str, start_s: float) -> float:
    """The intensity of a zone in the step that begins at a time, g/kWh."""
    base = 80 + crc32(zone.encode()) % 400
    hour = start_s / HOUR_S
    return round(base + 30 * math.cos(2 * math.pi * (hour - 19) / 24) + (start_s // 300 % 97) / 10, 1)


def iso(unix_s: float, form: str = "%Y-%m-%dT%H:%M:%S.000Z") -> str:
    """A time as services write it."""
    return datetime.fromtimestamp(unix_s, timezone.utc).strftime(form)


def unix_s(text: str) -> float:
    """A time as services read it; one without an offset is UTC.

    Raises:
        ValueError: It is none.
    """
    moment = datetime.fromisoformat(text.strip().upper().replace("Z", "+00:00"))
    return moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp()


def floor_s(time_s: float, step_s: int) -> int:
    """The beginning of the step that holds a time."""
    return int(time_s // step_s) * step_s
