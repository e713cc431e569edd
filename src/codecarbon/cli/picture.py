"""A forecast in the terminal, hour by hour, with the chosen hours set apart."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from codecarbon import units
from codecarbon.cli import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from codecarbon.carbon_aware.results import EmissionsRow
    from codecarbon.model import TimeSpan

MARK = "<"
"""Stands beside chosen rows, for terminals without colour and for eyes that do not tell colours apart."""

_HALF_HOUR_US = units.US_PER_HOUR // 2
_STEPS_US = (_HALF_HOUR_US, *(hours * units.US_PER_HOUR for hours in (1, 2, 3, 6, 12, 24)))
_MOST_ROWS = 26


class Bin(NamedTuple):
    """One row of the picture.

    Attributes:
        start_us: Its begin, UTC microseconds.
        end_us: Its end.
        intensity_g_per_kwh: The mean over the part that the forecast covers; None where it says nothing.
        is_chosen: Whether the run goes on in it.
    """

    start_us: int
    end_us: int
    intensity_g_per_kwh: float | None
    is_chosen: bool


def bins(points: Iterable[EmissionsRow], spans: Sequence[TimeSpan]) -> list[Bin]:
    """Gather a forecast into rows of half an hour, an hour, or what more it takes to fit a screen.

    Args:
        points: The forecast, ascending.
        spans: When the run goes on.
    """
    rows = [row for row in points if row.duration_us > 0]
    if not rows:
        return []
    start_us, end_us = rows[0].time_us, max(row.end_us for row in rows)
    step_us = next((step for step in _STEPS_US if end_us - start_us <= step * _MOST_ROWS), _STEPS_US[-1])
    edges_us = range(start_us - start_us % step_us, end_us, step_us)
    return [_bin(rows, spans, edge_us, edge_us + step_us) for edge_us in edges_us]


def _bin(rows: Iterable[EmissionsRow], spans: Iterable[TimeSpan], start_us: int, end_us: int) -> Bin:
    weights = [(min(end_us, row.end_us) - max(start_us, row.time_us), row.rating_g_per_kwh) for row in rows]
    covered_us = sum(weight_us for weight_us, _ in weights if weight_us > 0)
    mean = sum(weight_us * value for weight_us, value in weights if weight_us > 0) / covered_us if covered_us else None
    is_chosen = any(span.start_us < end_us and span.end_us > start_us for span in spans)
    return Bin(start_us, end_us, mean, is_chosen)


def draw(rows: Sequence[Bin], *, columns: int | None = None) -> str:
    """Draw rows as bars from zero, with the terminal's colours.

    Args:
        rows: The rows.
        columns: Width; None for the terminal's own.
    """
    from rich.bar import Bar
    from rich.console import Console
    from rich.table import Table

    console = Console(width=columns, highlight=False)
    known = [row.intensity_g_per_kwh for row in rows if row.intensity_g_per_kwh is not None]
    table = Table(box=None, pad_edge=False, expand=True, padding=(0, 1), header_style="dim")
    table.add_column(f"from ({zone_name(rows[0].start_us)})", no_wrap=True)
    table.add_column("g/kWh", justify="right", no_wrap=True)
    table.add_column("", ratio=1)
    table.add_column("", no_wrap=True)
    for row, when in zip(rows, _times(rows), strict=True):
        style = "bold green" if row.is_chosen else ""
        if row.intensity_g_per_kwh is None:
            table.add_row(when, "no data", "", "", style="dim")
            continue
        bar = Bar(max(known), 0, row.intensity_g_per_kwh, color="green" if row.is_chosen else "bright_black")
        table.add_row(when, _intensity(row.intensity_g_per_kwh), bar, MARK if row.is_chosen else "", style=style)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def tell(rows: Sequence[Bin]) -> str:
    """Write rows as plain lines, for files and pipes."""
    lines = [f"{'from (' + zone_name(rows[0].start_us) + ')':16}  {'g/kWh':>7}"]
    for row, when in zip(rows, _times(rows), strict=True):
        shown = "no data" if row.intensity_g_per_kwh is None else _intensity(row.intensity_g_per_kwh)
        lines.append(f"{when:16}  {shown:>7}{'  ' + MARK if row.is_chosen else ''}")
    return "\n".join(lines) + "\n"


def _times(rows: Sequence[Bin]) -> list[str]:
    """Write the begins in local time, the day only where it changes."""
    texts, day = [], ""
    for row in rows:
        local = local_time(row.start_us)
        today = f"{local:%a %d %b}"
        texts.append(f"{today if today != day else '':10} {local:%H:%M}")
        day = today
    return texts


def _intensity(intensity_g_per_kwh: float) -> str:
    return text.number(intensity_g_per_kwh, 3)


def local_time(unix_us: int) -> datetime:
    """Convert to this machine's time zone."""
    return datetime.fromtimestamp(units.s_from_us(unix_us), timezone.utc).astimezone()


def zone_name(unix_us: int) -> str:
    """Name this machine's time zone at a moment, for example ``CET``."""
    return local_time(unix_us).tzname() or "UTC"
