"""The OpenAPI document that clients are generated from, and the page that shows it."""

from __future__ import annotations

import json
import re

import pytest
import requests
import yaml

from codecarbon.carbon_aware.options import Options
from codecarbon.carbon_aware.web.openapi import make_document
from tests.support.fake_intensity import FakeSource, context, points

PROFILES = ("documented", "strict")
OPERATIONS = {
    ("get", "/emissions/bylocations/best"): ("GetBestEmissionsDataForLocationsByTime", "CarbonAware", {200, 204, 400}),
    ("get", "/emissions/bylocations"): ("GetEmissionsDataForLocationsByTime", "CarbonAware", {200, 204, 400}),
    ("get", "/emissions/bylocation"): ("GetEmissionsDataForLocationByTime", "CarbonAware", {200, 204, 400}),
    ("get", "/emissions/forecasts/current"): ("GetCurrentForecastData", "CarbonAware", {200, 400, 500, 501}),
    ("post", "/emissions/forecasts/batch"): ("BatchForecastDataAsync", "CarbonAware", {200, 400, 500, 501}),
    ("get", "/emissions/average-carbon-intensity"): ("GetAverageCarbonIntensity", "CarbonAware", {200, 400, 500}),
    ("post", "/emissions/average-carbon-intensity/batch"): (
        "GetAverageCarbonIntensityBatch",
        "CarbonAware",
        {200, 400, 500},
    ),
    ("get", "/locations"): ("GetAllLocations", "Locations", {200, 204}),
}
SCHEMAS = {
    "CarbonIntensityBatchParametersDTO": ["location", "startTime", "endTime"],
    "CarbonIntensityDTO": ["location", "startTime", "endTime", "carbonIntensity"],
    "EmissionsData": ["location", "time", "rating", "duration"],
    "EmissionsDataDTO": ["location", "timestamp", "duration", "value"],
    "EmissionsForecastBatchParametersDTO": ["requestedAt", "location", "dataStartAt", "dataEndAt", "windowSize"],
    "EmissionsForecastDTO": [
        "generatedAt",
        "requestedAt",
        "location",
        "dataStartAt",
        "dataEndAt",
        "windowSize",
        "optimalDataPoints",
        "forecastData",
    ],
    "Location": ["latitude", "longitude", "name"],
}


@pytest.fixture(params=PROFILES)
def document(request):
    return make_document(request.param)


