"""The schemas of the OpenAPI document.

Names, members and their order are those that clients were generated from; none is required, and none may have others
beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codecarbon.carbon_aware.options import Profile

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
TIME: Schema = {"type": "string", "format": "date-time"}
INT32: Schema = {"type": "integer", "format": "int32"}
DOUBLE: Schema = {"type": "number", "format": "double"}
FLAG: Schema = {"type": "boolean"}
TEXTS: Schema = {"type": "array", "items": TEXT}


def nullable(schema: Schema) -> Schema:
    """Return a schema that also allows null."""
    return {**schema, "nullable": True}


def ref(name: str) -> Schema:
    """Return a reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def array(name: str) -> Schema:
    """Return the schema of an array."""
    return {"type": "array", "items": ref(name)}


def _closed(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def make_schemas(profile: Profile) -> dict[str, Schema]:
    """Return all schemas by name."""
    return {**_answers(profile), **_extras(profile), "ValidationProblemDetails": _problem()}


def _answers(profile: Profile) -> dict[str, Schema]:
    optimum = {"optimalDataPoint": nullable({"allOf": [ref("EmissionsDataDTO")]})} if profile == "documented" else {}
    return {
        "CarbonIntensityBatchParametersDTO": _closed(
            location=nullable(TEXT), startTime=nullable(TIME), endTime=nullable(TIME)
        ),
        "CarbonIntensityDTO": _closed(
            location=nullable(TEXT), startTime=nullable(TIME), endTime=nullable(TIME), carbonIntensity=DOUBLE
        ),
        "EmissionsData": _closed(
            location=nullable(TEXT), time=TIME, rating=DOUBLE, duration={"type": "string", "format": "time-span"}
        ),
        "EmissionsDataDTO": _closed(location=nullable(TEXT), timestamp=TIME, duration=INT32, value=DOUBLE),
        "EmissionsForecastBatchParametersDTO": _closed(
            requestedAt=nullable(TIME),
            location=nullable(TEXT),
            dataStartAt=nullable(TIME),
            dataEndAt=nullable(TIME),
            windowSize=nullable(INT32),
        ),
        "EmissionsForecastDTO": _closed(
            generatedAt=TIME,
            requestedAt=TIME,
            location=nullable(TEXT),
            dataStartAt=TIME,
            dataEndAt=TIME,
            windowSize=INT32,
            **optimum,
            optimalDataPoints=nullable(array("EmissionsDataDTO")),
            forecastData=nullable(array("EmissionsDataDTO")),
        ),
        "Location": _closed(latitude=nullable(DOUBLE), longitude=nullable(DOUBLE), name=nullable(TEXT)),
    }


def _extras(profile: Profile) -> dict[str, Schema]:
    """The schemas of routes that the original does not have."""
    other_name = {"locations": nullable(TEXTS)} if profile == "documented" else {}
    return {
        "LocationDetail": _closed(
            latitude=nullable(DOUBLE),
            longitude=nullable(DOUBLE),
            name=nullable(TEXT),
            country=nullable(TEXT),
            subdivision=nullable(TEXT),
            zones={"type": "object", "additionalProperties": TEXT},
        ),
        "ScheduleJob": _closed(
            location=nullable(TEXTS),
            **other_name,
            duration=nullable(DOUBLE),
            earliest=nullable(TIME),
            deadline=nullable(TIME),
            alternatives=nullable(INT32),
            pieces=nullable(INT32),
            resumeCost=nullable(DOUBLE),
            power=nullable(DOUBLE),
            home=nullable(TEXT),
            moveCost=nullable(DOUBLE),
        ),
        "ScheduleSpan": _closed(start=TIME, end=TIME),
        "ScheduleOption": _closed(
            location=TEXT,
            start=TIME,
            end=TIME,
            spans=array("ScheduleSpan"),
            intensity=DOUBLE,
            intensityNow=nullable(DOUBLE),
            savingRatio=nullable(DOUBLE),
            emissions=nullable(DOUBLE),
        ),
        "LocationSchedule": _closed(
            location=TEXT, generatedAt=TIME, options=array("ScheduleOption"), reason=nullable(TEXT)
        ),
        "Schedule": _closed(
            best=nullable({"allOf": [ref("ScheduleOption")]}),
            locations=array("LocationSchedule"),
            unit=TEXT,
            signalType=nullable(TEXT),
            sources=TEXTS,
            isSynthetic=FLAG,
            isStale=FLAG,
            notices=TEXTS,
        ),
        "ReadinessSource": _closed(
            role=TEXT,
            name=nullable(TEXT),
            status=TEXT,
            detail=nullable(TEXT),
            signalType=TEXT,
            capabilities=TEXTS,
            isSynthetic=FLAG,
            lastSuccess=nullable(TIME),
            lastFailure=nullable(TIME),
        ),
        "ReadinessProblem": _closed(key=TEXT, message=TEXT, origin=nullable(TEXT), isWarning=FLAG),
        "Readiness": _closed(
            status={"type": "string", "enum": ["healthy", "degraded", "unhealthy"]},
            profile=TEXT,
            sources=array("ReadinessSource"),
            problems=array("ReadinessProblem"),
        ),
    }


def _problem() -> Schema:
    return {
        "type": "object",
        "properties": {
            "type": nullable(TEXT),
            "title": nullable(TEXT),
            "status": nullable(INT32),
            "detail": nullable(TEXT),
            "instance": nullable(TEXT),
            "errors": nullable({"type": "object", "additionalProperties": TEXTS}),
        },
        "additionalProperties": {},
    }
