"""The programs ``carbon-aware`` and ``caw`` as scripts meet them: what they print, where, and how they exit."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codecarbon import __version__
from tests.support.fakes.watttime import PASSWORD, USER, FakeWattTime
from tests.support.programs import run_program

BIN = Path(sys.executable).parent
PROFILES = ("documented", "strict")


def point(time_: str, rating: float, duration: str = "08:00:00", **more: str) -> dict[str, object]:
    return {**more, "Time": time_, "Rating": rating, "Duration": duration}


FORECAST = [point(f"2022-01-01T00:{5 * at:02}:00+00:00", 10.0 * (at + 1), "00:05:00") for at in range(4)]
DATA = {
    "Emissions": [
        point("2021-11-17T00:00:00+00:00", 10, Location="westus"),
        point("2021-11-17T08:00:00+00:00", 20, Location="westus"),
        point("2021-11-17T16:00:00+00:00", 30, Location="westus"),
        point("2021-11-19T00:00:00+00:00", 40, Location="westus"),
        point("2021-11-17T00:00:00+00:00", 60, "1.00:00:00", Location="eastus"),
    ],
    "Forecasts": [
        {"Location": "westus", "GeneratedAt": "2022-01-01T00:00:00+00:00", "Points": FORECAST},
        {
            "Location": "eastus",
            "GeneratedAt": "2022-09-01T00:00:00+00:00",
            "Points": [
                point("2022-09-01T00:00:00+00:00", 70, "00:05:00"),
                point("2022-09-01T00:05:00+00:00", 50, "00:05:00"),
            ],
        },
    ],
}


@pytest.fixture
def env(tmp_path) -> dict[str, str]:
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS"}}
    return {**kept, "HOME": str(home), "TERM": "xterm", "TZ": "UTC"}


@pytest.fixture
def on_file(folder, env):
    """Environment variables that make the fixture file the source, and nothing else."""
    (folder / "data.json").write_text(json.dumps(DATA))
    return {
        **env,
        "DataSources__EmissionsDataSource": "Json",
        "DataSources__ForecastDataSource": "Json",
        "DataSources__Configurations__Json__Type": "JSON",
        "DataSources__Configurations__Json__DataFileLocation": str(folder / "data.json"),
    }


@pytest.fixture
def call(folder):
    def run(*words: str, env: dict[str, str], program: str = "caw") -> subprocess.CompletedProcess[str]:
        return run_program(str(BIN / program), *words, cwd=folder, env=env)

    return run


def ratings(done: subprocess.CompletedProcess[str]) -> list[float]:
    assert (done.returncode, done.stderr) == (0, "")
    return [row["Rating"] for row in json.loads(done.stdout)]


# --- the program ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["caw", "carbon-aware"])
def test_both_names_are_one_program(call, env, program):
    assert call("--version", env=env, program=program).stdout == f"{__version__}\n"
    assert call("--help", env=env, program=program).stdout.startswith(f"Usage: {program} ")


@pytest.mark.parametrize("words", [["-h"], ["-?"], ["--help"], ["emissions", "-?"], ["emissions-forecasts", "-h"]])
def test_help_has_three_spellings(call, env, words):
    done = call(*words, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: caw" in done.stdout


def test_help_lists_the_options_of_forecasts_with_both_names(call, env):
    shown = call("emissions-forecasts", "--help", env=env).stdout
    for pair in (
        "-l, --location",
        "-s, --data-start-at",
        "-e, --data-end-at",
        "-r, --requested-at",
        "-w, --window-size",
    ):
        assert pair in shown


# --- emissions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_case_67_emissions_are_pascal_case_json_on_standard_output(call, on_file, profile):
    words = ("-l", "westus", "-s", "2021-11-17T00:00Z", "-e", "2021-11-18T00:00Z", "--profile", profile)
    done = call("emissions", *words, env=on_file)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    assert json.loads(done.stdout)[0] == {
        "Location": "westus",
        "Time": "2021-11-17T00:00:00+00:00",
        "Rating": 10,
        "Duration": "08:00:00",
    }
    assert ratings(done) == [10, 20, 30]


@pytest.mark.parametrize("profile", PROFILES)
def test_case_67_a_start_after_the_end_exits_2(call, on_file, profile):
    words = ("-l", "eastus", "-s", "2021-11-18", "-e", "2021-11-17", "--profile", profile)
    done = call("emissions", *words, env=on_file)
    assert (done.returncode, done.stdout) == (2, "")
    assert " ".join(done.stderr.split()) == "Invalid parameters Start: Start must be before End"


@pytest.mark.parametrize(
    "words", [[], ["-a", "-b", "-l", "eastus"], ["-l", "eastus", "-s", "soon"], ["--locations", "x"]]
)
def test_case_68_usage_errors_exit_1_with_the_help_on_standard_output(call, on_file, words):
    done = call("emissions", *words, env=on_file)
    assert done.returncode == 1
    assert done.stdout.startswith("Usage: caw emissions")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_case_68_best_and_average_exclude_each_other(call, on_file):
    done = call("emissions", "-a", "-b", "-l", "eastus", env=on_file)
    assert done.stderr == "Options --average and --best cannot be used together\n"


def test_case_68_a_providers_error_exits_3_on_three_lines(call, env):
    with FakeWattTime() as fake:
        variables = {
            "DataSources__EmissionsDataSource": "W",
            "DataSources__Configurations__W__Type": "WattTime",
            "DataSources__Configurations__W__Username": USER,
            "DataSources__Configurations__W__Password": f"{PASSWORD}-wrong",
            "DataSources__Configurations__W__BaseUrl": fake.base_url,
            "DataSources__Configurations__W__AuthenticationBaseUrl": f"{fake.url}/",
        }
        done = call("emissions", "-l", "eastus", env={**env, **variables})
    assert (done.returncode, done.stdout) == (3, "")
    title, status, detail = done.stderr.splitlines()
    assert (title, status) == ("WattTimeClientHttpException", "403")
    assert detail
    assert PASSWORD not in done.stderr


@pytest.mark.parametrize("profile", PROFILES)
def test_case_69_averages_have_the_begin_and_length_of_the_period(call, on_file, profile):
    times = ("-s", "2021-11-17T04:00+02:00", "-e", "2021-11-17T08:00+02:00")
    done = call("emissions", "-l", "eastus", "-l", "westus", *times, "-a", "--profile", profile, env=on_file)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == [
        {"Location": "eastus", "Time": "2021-11-17T04:00:00+02:00", "Rating": 60, "Duration": "04:00:00"},
        {"Location": "westus", "Time": "2021-11-17T04:00:00+02:00", "Rating": 10, "Duration": "04:00:00"},
    ]


@pytest.mark.parametrize("words", [["-s", "2021-11-17"], ["-e", "2021-11-17"], []])
def test_an_average_without_both_times_exits_2_and_names_the_options(call, on_file, words):
    done = call("emissions", "-l", "eastus", "-a", *words, env=on_file)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--start-time" in done.stderr
    assert "--end-time" in done.stderr


@pytest.mark.parametrize("flag", [["-b"], ["--best"], ["--best", "true"], ["--best=true"], ["-b", "True"]])
def test_best_has_the_lowest_of_all(call, on_file, flag):
    times = ("-s", "2021-11-17", "-e", "2021-11-18")
    assert ratings(call("emissions", "-l", "westus", "-l", "eastus", *times, *flag, env=on_file)) == [10]


@pytest.mark.parametrize("flag", [["--best", "false"], ["--best=false"], ["-a", "false"]])
def test_a_flag_can_be_switched_off(call, on_file, flag):
    times = ("-s", "2021-11-17T00:00Z", "-e", "2021-11-17T20:00Z")
    assert ratings(call("emissions", *flag, "-l", "westus", *times, env=on_file)) == [10, 20, 30]


@pytest.mark.parametrize("words", [["-l", "westus,eastus"], ["-l", "westus", "-l", "eastus"], ["-l", "westus, eastus"]])
def test_defect_26_commas_part_locations(call, on_file, words):
    done = call("emissions", *words, "-s", "2021-11-17T01:00Z", env=on_file)
    assert sorted(ratings(done)) == [10, 60]


def test_a_comma_within_a_key_is_kept(call, on_file, folder):
    (folder / "data.json").write_text(
        json.dumps({"Emissions": [point("2021-11-17T00:00:00+00:00", 5, Location="37.4,-79.8")]})
    )
    assert ratings(call("emissions", "-l", "37.4,-79.8", "-s", "2021-11-17T01:00Z", env=on_file)) == [5]


def test_nothing_found_is_an_empty_list(call, on_file):
    done = call("emissions", "-l", "westus", "-s", "2021-11-18T01:00Z", "-e", "2021-11-18T02:00Z", env=on_file)
    assert (done.returncode, done.stdout) == (0, "[]\n")


def test_an_unknown_location_exits_2(call, env):
    done = call("emissions", "-l", "atlantis", env=env)
    assert done.returncode == 2
    assert done.stderr.startswith("Unknown Location: 'atlantis' not found")


def test_a_time_without_offset_is_utc_wherever_one_is(call, on_file):
    words = ("emissions", "-l", "westus", "-s", "2021-11-17T08:00")
    assert ratings(call(*words, env={**on_file, "TZ": "America/New_York"})) == [20]


def test_defect_26_csv(call, on_file):
    done = call("emissions", "-l", "westus", "-s", "2021-11-17T01:00Z", "-o", "csv", env=on_file)
    assert done.stdout == "location,time,rating,duration\nwestus,2021-11-17T00:00:00+00:00,10,PT8H\n"


def test_a_table_for_people(call, on_file):
    done = call("emissions", "-l", "westus", "-s", "2021-11-17T01:00Z", "-o", "table", env=on_file)
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["location", "time", "rating", "duration"],
        ["westus", "2021-11-17T00:00:00+00:00", "10", "PT8H"],
    ]


def test_another_output_is_refused(call, on_file):
    assert call("emissions", "-l", "westus", "-o", "xml", env=on_file).returncode == 1


# --- forecasts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_case_70_a_forecast_of_the_past(call, on_file, profile):
    done = call("emissions-forecasts", "-l", "eastus", "-r", "2022-09-01", "--profile", profile, env=on_file)
    assert (done.returncode, done.stderr) == (0, "")
    (forecast,) = json.loads(done.stdout)
    assert forecast["GeneratedAt"] == forecast["RequestedAt"] == "2022-09-01T00:00:00+00:00"
    assert forecast["OptimalDataPoints"] == [
        {"Location": "eastus", "Time": "2022-09-01T00:05:00+00:00", "Rating": 50, "Duration": "00:05:00"}
    ]
    assert list(forecast) == [
        *("GeneratedAt", "RequestedAt", "Location", "DataStartAt", "DataEndAt", "WindowSize"),
        *("OptimalDataPoints", "ForecastData"),
    ]


def test_the_newest_forecast_is_averaged_over_windows(call, on_file):
    words = ("-l", "westus", "-w", "10", "-s", "2022-01-01T00:00Z", "-e", "2022-01-01T00:15Z")
    done = call("emissions-forecasts", *words, env=on_file)
    (forecast,) = json.loads(done.stdout)
    assert [row["Rating"] for row in forecast["ForecastData"]] == [15, 25]
    assert forecast["WindowSize"] == 10
    assert [row["Time"] for row in forecast["OptimalDataPoints"]] == ["2022-01-01T00:00:00+00:00"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("-w", "ten"), 1),
        (("-w", "-5"), 2),
        (("-s", "2022-01-01T00:10Z", "-e", "2022-01-01T00:05Z"), 2),
        (("-s", "1999-01-01", "-e", "1999-01-02"), 2),
    ],
)
def test_bad_questions_about_forecasts(call, on_file, words, code):
    done = call("emissions-forecasts", "-l", "westus", *words, env=on_file)
    assert done.returncode == code
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_a_forecast_in_csv(call, on_file):
    done = call("emissions-forecasts", "-l", "eastus", "-o", "csv", env=on_file)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["rating"], row["is_optimal"]) for row in rows] == [("70", "no"), ("50", "yes")]


# --- locations, configuration -----------------------------------------------------------------------------------------


def test_case_70_locations(call, env):
    done = call("locations", env=env)
    known = json.loads(done.stdout)
    assert {"eastus", "northeurope"} <= set(known)
    assert set(known["eastus"]) == {"Latitude", "Longitude", "Name"}
    assert known["eastus"]["Name"] == "eastus"


def test_without_configuration_the_sample_answers_and_says_that_it_is_made_up(call, env):
    done = call("emissions", "-l", "eastus", env=env)
    assert done.returncode == 0
    assert len(json.loads(done.stdout)) > 200
    assert done.stderr == "carbon-aware: synthetic data: made-up values, for trying things out\n"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"DataSources__EmissionsDataSource": "Nobody"}, "Nobody"),
        (
            {"DataSources__EmissionsDataSource": "X", "DataSources__Configurations__X__Type": "Odd"},
            "Unknown data source type: Odd",
        ),
        ({"DataSources__EmissionsDataSource": ""}, "EmissionsDataSource is not configured"),
    ],
)
def test_defect_16_a_bad_configuration_is_one_line_and_no_crash(call, env, variables, words):
    done = call("emissions", "-l", "eastus", env={**env, **variables})
    assert done.returncode in {1, 2}
    assert words in done.stderr
    assert done.stderr.strip().count("\n") == 0
    assert done.stdout == ""


def test_case_71_the_environment_alone_configures_a_source(call, on_file):
    assert ratings(call("emissions", "-l", "eastus", "-s", "2021-11-17T12:00Z", env=on_file)) == [60]


def test_a_configuration_file_can_be_named(call, env, folder):
    (folder / "data.json").write_text(json.dumps(DATA))
    entry = {"Type": "JSON", "DataFileLocation": str(folder / "data.json")}
    sources = {"EmissionsDataSource": "Mine", "Configurations": {"Mine": entry}}
    (folder / "mine.json").write_text(json.dumps({"DataSources": sources}))
    words = ("emissions", "-l", "eastus", "-s", "2021-11-17T12:00Z", "--config", "mine.json")
    assert ratings(call(*words, env=env)) == [60]
    assert call(*words[:-1], "other.json", env=env).returncode == 1


def test_defect_26_verbose_goes_to_standard_error(call, env):
    with FakeWattTime() as fake:
        variables = {
            "DataSources__EmissionsDataSource": "W",
            "DataSources__Configurations__W__Type": "WattTime",
            "DataSources__Configurations__W__Username": USER,
            "DataSources__Configurations__W__Password": PASSWORD,
            "DataSources__Configurations__W__BaseUrl": fake.base_url,
            "DataSources__Configurations__W__AuthenticationBaseUrl": f"{fake.url}/",
        }
        done = call("emissions", "-l", "eastus", "-v", env={**env, **variables})
    assert done.returncode == 0
    assert json.loads(done.stdout)
    assert "/v3/" in done.stderr
    assert PASSWORD not in done.stderr


@pytest.mark.parametrize("flags", [["-v", "locations"], ["locations", "--verbose"], ["locations", "-v", "false"]])
def test_verbose_is_taken_before_and_after_the_command(call, env, flags):
    assert call(*flags, env=env).returncode == 0


# --- check and serve --------------------------------------------------------------------------------------------------


def test_check_passes_on_the_file(call, on_file):
    done = call("check", env=on_file)
    assert done.returncode == 0, done.stdout
    assert "everything works" in done.stdout
    assert "\x1b" not in done.stdout


def test_check_hides_secrets_and_exits_1_on_a_fault(call, env):
    variables = {
        "DataSources__EmissionsDataSource": "W",
        "DataSources__Configurations__W__Type": "WattTime",
        "DataSources__Configurations__W__Password": "not-for-everybody",
    }
    done = call("check", env={**env, **variables})
    assert done.returncode == 1
    assert "Username is required" in done.stdout
    assert "not-for-everybody" not in done.stdout + done.stderr
    assert "DataSources:Configurations:W:Password" in done.stdout


@pytest.mark.parametrize("words", [["--port", "99999"], ["--port", "http"], ["--urls", "ftp://x"]])
def test_serve_refuses_an_address_that_cannot_be(call, env, words):
    assert call("serve", *words, env=env).returncode == 1


def test_a_question_refused_for_a_broken_file_names_the_file(call, env, folder):
    path = folder / "broken.json"
    path.write_text('{"DataSources": {')
    result = call("emissions", "-l", "eastus", "--config", str(path), env=env)
    assert result.returncode == 2
    assert not result.stdout
    assert "EmissionsDataSource is not configured: broken.json: it cannot be read" in result.stderr
