"""How the bodies of POST requests are read: arrays of items whose members match without case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from codecarbon.carbon_aware.arguments import read_int32
from codecarbon.carbon_aware.moments import read_moment
from codecarbon.carbon_aware.results import AverageRequest, ForecastRequest, Moment
from codecarbon.carbon_aware.web.parameters import SCHEDULE, Value, read_number
from codecarbon.errors import RequestRejected

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codecarbon.carbon_aware.options import Profile
    from codecarbon.carbon_aware.web.parameters import Kind

_BOM = b"\xef\xbb\xbf"
_EMPTY = "A non-empty request body is required."
_ACCEPTED = "The body must be JSON: application/json, text/json or application/*+json."
_NAMES = {"text": "a string", "texts": "a list of strings", "time": "a date and time", "int32": "a whole number"}


class Member(NamedTuple):
    """A member of an item.

    Attributes:
        name: Its name on the wire.
        kind: What it is.
        field: The field of the request that it fills.
        aliases: Other names of a list that profile ``documented`` accepts; they are gathered.
    """

    name: str
    kind: Kind
    field: str
    aliases: tuple[str, ...] = ()


AVERAGE_MEMBERS = (
    Member("location", "text", "location"),
    Member("startTime", "time", "start"),
    Member("endTime", "time", "end"),
)
FORECAST_MEMBERS = (
    Member("requestedAt", "time", "requested"),
    Member("location", "text", "location"),
    Member("dataStartAt", "time", "data_start"),
    Member("dataEndAt", "time", "data_end"),
    Member("windowSize", "int32", "window_min"),
)
_SCHEDULE_MEMBERS = tuple(Member(each.name, each.kind, each.name, each.aliases) for each in SCHEDULE)


def check_media_type(content_type: str | None, *, is_empty: bool) -> None:
    """Refuse what is not JSON; a body that is not there needs no type.

    Raises:
        RequestRejected: With status 415.
    """
    name = (content_type or "").partition(";")[0].strip().lower()
    is_json = name in {"application/json", "text/json"} or (name.startswith("application/") and name.endswith("+json"))
    if not is_json and (name or not is_empty):
        raise RequestRejected((("Content-Type", _ACCEPTED),), status=415, title="Unsupported Media Type")


def read_averages(body: bytes, profile: Profile) -> tuple[AverageRequest, ...]:
    """Read a batch of averages.

    Raises:
        RequestRejected: It is no such batch; every fault of every item is named.
    """
    items = _items(body, "requestedCarbonIntensities", AVERAGE_MEMBERS, profile)
    return tuple(AverageRequest(**item) for item in items)


def read_forecasts(body: bytes, profile: Profile) -> tuple[ForecastRequest, ...]:
    """Read a batch of historical forecasts.

    Raises:
        RequestRejected: It is no such batch; every fault of every item is named.
    """
    items = _items(body, "requestedForecasts", FORECAST_MEMBERS, profile)
    return tuple(ForecastRequest(**item) for item in items)


def read_schedule(body: bytes, profile: Profile) -> Mapping[str, Value]:
    """Read one job, as values by the names of the query parameters.

    Raises:
        RequestRejected: It is none; every fault is named.
    """
    document = _document(body, "job")
    problems: list[tuple[str, str]] = []
    values = _item(document, "$", _SCHEDULE_MEMBERS, profile, problems)
    if problems:
        raise RequestRejected(tuple(problems))
    return values


def _items(body: bytes, parameter: str, members: Sequence[Member], profile: Profile) -> list[dict[str, Any]]:
    document = _document(body, parameter)
    if not isinstance(document, list):
        raise RequestRejected((_required(parameter), ("$", "The JSON value must be an array.")))
    problems: list[tuple[str, str]] = []
    items = [_item(item, f"$[{index}]", members, profile, problems) for index, item in enumerate(document)]
    if problems:
        raise RequestRejected((_required(parameter), *problems) if profile == "strict" else tuple(problems))
    return items


def _document(body: bytes, parameter: str) -> object:
    text = body.removeprefix(_BOM)
    if not text.strip():
        raise RequestRejected((("", _EMPTY), _required(parameter)))
    try:
        document: object = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RequestRejected((("$", f"The body is not JSON: {error}."), _required(parameter))) from error
    if document is None:
        raise RequestRejected((("", _EMPTY), _required(parameter)))
    return document


def _required(parameter: str) -> tuple[str, str]:
    return parameter, f"The {parameter} field is required."


def _item(
    item: object, path: str, members: Sequence[Member], profile: Profile, problems: list[tuple[str, str]]
) -> dict[str, Any]:
    if not isinstance(item, dict):
        problems.append((path, "The JSON value must be an object."))
        return {}
    given = {name.lower(): value for name, value in item.items()}
    values: dict[str, Any] = {}
    for member in members:
        values[member.field] = None
        for name in (member.name, *(member.aliases if profile == "documented" else ())):
            value = given.get(name.lower())
            if value is None:
                continue
            try:
                read = _read(member.kind, value, profile)
            except ValueError:
                message = f"The JSON value cannot be read as {_NAMES.get(member.kind, 'a number')}."
                problems.append((f"{path}.{name}", message))
                continue
            before = values[member.field]
            values[member.field] = read if before is None else before + read  # only lists have aliases
    return values


def _read(kind: Kind, value: object, profile: Profile) -> Value:
    """Read one member.

    Raises:
        ValueError: It is of another kind.
    """
    if kind == "text":
        return _text(value)
    if kind in {"texts", "place"}:
        return tuple(_text(each) for each in value) if isinstance(value, list) else (_text(value),)
    if kind == "time":
        return _time(_text(value), profile)
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError("no number")  # noqa: TRY004 (a fault of the sender's)
    if kind == "number":
        return read_number(value)
    if isinstance(value, float):
        raise ValueError("no whole number")  # noqa: TRY004 (a fault of the sender's)
    return read_int32(str(value))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("no string")  # noqa: TRY004 (a fault of the sender's)
    return value


def _time(text: str, profile: Profile) -> Moment:
    return read_moment(text, is_lenient=profile == "documented")
