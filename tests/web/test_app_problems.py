"""What clients get in place of an answer."""

from __future__ import annotations

import logging
import re

import pytest
import requests

from codecarbon.carbon_aware.options import Options
from codecarbon.errors import (
    CapabilityError,
    NoIntensityData,
    ProviderDataError,
    ProviderRejected,
    ProviderUnavailable,
)
from tests.support.fake_intensity import FakeSource, context, points
from tests.support.web_server import running

ONE = "/emissions/bylocation?location=eastus&time=2022-01-01T12:00Z"
PARENT = "00-1028f533fed8edeed14129a4c13055a1-49b50516233ee04a-01"


def failing(error, profile="documented", **options):
    source = FakeSource({"eastus": points(1)}, {"eastus": points(1)})
    source.error = error
    return context(source, Options(profile=profile, **options))


def check_shape_b(answer):
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json; charset=utf-8"
    assert "type" not in body
    assert body["status"] == answer.status_code
    assert isinstance(body["errors"], dict)
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", body["traceId"])
    return body


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/emissions/bylocations", {"strict": {"MultipleLocations"}, "documented": {"location"}}),
        ("/emissions/bylocations?location=a&toTime=2022-01-01", {"strict": {"Start"}, "documented": {"time"}}),
        (
            "/emissions/average-carbon-intensity?startTime=2022-01-01&endTime=2022-01-02",
            {"strict": {"SingleLocation"}, "documented": {"location"}},
        ),
        ("/emissions/forecasts/current", {"strict": {"MultipleLocations"}, "documented": {"location"}}),
    ],
)
@pytest.mark.parametrize("profile", ["documented", "strict"])
def test_defect_01_error_keys_are_wire_names_and_internal_only_if_strict(serve, path, names, profile):
    answer = requests.get(f"{serve(failing(None, profile))}{path}")
    assert answer.status_code == 400
    assert set(check_shape_b(answer)["errors"]) == names[profile]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/emissions/bylocation", "location"),
        ("/emissions/bylocation?location=", "location"),
        ("/emissions/bylocation?location=a&time=abc", "time"),
        ("/emissions/forecasts/current?location=a&windowSize=abc", "windowSize"),
    ],
)
@pytest.mark.parametrize("profile", ["documented", "strict"])
def test_what_cannot_be_bound_is_told_in_the_frameworks_shape(serve, path, key, profile):
    answer = requests.get(f"{serve(failing(None, profile))}{path}")
    body = answer.json()
    assert (answer.status_code, body["status"]) == (400, 400)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert body["title"] == "One or more validation errors occurred."
    assert body["type"] == "https://tools.ietf.org/html/rfc9110#section-15.5.1"
    assert list(body["errors"]) == [key]
    assert "detail" not in body


@pytest.mark.parametrize(
    ("status", "retry_after_s", "sent"), [(401, None, None), (403, None, None), (404, None, None), (429, 12.2, "13")]
)
def test_defect_14_a_providers_status_detail_and_retry_after_are_passed_on(serve, status, retry_after_s, sent):
    error = ProviderRejected("it said no", "electricity_maps", "eastus", status, "quota used up", retry_after_s)
    answer = requests.get(f"{serve(failing(error))}{ONE}")
    assert answer.status_code == status
    assert answer.headers.get("retry-after") == sent
    body = check_shape_b(answer)
    assert body["title"] == "ElectricityMapsClientHttpException"
    assert "quota used up" in body["detail"]


@pytest.mark.parametrize(
    "error",
    [
        ProviderUnavailable("time-out at https://user@host", "electricity_maps", "eastus", 5.0),
        ProviderDataError("no JSON", "electricity_maps", "eastus"),
        OSError("a disk nobody thought of"),
    ],
)
def test_what_went_wrong_inside_is_500_without_detail_and_is_logged(caplog, error):
    with caplog.at_level(logging.WARNING), running(failing(error)) as url:
        answer = requests.get(f"{url}{ONE}")
    assert answer.status_code == 500
    body = check_shape_b(answer)
    assert body["title"] == "InternalServerError"
    assert "detail" not in body
    assert body["errors"] == {}
    logged = "".join(record.getMessage() + str(record.exc_info or "") for record in caplog.records)
    assert type(error).__name__ in logged


def test_what_a_source_cannot_do_is_no_failure_to_log(caplog):
    error = CapabilityError("not implemented", "electricity_maps", "eastus", "historical_forecast")
    with caplog.at_level(logging.WARNING), running(failing(error)) as url:
        assert requests.get(f"{url}{ONE}").status_code == 501
    assert not [record for record in caplog.records if record.name.startswith("codecarbon")]


def test_what_is_logged_is_one_line_whatever_a_client_sent(caplog):
    error = ProviderDataError("asked for zone:DE\r\nFORGED\x1b[2J, got XX", "electricity_maps", "eastus")
    with caplog.at_level(logging.WARNING), running(failing(error)) as url:
        requests.get(f"{url}{ONE}")
    (line,) = (record.getMessage() for record in caplog.records if "asked for" in record.getMessage())
    assert line.isprintable()


