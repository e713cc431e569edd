"""The generated Java models (okhttp-gson) throw on a member that they do not know, and on a wrong type.

A Java compiler does not come from PyPI, so what the models check is read from their source: the set of known members,
the set of required ones, and the type of each field. Our answers in profile `strict` must pass all three.
"""

from __future__ import annotations

import re
from datetime import datetime

import pytest
import requests

from tests.web.blackbox.cases import DAYS_17_TO_19

# The member sets that clients generated from the SDK's own document know.
KNOWN = {
    "CarbonIntensityBatchParametersDTO": "location startTime endTime",
    "CarbonIntensityDTO": "location startTime endTime carbonIntensity",
    "EmissionsData": "location time rating duration",
    "EmissionsDataDTO": "location timestamp duration value",
    "EmissionsForecastBatchParametersDTO": "requestedAt location dataStartAt dataEndAt windowSize",
    "EmissionsForecastDTO": "generatedAt requestedAt location dataStartAt dataEndAt windowSize optimalDataPoints"
    " forecastData",
    "Location": "latitude longitude name",
}
ITEM = {"location": "westus", "startTime": "2021-11-17T00:00:00Z", "endTime": "2021-11-17T08:00:00Z"}
REQUESTED = {"requestedAt": "2022-01-01T00:00:00Z", "location": "westus"}
QUESTIONS = [
    ("EmissionsData", "/emissions/bylocation?location=westus" + DAYS_17_TO_19, None),
    ("EmissionsData", "/emissions/bylocations?location=westus&location=eastus" + DAYS_17_TO_19, None),
    ("EmissionsData", "/emissions/bylocations/best?location=westus&location=eastus" + DAYS_17_TO_19, None),
    (
        "CarbonIntensityDTO",
        "/emissions/average-carbon-intensity?" + "&".join(f"{k}={v}" for k, v in ITEM.items()),
        None,
    ),
    ("CarbonIntensityDTO", "/emissions/average-carbon-intensity/batch", [ITEM, ITEM]),
    ("EmissionsForecastDTO", "/emissions/forecasts/current?location=westus", None),
    ("EmissionsForecastDTO", "/emissions/forecasts/current?location=westus&windowSize=21", None),
    ("EmissionsForecastDTO", "/emissions/forecasts/batch", [REQUESTED, {**REQUESTED, "windowSize": 10}]),
    ("Location", "/locations", None),
]


class Model:
    """What one generated class accepts."""

    def __init__(self, source: str) -> None:
        self.known = names_in(re.search(r"openapiFields = new HashSet<String>\((.*)\);", source)[1])
        self.required = names_in(re.search(r"openapiRequiredFields = new HashSet<String>\((.*)\);", source)[1])
        constants = dict(re.findall(r'String (SERIALIZED_NAME_\w+) = "(\w+)";', source))
        fields = re.findall(
            r"@SerializedName\((SERIALIZED_NAME_\w+)\)\s+(?:@[\w.]+\s+)*"
            r"(?:private|public|protected) ([\w<>, ]+?) \w+(?: = .*)?;",
            source,
        )
        self.types = {constants[constant]: kind for constant, kind in fields}
        self.refuses_unknown = "is not defined in the" in source


def names_in(arguments: str) -> set[str]:
    return set(re.findall(r'"(\w+)"', arguments))


@pytest.fixture(scope="module")
def models(generated):
    folder = generated("strict", "java", library="okhttp-gson", hideGenerationTimestamp="true")
    (package,) = folder.glob("src/main/java/**/model")
    return {path.stem: Model(path.read_text(encoding="utf-8")) for path in package.glob("[!A]*.java")}


def assert_accepts(models, kind, value):
    """Do what Gson and the class's own check do with a value; null passes everywhere, since no field is primitive."""
    if value is None:
        return
    if listed := re.fullmatch(r"List<(\w+)>", kind):
        assert isinstance(value, list)
        for element in value:
            assert_accepts(models, listed[1], element)
    elif kind in models:
        model = models[kind]
        assert set(value) <= model.known, f"the class {kind} throws"
        assert model.required <= set(value)
        assert set(model.types) == model.known
        for name, member in value.items():
            assert_accepts(models, model.types[name], member)
    elif kind == "OffsetDateTime":
        assert datetime.fromisoformat(value).tzinfo is not None
    else:
        wanted = {"String": str, "Integer": int, "Double": (int, float)}[kind]
        assert isinstance(value, wanted), f"{kind}: {value!r}"
        assert not isinstance(value, bool)


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_model_knows_exactly_the_members_of_the_sdk_and_requires_none(models, name):
    assert models[name].known == set(KNOWN[name].split())
    assert models[name].required == set()
    assert models[name].refuses_unknown


@pytest.mark.parametrize(("kind", "path", "body"), QUESTIONS)
def test_answer_is_accepted(models, base_of, kind, path, body):
    url = base_of("strict") + path
    response = requests.get(url, timeout=30) if body is None else requests.post(url, json=body, timeout=30)
    assert response.status_code == 200, response.text
    answer = response.json()
    if isinstance(answer, dict):
        answer = list(answer.values()) if kind == "Location" else [answer]
    assert answer
    for element in answer:
        assert_accepts(models, kind, element)
        assert set(element) == set(KNOWN[kind].split()), "null members are written, not left out"


def test_answer_of_the_other_profile_is_refused(models, base_of):
    (answer,) = requests.get(base_of("documented") + "/emissions/forecasts/current?location=westus", timeout=30).json()
    with pytest.raises(AssertionError, match="throws"):
        assert_accepts(models, "EmissionsForecastDTO", answer)
