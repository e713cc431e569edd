"""The OpenAPI document, one for each profile, from the tables that the routes themselves use.

Clients are generated from it, so the operations, names and orders of the original stay as they are; what the original
does not have stands under a tag of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from codecarbon.carbon_aware.web import parameters, schemas
from codecarbon.carbon_aware.web.schemas import array, ref

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codecarbon.carbon_aware.options import Profile
    from codecarbon.carbon_aware.web.parameters import Parameter
    from codecarbon.carbon_aware.web.schemas import Schema

Document = dict[str, Any]

_PROBLEM = ref("ValidationProblemDetails")
_BODY_TYPES = ("application/json", "text/json", "application/*+json")
_ANSWER_TYPES = ("application/json", "application/json; charset=utf-8")
_PROBLEM_TYPES = (*_ANSWER_TYPES, "application/problem+json", "application/problem+json; charset=utf-8")
_PHRASES = {
    200: "OK",
    204: "No Content",
    400: "Bad Request",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}
_KINDS: dict[str, Schema] = {
    "text": schemas.TEXT,
    "place": schemas.TEXT,
    "texts": schemas.TEXTS,
    "time": schemas.TIME,
    "int32": schemas.INT32,
    "number": schemas.DOUBLE,
    "flag": schemas.FLAG,
}


class _Operation(NamedTuple):
    """One operation of the document."""

    method: str
    path: str
    name: str
    summary: str
    answer: Schema
    codes: tuple[int, ...]
    parameters: Sequence[Parameter] = ()
    body: Schema | None = None
    tag: str = "CarbonAware"
    answer_types: tuple[str, ...] = _ANSWER_TYPES


_OPERATIONS = (
    _Operation(
        "get",
        "/emissions/bylocations/best",
        "GetBestEmissionsDataForLocationsByTime",
        "The lowest observed carbon intensities of several locations in a period.",
        array("EmissionsData"),
        (200, 204, 400),
        parameters.EMISSIONS_MANY,
    ),
    _Operation(
        "get",
        "/emissions/bylocations",
        "GetEmissionsDataForLocationsByTime",
        "The observed carbon intensities of several locations in a period.",
        array("EmissionsData"),
        (200, 204, 400),
        parameters.EMISSIONS_MANY,
    ),
    _Operation(
        "get",
        "/emissions/bylocation",
        "GetEmissionsDataForLocationByTime",
        "The observed carbon intensities of a location in a period.",
        array("EmissionsData"),
        (200, 204, 400),
        parameters.EMISSIONS_ONE,
    ),
    _Operation(
        "get",
        "/emissions/forecasts/current",
        "GetCurrentForecastData",
        "The newest forecast of each location, and its best windows.",
        array("EmissionsForecastDTO"),
        (200, 400, 500, 501),
        parameters.FORECAST,
    ),
    _Operation(
        "post",
        "/emissions/forecasts/batch",
        "BatchForecastDataAsync",
        "The forecasts that were the newest at moments of the past, and their best windows.",
        array("EmissionsForecastDTO"),
        (200, 400, 500, 501),
        body=array("EmissionsForecastBatchParametersDTO"),
    ),
    _Operation(
        "get",
        "/emissions/average-carbon-intensity",
        "GetAverageCarbonIntensity",
        "The mean observed carbon intensity of a location over a period.",
        ref("CarbonIntensityDTO"),
        (200, 400, 500),
        parameters.AVERAGE,
    ),
    _Operation(
        "post",
        "/emissions/average-carbon-intensity/batch",
        "GetAverageCarbonIntensityBatch",
        "The mean observed carbon intensities of several periods.",
        array("CarbonIntensityDTO"),
        (200, 400, 500),
        body=array("CarbonIntensityBatchParametersDTO"),
    ),
    _Operation(
        "get",
        "/locations",
        "GetAllLocations",
        "All locations by key.",
        {"type": "object", "additionalProperties": ref("Location")},
        (200, 204),
        tag="Locations",
        answer_types=_ANSWER_TYPES[:1],
    ),
)
_EXTRAS = (
    _Operation(
        "get",
        "/locations/{key}",
        "GetLocation",
        "One location, and what providers call it.",
        ref("LocationDetail"),
        (200, 400),
    ),
    _Operation(
        "get",
        "/schedule",
        "GetSchedule",
        "When and where a job is best run.",
        ref("Schedule"),
        (200, 400, 500, 501),
        parameters.SCHEDULE,
    ),
    _Operation(
        "post",
        "/schedule",
        "PostSchedule",
        "When and where a job is best run.",
        ref("Schedule"),
        (200, 400, 500, 501),
        body=ref("ScheduleJob"),
    ),
    _Operation(
        "get",
        "/events",
        "GetEvents",
        "A stream of events: the intensity changed, the cheapest window begins.",
        {},  # neither text nor JSON: some read this as the schema of one event
        (200, 400, 503),
        parameters.EVENTS,
        answer_types=("text/event-stream",),
    ),
    _Operation(
        "get",
        "/health/ready",
        "GetReadiness",
        "Whether questions can be answered, and what is in the way.",
        ref("Readiness"),
        (200, 503),
    ),
)


def make_document(profile: Profile) -> Document:
    """Return the document of a profile."""
    paths: dict[str, Any] = {}
    for one in (*_OPERATIONS, *(extra._replace(tag="Extensions") for extra in _EXTRAS)):
        paths.setdefault(one.path, {})[one.method] = _operation(one)
    return {
        "openapi": "3.0.1",
        "info": {"title": "CarbonAware.WebAPI", "version": "1.0.0"},
        "paths": paths,
        "components": {"schemas": schemas.make_schemas(profile)},
    }


def _operation(one: _Operation) -> Document:
    document: Document = {"tags": [one.tag], "summary": one.summary, "operationId": one.name}
    # What only this server has is left out, so that generated methods keep their arguments.
    described = [_parameter(parameter) for parameter in one.parameters if not parameter.is_extra]
    if "{key}" in one.path:
        described.append({"name": "key", "in": "path", "required": True, "schema": schemas.TEXT})
    if described:
        document["parameters"] = described
    if one.body is not None:
        document["requestBody"] = {"content": {name: {"schema": one.body} for name in _BODY_TYPES}}
    document["responses"] = {str(code): _response(one, code) for code in one.codes}
    document["responses"]["default"] = _failure("Error")
    return document


def _parameter(parameter: Parameter) -> Document:
    document: Document = {"name": parameter.name, "in": "query", "description": parameter.text}
    if parameter.is_required:
        document["required"] = True
    return {**document, "schema": _KINDS[parameter.kind]}


def _response(one: _Operation, code: int) -> Document:
    if code == 200 or one.name == "GetReadiness":  # noqa: PLR2004 (a status is clearest as its number)
        return {
            "description": _PHRASES[code],
            "content": {name: {"schema": one.answer} for name in one.answer_types},
        }
    return {"description": _PHRASES[code]} if code == 204 else _failure(_PHRASES[code])  # noqa: PLR2004


def _failure(phrase: str) -> Document:
    return {"description": phrase, "content": {name: {"schema": _PROBLEM} for name in _PROBLEM_TYPES}}
