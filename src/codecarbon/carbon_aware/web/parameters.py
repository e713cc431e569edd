"""The query parameters of every route, and how a query is read into them.

Names match without case, the first value of a scalar wins, an empty value is as none, and a list may be written with
repeated names or with indices. The same tables make the OpenAPI document.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import parse_qsl

from codecarbon.carbon_aware.arguments import read_int32
from codecarbon.carbon_aware.moments import read_moment
from codecarbon.carbon_aware.results import Moment
from codecarbon.errors import RequestRejected
from codecarbon.record import FrozenRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from codecarbon.carbon_aware.options import Profile

# "place" is one text for its readers, and still gathered as a list: the operation says that there are too many.
Kind = Literal["text", "texts", "place", "time", "int32", "number", "flag"]
Value = str | tuple[str, ...] | Moment | int | float | bool | None

_INDEXED = re.compile(r"(.+)\[(\d{1,4})\]", re.DOTALL)
_MAX_PAIRS = 2000
_MAX_NUMBER = 2.0**30
_TRUE, _FALSE = {"true", "1"}, {"false", "0"}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Parameter(FrozenRecord):
    """One query parameter.

    Attributes:
        name: Its name on the wire.
        kind: What its value is.
        text: What it means, for the OpenAPI document.
        is_required: Whether a question without it cannot be answered.
        aliases: Other names that profile ``documented`` accepts; a list gathers them all, scalars must agree.
        is_extra: Whether the original does not have it.
    """

    name: str
    kind: Kind
    text: str
    is_required: bool = False
    aliases: tuple[str, ...] = ()
    is_extra: bool = False


class Bound(NamedTuple):
    """A query that has been read.

    Attributes:
        values: Value by parameter name; None for what is absent.
        unknown: Names that nobody knows, as they were written.
    """

    values: Mapping[str, Value]
    unknown: tuple[str, ...]


DETAIL = Parameter("detail", "flag", "Adds members about the origin of the values.", is_extra=True)
_LOCATION = Parameter("location", "text", "A location key.", is_required=True, aliases=("locations",))
_PLACE = Parameter("location", "place", "A location key.", is_required=True, aliases=("locations",))
_PLACES = Parameter("location", "texts", "Location keys.", is_required=True, aliases=("locations",))
_TIME = Parameter("time", "time", "Begin of the period.", aliases=("startTime",))
_TO_TIME = Parameter("toTime", "time", "End of the period.", aliases=("endTime",))

EMISSIONS_ONE = (_PLACE, _TIME, _TO_TIME, DETAIL)
EMISSIONS_MANY = (_PLACES, _TIME, _TO_TIME, DETAIL)
AVERAGE = (
    _LOCATION,
    Parameter("startTime", "time", "Begin of the period.", is_required=True, aliases=("time",)),
    Parameter("endTime", "time", "End of the period.", is_required=True, aliases=("toTime",)),
    DETAIL,
)
FORECAST = (
    _PLACES,
    Parameter("dataStartAt", "time", "Leaves out what the forecast says of the time before."),
    Parameter("dataEndAt", "time", "Leaves out what the forecast says of the time after."),
    Parameter("windowSize", "int32", "Length of the work, minutes."),
    DETAIL,
)
SCHEDULE = (
    _PLACES,
    Parameter("duration", "number", "How long the work takes, minutes.", is_required=True),
    Parameter("earliest", "time", "When it may begin; now if absent."),
    Parameter("deadline", "time", "When it must have ended; the end of the forecast if absent."),
    Parameter("alternatives", "int32", "How many ways to name for each location, the best first."),
    Parameter("pieces", "int32", "In how many pieces it may be split."),
    Parameter("resumeCost", "number", "Extra run time for each piece after the first, minutes."),
    Parameter("power", "number", "What it draws, watts; adds grams to the answer."),
    Parameter("home", "text", "The location that it leaves only if that saves more than moveCost."),
    Parameter("moveCost", "number", "What running away from home costs, grams of CO2 equivalent."),
)
EVENTS = (_PLACES, Parameter("windowSize", "int32", "Length of the cheap windows to announce, minutes."))
NONE: tuple[Parameter, ...] = ()
LOCATIONS = (DETAIL,)


def bind(parameters: Sequence[Parameter], query: bytes, profile: Profile) -> Bound:
    """Read a query.

    Raises:
        RequestRejected: A value is of the wrong kind, or names of one meaning disagree.
    """
    given, spelling = _pairs(query)
    values: dict[str, Value] = {}
    problems: list[tuple[str, str]] = []
    known: set[str] = set()
    for parameter in parameters:
        names = (parameter.name, *(parameter.aliases if profile == "documented" else ()))
        known.update(name.lower() for name in names)
        try:
            values[parameter.name] = _value(parameter, names, given)
        except ValueError as error:
            problems.append((parameter.name, str(error)))
    if problems:
        raise RequestRejected(tuple(problems))
    return Bound(values, tuple(spelling[name] for name in given if name not in known))


def _pairs(query: bytes) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Gather the non-empty values of every name, and how the name was first spelled; indexed ones in their order."""
    try:
        pairs = parse_qsl(query.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MAX_PAIRS)
    except ValueError as error:
        raise RequestRejected((("", f"The query has more than {_MAX_PAIRS} values."),)) from error
    given: dict[str, list[str]] = {}
    indexed: dict[str, list[tuple[int, str]]] = {}
    spelling: dict[str, str] = {}
    for name, value in pairs:
        match = _INDEXED.fullmatch(name)
        bare = match[1] if match else name
        key = bare.lower()
        spelling.setdefault(key, bare)
        plain = given.setdefault(key, [])
        if not value:
            continue
        if match:
            indexed.setdefault(key, []).append((int(match[2]), value))
        else:
            plain.append(value)
    for key, entries in indexed.items():
        given[key] += [value for _, value in sorted(entries, key=lambda entry: entry[0])]
    return given, spelling


def _value(parameter: Parameter, names: Sequence[str], given: Mapping[str, list[str]]) -> Value:
    if parameter.kind in {"texts", "place"}:
        return tuple(text for name in names for text in given.get(name.lower(), ()))
    found: list[tuple[str, Value]] = []
    for name in names:
        values = given.get(name.lower())
        if values:
            found.append((name, _read(parameter, values[0])))
    if not found:
        return None
    first_name, first = found[0]
    for name, other in found[1:]:
        if _meaning(other) != _meaning(first):
            raise ValueError(f"{first_name} and {name} mean the same and must not differ.")
    return first


def _meaning(value: Value) -> Value:
    if isinstance(value, Moment):
        return value.unix_us
    return value.casefold() if isinstance(value, str) else value


def _read(parameter: Parameter, text: str) -> Value:
    try:
        return _READERS[parameter.kind](text)
    except ValueError as error:
        raise ValueError(f"The value '{text[:80]}' is not valid for {parameter.name}.") from error


def read_number(text: str | float) -> float:
    """Read a number of a size that makes sense.

    Raises:
        ValueError: It is none.
    """
    number = float(text)
    if not abs(number) <= _MAX_NUMBER or (isinstance(text, str) and "_" in text):
        raise ValueError(f"{text!r} is no number of a size that makes sense")
    return number


def _read_flag(text: str) -> bool:
    folded = text.strip().lower()
    if folded not in _TRUE | _FALSE:
        raise ValueError(f"{text!r} is neither true nor false")
    return folded in _TRUE


_READERS: dict[Kind, Callable[[str], Value]] = {
    "text": str,
    "time": read_moment,
    "int32": read_int32,
    "number": read_number,
    "flag": _read_flag,
}