def operations(document):
    return {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_the_document_is_the_one_that_clients_know(document):
    assert document["openapi"] == "3.0.1"
    assert document["info"] == {"title": "CarbonAware.WebAPI", "version": "1.0.0"}
    assert "servers" not in document


def test_the_eight_operations_keep_name_tag_and_codes(document):
    found = operations(document)
    for key, (name, tag, codes) in OPERATIONS.items():
        operation = found[key]
        assert (operation["operationId"], operation["tags"]) == (name, [tag])
        assert set(operation["responses"]) == {str(code) for code in codes} | {"default"}


def test_further_operations_stand_under_a_tag_of_their_own(document):
    others = {key: one for key, one in operations(document).items() if key not in OPERATIONS}
    assert {path for _, path in others} == {"/schedule", "/events", "/locations/{key}", "/health/ready"}
    assert all(one["tags"] == ["Extensions"] for one in others.values())


@pytest.mark.parametrize(
    ("path", "names", "required"),
    [
        ("/emissions/bylocation", ["location", "time", "toTime"], ["location"]),
        ("/emissions/bylocations", ["location", "time", "toTime"], ["location"]),
        ("/emissions/bylocations/best", ["location", "time", "toTime"], ["location"]),
        ("/emissions/forecasts/current", ["location", "dataStartAt", "dataEndAt", "windowSize"], ["location"]),
        (
            "/emissions/average-carbon-intensity",
            ["location", "startTime", "endTime"],
            ["location", "startTime", "endTime"],
        ),
    ],
)
def test_parameters_keep_their_order_and_aliases_are_not_among_them(document, path, names, required):
    parameters = document["paths"][path]["get"]["parameters"]
    assert [one["name"] for one in parameters] == names
    assert [one["name"] for one in parameters if one.get("required")] == required
    assert all(one["in"] == "query" for one in parameters)


def test_parameters_have_their_types(document):
    def schema(path, name):
        return next(one["schema"] for one in document["paths"][path]["get"]["parameters"] if one["name"] == name)

    assert schema("/emissions/bylocation", "location") == {"type": "string"}
    assert schema("/emissions/bylocations", "location") == {"type": "array", "items": {"type": "string"}}
    assert schema("/emissions/bylocation", "time") == {"type": "string", "format": "date-time"}
    assert schema("/emissions/forecasts/current", "windowSize") == {"type": "integer", "format": "int32"}


def test_the_locations_have_no_parameters(document):
    assert "parameters" not in document["paths"]["/locations"]["get"]


def test_schemas_keep_their_members_order_and_closedness():
    schemas = make_document("strict")["components"]["schemas"]
    for name, members in SCHEMAS.items():
        assert list(schemas[name]["properties"]) == members
        assert schemas[name]["additionalProperties"] is False
    assert schemas["ValidationProblemDetails"]["additionalProperties"] == {}
    assert not [name for name, schema in schemas.items() if "required" in schema]


def test_the_single_optimum_is_documented_only_where_it_is_sent():
    documented = make_document("documented")["components"]["schemas"]["EmissionsForecastDTO"]["properties"]
    assert documented["optimalDataPoint"]["nullable"] is True
    assert list(documented) == [
        *SCHEMAS["EmissionsForecastDTO"][:6],
        "optimalDataPoint",
        "optimalDataPoints",
        "forecastData",
    ]


def test_bodies_are_optional_and_come_in_three_types(document):
    for path in ("/emissions/forecasts/batch", "/emissions/average-carbon-intensity/batch"):
        body = document["paths"][path]["post"]["requestBody"]
        assert set(body["content"]) == {"application/json", "text/json", "application/*+json"}
        assert "required" not in body


def test_every_reference_leads_somewhere(document):
    names = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert names <= set(document["components"]["schemas"])


def conforms(value, schema, schemas):
    """Check a value strictly, as a generated client with closed models does."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if value is None or "allOf" in schema:
        parts = schema.get("allOf", [])
        return schema.get("nullable", False) if value is None else all(conforms(value, one, schemas) for one in parts)
    kind = schema["type"]
    if kind == "array":
        return isinstance(value, list) and all(conforms(each, schema["items"], schemas) for each in value)
    if kind == "object":
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        is_closed = others is not False or set(value) == set(known)
        return is_closed and all(conforms(each, known.get(name, others), schemas) for name, each in value.items())
    types = {"string": str, "number": (int, float), "integer": int, "boolean": bool}
    return isinstance(value, types[kind]) and isinstance(value, bool) == (kind == "boolean")


@pytest.mark.parametrize("profile", PROFILES)
def test_answers_have_exactly_the_members_of_their_schema(serve, profile):
    source = FakeSource({"eastus": points(1, 2)}, {"eastus": points(3, 4, 5)})
    url = serve(context(source, Options(profile=profile)))
    document = make_document(profile)
    period = "startTime=2022-01-01T12:00Z&endTime=2022-01-01T12:10Z"
    for path, query in {
        "/emissions/bylocation": "location=eastus&time=2022-01-01T12:00Z",
        "/emissions/bylocations/best": "location=eastus&time=2022-01-01T12:00Z",
        "/emissions/average-carbon-intensity": f"location=eastus&{period}",
        "/emissions/forecasts/current": "location=eastus&windowSize=10",
        "/locations": "",
        "/locations/{key}": "",
        "/schedule": "location=eastus&duration=5",
        "/health/ready": "",
    }.items():
        answer = requests.get(f"{url}{path.format(key='eastus')}?{query}")
        assert answer.status_code == 200, answer.text
        schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        assert conforms(answer.json(), schema, document["components"]["schemas"]), (path, answer.json())


@pytest.mark.parametrize("profile", PROFILES)
def test_the_document_is_served_as_json_and_yaml_in_every_environment(serve, profile):
    url = serve(context(FakeSource(), Options(profile=profile)))
    expected = make_document(profile)
    for path in ("/swagger/v1/swagger.json", "/openapi.json"):
        answer = requests.get(f"{url}{path}")
        assert answer.headers["content-type"].startswith("application/json")
        assert answer.json() == expected
    answer = requests.get(f"{url}/api/v1/swagger.yaml")
    assert answer.headers["content-type"] == "application/x-yaml"
    assert yaml.safe_load(answer.text) == expected
    assert list(yaml.safe_load(answer.text)["paths"]) == list(expected["paths"])
    assert "&id" not in answer.text  # readers of YAML limit how many aliases they follow


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_the_page_needs_no_internet(serve, prefix):
    url = serve(context(FakeSource(), Options(route_prefix="/api")))
    page = requests.get(f"{url}{prefix}/Swagger/")
    assert page.history[0].status_code == 301
    assert page.url.lower() == f"{url}{prefix}/swagger/index.html"
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "://" not in page.text
    loaded = re.findall(r'(?:src|href)="\./([^"]+)"', page.text)
    assert len(loaded) == 6
    for name in loaded:
        asset = requests.get(f"{url}{prefix}/swagger/{name}")
        assert asset.status_code == 200
        assert asset.content
    initializer = requests.get(f"{url}{prefix}/swagger/swagger-initializer.js").text
    assert "://" not in initializer
    assert '"./v1/swagger.json"' in initializer
    assert "validatorUrl: null" in initializer


def test_a_job_is_described_with_every_name_that_the_profile_takes():
    members = {
        profile: list(make_document(profile)["components"]["schemas"]["ScheduleJob"]["properties"])
        for profile in ("documented", "strict")
    }
    assert members["documented"][:3] == ["location", "locations", "duration"]
    assert [name for name in members["documented"] if name not in members["strict"]] == ["locations"]
