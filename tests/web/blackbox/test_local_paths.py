"""What clients read says nothing of where files lie on the server."""

from __future__ import annotations

import pytest
import requests

from tests.web.blackbox.cases import AVERAGE, CURRENT, HISTORY, PROFILES
from tests.web.blackbox.sites import J, Site, emissions, forecast

NOWHERE = "location=nowhere"
OLD = "time=1999-01-01T00:00:00Z&toTime=1999-01-02T00:00:00Z"


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("is_broken", [False, True])
def test_no_answer_has_the_folder_of_a_data_file(tmp_path, serve_site, profile, is_broken):
    site = Site(tmp_path).source("Emissions", emissions(J)).source("Forecast", forecast([10, 20], "eastus"))
    for configuration in site.settings["DataSources"]["Configurations"].values():
        configuration["CacheJsonData"] = "false"  # a file that is spoilt later is noticed
    base = serve_site(site, profile)
    if is_broken:
        for path in tmp_path.glob("*.data.json"):
            path.write_text("no JSON", encoding="utf-8")
    item = {"location": "westus", "requestedAt": "1999-01-01T00:00:00Z"}
    answers = [
        requests.get(f"{base}/emissions/bylocation?{NOWHERE}", timeout=30),
        requests.get(f"{base}/emissions/bylocations/best?location=westus&{OLD}", timeout=30),
        requests.get(
            f"{base}{AVERAGE}?location=westus&{OLD.replace('toTime', 'endTime').replace('time', 'startTime')}"
        ),
        requests.get(f"{base}{CURRENT}?location=westus", timeout=30),
        requests.get(f"{base}{CURRENT}?{NOWHERE}", timeout=30),
        requests.get(f"{base}/schedule?location=westus&duration=5", timeout=30),
        requests.post(f"{base}{HISTORY}", json=[item], timeout=30),
        requests.get(f"{base}/locations/eastus", timeout=30),
        requests.get(f"{base}/locations", timeout=30),
        requests.get(f"{base}/health/ready", timeout=30),
    ]
    assert (500 if is_broken else 400) in {answer.status_code for answer in answers}
    for answer in answers:
        told = f"{answer.text} {dict(answer.headers)}"
        assert str(tmp_path) not in told, (answer.url, told)
