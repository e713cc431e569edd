"""What each route asks the operations, and how the answer is put into bytes; runs in worker threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from codecarbon.carbon_aware.results import Meta, Moment, ScheduleRequest
from codecarbon.carbon_aware.web import parameters, render, tables
from codecarbon.carbon_aware.web.entry import Entry, Headers, fresh_until_us
from codecarbon.carbon_aware.web.negotiate import DETAIL_TYPE
from codecarbon.carbon_aware.web.parameters import Parameter, Value
from codecarbon.errors import RequestRejected
from codecarbon.units import s_from_us, us_from_min, us_from_s
from codecarbon.web.etag import weak_etag
from codecarbon.web.problem import JSON_TYPE

if TYPE_CHECKING:
    from codecarbon.carbon_aware.names import Endpoint
    from codecarbon.carbon_aware.operations import Operations
    from codecarbon.carbon_aware.web.negotiate import Form

Values = Mapping[str, Value]
Rendered = tuple[Any, Sequence[Meta]]
_TYPES: Mapping[str, bytes] = {
    "json": JSON_TYPE.encode(),
    "detail": f"{DETAIL_TYPE}; charset=utf-8".encode(),
    "csv": tables.CSV_TYPE,
}
_VARY = (b"vary", b"Accept")
_MAX_NOTICE = 200


class Route(NamedTuple):
    """One GET route.

    Attributes:
        path: Its path, lower case.
        names: How its errors call the fields.
        parameters: Its query parameters.
        ask: Asks the operations and renders the answer; also what lies behind it.
        table: Writes the rendered answer as CSV, where that is a list.
    """

    path: str
    names: Endpoint
    parameters: Sequence[Parameter]
    ask: Callable[[Operations, Values, Form], Rendered]
    table: Callable[[Any], bytes] | None = None


def _places(values: Values) -> tuple[str, ...]:
    return cast("tuple[str, ...]", values["location"])


def _moment(values: Values, name: str) -> Moment | None:
    return cast("Moment | None", values[name])


def _ask_emissions(operations: Operations, values: Values, form: Form, *, plural: bool) -> Rendered:
    answer = operations.emissions(_places(values), _moment(values, "time"), _moment(values, "toTime"), plural=plural)
    return render.emissions(answer, is_detailed=form == "detail"), (answer.meta,)


def _ask_one(operations: Operations, values: Values, form: Form) -> Rendered:
    return _ask_emissions(operations, values, form, plural=False)


def _ask_many(operations: Operations, values: Values, form: Form) -> Rendered:
    return _ask_emissions(operations, values, form, plural=True)


def _ask_best(operations: Operations, values: Values, form: Form) -> Rendered:
    answer = operations.best(_places(values), _moment(values, "time"), _moment(values, "toTime"))
    return render.emissions(answer, is_detailed=form == "detail"), (answer.meta,)


def _ask_average(operations: Operations, values: Values, form: Form) -> Rendered:
    place = cast("str | None", values["location"])
    answer = operations.average(place, _moment(values, "startTime"), _moment(values, "endTime"))
    return render.average(answer, is_detailed=form == "detail"), (answer.meta,)


def _ask_forecasts(operations: Operations, values: Values, form: Form) -> Rendered:
    answers = operations.forecasts(
        _places(values),
        _moment(values, "dataStartAt"),
        _moment(values, "dataEndAt"),
        cast("int | None", values["windowSize"]),
    )
    profile = operations.context.options.profile
    rendered = [render.forecast(answer, profile, is_detailed=form == "detail") for answer in answers]
    return rendered, [answer.meta for answer in answers]


def _ask_locations(operations: Operations, _: Values, form: Form) -> Rendered:
    places = operations.locations()
    document = render.locations(places, is_detailed=form == "detail")
    return document, (Meta(version=weak_etag(repr(document)).decode()),)


def _ask_schedule(operations: Operations, values: Values, _: Form) -> Rendered:
    answer = operations.schedule(schedule_request(values))
    return render.schedule(answer), (answer.meta,)


def schedule_request(values: Values) -> ScheduleRequest:
    """Make the request of a job from what its sender named; minutes become seconds.

    Raises:
        RequestRejected: The duration is missing.
    """
    given = {name: value for name, value in values.items() if value is not None}
    if "duration" not in given:
        raise RequestRejected((("duration", "The duration field is required."),))
    return ScheduleRequest(
        locations=_places(given) if "location" in given else (),
        duration_s=_seconds(given["duration"]),
        earliest=_moment(values, "earliest"),
        deadline=_moment(values, "deadline"),
        alternatives=cast("int", given.get("alternatives", 1)),
        pieces=cast("int", given.get("pieces", 1)),
        resume_cost_s=_seconds(given.get("resumeCost", 0.0)),
        power_w=cast("float | None", values["power"]),
        home=cast("str | None", values["home"]),
        move_cost_g=cast("float", given.get("moveCost", 0.0)),
    )


def _seconds(minutes: Value) -> float:
    return s_from_us(us_from_min(cast("float", minutes)))


ROUTES = (
    Route("/emissions/bylocation", "emissions", parameters.EMISSIONS_ONE, _ask_one, tables.emissions),
    Route("/emissions/bylocations", "emissions", parameters.EMISSIONS_MANY, _ask_many, tables.emissions),
    Route("/emissions/bylocations/best", "emissions", parameters.EMISSIONS_MANY, _ask_best, tables.emissions),
    Route("/emissions/average-carbon-intensity", "average", parameters.AVERAGE, _ask_average),
    Route("/emissions/forecasts/current", "forecast", parameters.FORECAST, _ask_forecasts, tables.forecasts),
    Route("/locations", "emissions", parameters.LOCATIONS, _ask_locations, tables.locations),
    Route("/schedule", "schedule", parameters.SCHEDULE, _ask_schedule),
)


def write_question(route: Route, values: Values) -> str:
    """Write a question in a form that equal questions share."""
    return f"{route.path}?{sorted(values.items())!r}"


def answer_route(operations: Operations, route: Route, values: Values, form: Form, *, question: str) -> Entry:
    """Answer a route.

    Args:
        operations: What is asked.
        route: The route.
        values: The query.
        form: How the answer is written.
        question: Route and query, as ``write_question`` has them.

    Raises:
        CodeCarbonError: There is no answer.
    """
    document, metas = route.ask(operations, values, form)
    return make_entry(operations, question, document, metas, form=form, table=route.table)


def make_entry(
    operations: Operations,
    question: str,
    document: Any,
    metas: Sequence[Meta],
    *,
    form: Form = "json",
    table: Callable[[Any], bytes] | None = None,
    is_lookup: bool = True,
) -> Entry:
    """Put an answer into bytes.

    Args:
        operations: Whose answer it is.
        question: The question, in a form that equal questions share.
        document: The answer.
        metas: What lies behind it.
        form: How it is written.
        table: Writes it as CSV.
        is_lookup: Whether an empty list is 204.
    """
    context = operations.context
    now_us = us_from_s(context.clock())
    meta = render.origin_of(metas)
    tag = weak_etag(context.options.profile, question, form, meta.version)
    until_us = fresh_until_us(meta.valid_until_us, now_us)
    is_private = bool(context.options.api_keys)
    headers: Headers = ((b"etag", tag), _VARY, *_labels(meta))
    if is_lookup and table is not None and not document:
        return Entry(204, (b"",), headers, tag, until_us, len(question), meta.sources, is_private)
    parts = (table(document),) if table is not None and form == "csv" else render.dump(document)
    headers = ((b"content-type", _TYPES[form]), *headers)
    size_bytes = len(question) + sum(map(len, parts))
    return Entry(200, parts, headers, tag, until_us, size_bytes, meta.sources, is_private)


def _labels(meta: Meta) -> Headers:
    """Say in headers what the body has no room for: made-up, outdated or stand-in values."""
    labels: list[tuple[bytes, bytes]] = []
    if meta.sources:
        labels.append((b"x-carbon-aware-source", ", ".join(meta.sources).encode("ascii", "replace")))
    if meta.is_synthetic:
        labels.append((b"x-carbon-aware-synthetic", b"true"))
    if meta.is_stale:
        labels.append((b"x-carbon-aware-stale", b"true"))
    for notice in meta.notices:
        text = " ".join(notice.split())[:_MAX_NOTICE].encode("ascii", "replace")
        labels.append((b"x-carbon-aware-notice", text))
    return tuple(labels)