def test_a_verbose_server_says_what_went_wrong_inside(serve):
    body = requests.get(f"{serve(failing(OSError('a disk'), is_verbose=True))}{ONE}").json()
    assert (body["title"], body["detail"]) == ("OSError", "a disk")
    (trace,) = body["errors"]["stackTrace"]
    assert "Traceback" in trace


def test_a_verbose_server_adds_the_trace_to_bad_requests_and_not_to_providers_errors(serve):
    bad = requests.get(f"{serve(failing(None, is_verbose=True))}/emissions/bylocations").json()
    assert set(bad["errors"]) == {"location", "stackTrace"}
    rejected = ProviderRejected("no", "watttime", "eastus", 403)
    theirs = requests.get(f"{serve(failing(rejected, is_verbose=True))}{ONE}").json()
    assert theirs["title"] == "WattTimeClientHttpException"
    assert theirs["errors"] == {}


def test_a_source_that_is_not_configured_is_400_and_one_that_cannot_is_501(serve):
    none = serve(context(None))
    for path, role in ((ONE, "Emissions"), ("/emissions/forecasts/current?location=eastus", "Forecast")):
        answer = requests.get(f"{none}{path}")
        assert answer.status_code == 400
        assert check_shape_b(answer)["detail"] == f"{role}DataSource is not configured"
    incapable = serve(context(FakeSource(capabilities=("observed", "forecast"))))
    items = [{"requestedAt": "2022-01-01T12:00:00Z", "location": "eastus"}]
    answer = requests.post(f"{incapable}/emissions/forecasts/batch", json=items)
    assert answer.status_code == 501
    assert check_shape_b(answer)["title"] == "NotImplementedException"


def test_an_error_of_capability_inside_a_source_is_501_too(serve):
    error = CapabilityError("not here", "uk_carbon_intensity", "eastus", "observed")
    assert requests.get(f"{serve(failing(error))}{ONE}").status_code == 501


@pytest.mark.parametrize("profile", ["documented", "strict"])
def test_an_unknown_place_and_one_outside_the_sources_area_are_400(serve, profile):
    outside = NoIntensityData("outside", "electricity_maps", "eastus")
    for error, place in ((None, "nowhere"), (outside, "eastus")):
        asked = failing(error, profile)
        asked.emissions.zone_error = error
        answer = requests.get(f"{serve(asked)}/emissions/bylocation?location={place}&time=2022-01-01")
        assert answer.status_code == 400
        body = check_shape_b(answer)
        assert body["title"] == "ArgumentException"
        assert body["detail"].startswith(f"Unknown Location: '{place}' not found")
        assert set(body["errors"]) == ({"location"} if profile == "documented" else set())


@pytest.mark.parametrize("profile", ["documented", "strict"])
def test_a_known_place_without_values_for_that_time_is_400_and_says_so(serve, profile):
    asked = failing(NoIntensityData("the archive ends in 2020", "electricity_maps", "eastus"), profile)
    answer = requests.get(f"{serve(asked)}/emissions/bylocation?location=eastus&time=2022-01-01")
    assert answer.status_code == 400
    body = check_shape_b(answer)
    assert body["detail"] == "There are no values for 'eastus' at that time: the archive ends in 2020"
    assert set(body["errors"]) == ({"time"} if profile == "documented" else set())


def test_a_problem_belongs_to_the_callers_trace(serve):
    answer = requests.get(f"{serve(failing(None))}/emissions/bylocations", headers={"traceparent": PARENT})
    name = answer.json()["traceId"]
    assert name[:36] == PARENT[:36]
    assert name != PARENT


def test_problems_are_never_kept(serve):
    assert requests.get(f"{serve(failing(None))}/emissions/bylocations").headers["cache-control"] == "no-store"


def test_defect_08_what_fails_late_is_a_problem_body_and_not_half_an_answer(serve):
    class Crumbling(FakeSource):
        def forecast(self, where):
            if where.key == "westus":
                raise ProviderRejected("no such zone", self.name, where.key, 404)
            return super().forecast(where)

    source = Crumbling(forecast={"eastus": points(1, 2, 3)}, capabilities=("forecast",))
    url = serve(context(source))
    answer = requests.get(f"{url}/emissions/forecasts/current?location=eastus&location=westus&windowSize=10")
    assert answer.status_code == 404
    assert check_shape_b(answer)["title"] == "ElectricityMapsClientHttpException"
    too_long = requests.get(f"{url}/emissions/forecasts/current?location=eastus&windowSize=100")
    assert too_long.status_code == 200
    assert too_long.json()[0]["forecastData"] == []
    assert too_long.json()[0]["optimalDataPoint"] is None
