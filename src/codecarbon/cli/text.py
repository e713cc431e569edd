"""Numbers, colours and columns for people."""

from __future__ import annotations

import math
import os
import re
import sys
from contextlib import suppress
from typing import TextIO

from codecarbon import units

# From here on a unit has too many digits to read, or decimals that say nothing.
_KWH_FROM_J = 1e6
_KG_FROM_G = 10_000.0
_FEW_DECIMALS_FROM_G = 100.0
_CLOCK_FROM_S = 120.0
_LEAST_UNPREFIXED = 0.1
_PREFIXES = ("k", "", "m", "µ", "n")
_STEP = 1000.0


def is_terminal(stream: TextIO | None) -> bool:
    """Say whether a stream is a terminal that understands cursor movement."""
    if stream is None or os.environ.get("TERM") == "dumb":
        return False
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def has_colour(stream: TextIO | None) -> bool:
    """Say whether to colour what goes to a stream; see https://no-color.org."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def say(message: str) -> None:
    """Tell the user something that is no result, on standard error."""
    write_error(f"codecarbon: {message}\n")


def write_error(content: str) -> None:
    """Write to standard error, if there is one that takes it: nobody is left to be told otherwise."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            sys.stderr.write(content)
            sys.stderr.flush()


class Style:
    """Text attributes, or none of them."""

    def __init__(self, *, is_coloured: bool) -> None:
        self._is_coloured = is_coloured

    def bold(self, text: str) -> str:
        """Emphasise."""
        return self._wrap("1", text)

    def dim(self, text: str) -> str:
        """Step back."""
        return self._wrap("2", text)

    def reverse(self, text: str) -> str:
        """Set a whole line apart."""
        return self._wrap("7", text)

    def good(self, text: str) -> str:
        """Mark as measured, live, written."""
        return self._wrap("32", text)

    def weak(self, text: str) -> str:
        """Mark as modelled, guessed, dormant."""
        return self._wrap("33", text)

    def bad(self, text: str) -> str:
        """Mark as refused, missing, failed."""
        return self._wrap("31", text)

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._is_coloured and text else text


_ATTRIBUTES = re.compile("\x1b\\[[0-9;]*m")


def width(content: str) -> int:
    """Count the columns of a text, attributes left out."""
    return len(_ATTRIBUTES.sub("", content))


def wrap(head: str, content: str, columns: int) -> list[str]:
    """Break a text at blanks, every line below the place where it began.

    Args:
        head: What stands before the first line; the others are indented by its width.
        content: The text, blanks kept; a word that is too long stays whole.
        columns: Width of the lines.
    """
    lines, line = [], head
    is_fresh = True
    for word in content.split(" "):
        if not is_fresh and width(line) + 1 + width(word) > columns:
            lines.append(line.rstrip())
            line, is_fresh = " " * width(head), True
        line += word if is_fresh else f" {word}"
        is_fresh = False
    return [*lines, line.rstrip()]


def number(value: float, digits: int = 3, least_decimals: int = 0) -> str:
    """Write a number with some significant digits, never in scientific notation.

    Args:
        value: The number.
        digits: Significant digits for numbers that need decimals.
        least_decimals: Decimals to show at least.
    """
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return f"{0:.{least_decimals}f}"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{value:,.{max(least_decimals, min(decimals, 12), 0)}f}"


def energy(energy_j: float) -> str:
    """Write an energy in J, or in kWh when that is easier to read."""
    if abs(energy_j) >= _KWH_FROM_J:
        return f"{number(units.kwh_from_j(energy_j), 4)} kWh"
    return prefixed(energy_j, "J")


def watt_hours(energy_j: float) -> str:
    """Write an energy in kWh, or in the fraction of it that is easy to read."""
    return prefixed(units.kwh_from_j(energy_j), "Wh", prefix="k")


def power(power_w: float) -> str:
    """Write a power in W or a fraction of it."""
    return prefixed(power_w, "W")


def prefixed(value: float, unit: str, *, prefix: str = "") -> str:
    """Write a quantity in its unit, or in a thousandth, a millionth… of it when it is small.

    Args:
        value: The quantity.
        unit: The unit without prefix.
        prefix: The unit's prefix that the value is in.
    """
    factor, prefix = _scale(value, prefix)
    return f"{number(value * factor)} {prefix}{unit}"


def energy_range(low_j: float, high_j: float) -> str:
    """Write an interval of energies in one unit."""
    if high_j >= _KWH_FROM_J:
        return f"{number(units.kwh_from_j(low_j), 4)} to {number(units.kwh_from_j(high_j), 4)} kWh"
    factor, prefix = _scale(high_j, "")
    return f"{number(low_j * factor)} to {number(high_j * factor)} {prefix}J"


def _scale(value: float, prefix: str) -> tuple[float, str]:
    """Find the prefix in which a value is easy to read, and what to multiply the value by."""
    place, factor = _PREFIXES.index(prefix), 1.0
    while 0 < abs(value) * factor < _LEAST_UNPREFIXED and place < len(_PREFIXES) - 1:
        place, factor = place + 1, factor * _STEP
    return factor, _PREFIXES[place]


def mass(mass_g: float) -> str:
    """Write a mass of CO2 equivalent in g, at least four decimals when it is small; in kg when it is large."""
    if abs(mass_g) >= _KG_FROM_G:
        return f"{number(units.kg_from_g(mass_g), 4)} kg CO2eq"
    return f"{number(mass_g, 3, least_decimals=4 if abs(mass_g) < _FEW_DECIMALS_FROM_G else 1)} g CO2eq"


def duration(duration_s: float) -> str:
    """Write a duration in seconds, or in hours, minutes and seconds from two minutes on."""
    if duration_s < _CLOCK_FROM_S:
        return f"{number(duration_s, 3)} s"
    return f"{clock(duration_s)} h" if duration_s >= units.SECONDS_PER_HOUR else f"{clock(duration_s)} min"


def clock(duration_s: float) -> str:
    """Write elapsed time as ``m:ss`` or ``h:mm:ss``."""
    minutes, seconds = divmod(int(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
