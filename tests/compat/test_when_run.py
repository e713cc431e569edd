"""``codecarbon when`` and ``codecarbon run`` as installed: exit codes, streams, signals, schedulers' words."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.support.programs import PROGRAM, TIMEOUT_S, run_program
from tests.support.terminal import Terminal

FRANCE = ("--offline", "--country-iso-code", "FRA")


@pytest.fixture
def env(tmp_path) -> dict[str, str]:
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS", "FORCE_COLOR"}}
    return {**kept, "HOME": str(home), "TERM": "xterm-256color", "TZ": "UTC"}


def write_forecast(folder: Path, *values: float, step_min: int = 60) -> None:
    """Configure a file with a forecast for ``here`` that begins at the present hour."""
    begin = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
    points = [
        {
            "Time": (begin + timedelta(minutes=at * step_min)).isoformat(),
            "Rating": value,
            "Duration": f"{step_min // 60:02}:{step_min % 60:02}:00",
        }
        for at, value in enumerate(values)
    ]
    forecast = {"Location": "here", "GeneratedAt": begin.isoformat(), "Points": points}
    (folder / "data.json").write_text(json.dumps({"Forecasts": [forecast]}))
    entry = {"Type": "JSON", "DataFileLocation": str(folder / "data.json")}
    sources = {"ForecastDataSource": "File", "Configurations": {"File": entry}}
    (folder / "appsettings.json").write_text(json.dumps({"DataSources": sources}))


def write_cheap_soon(folder: Path) -> datetime:
    """Configure a forecast that turns cheap five seconds after the moment that is returned, a whole second."""
    begin = datetime.now(timezone.utc).replace(microsecond=0)
    steps = [(begin, 400.0, "00:00:05"), (begin + timedelta(seconds=5), 100.0, "01:00:00")]
    points = [{"Time": at.isoformat(), "Rating": value, "Duration": length} for at, value, length in steps]
    write_forecast(folder, 1)
    forecast = {"Location": "here", "GeneratedAt": begin.isoformat(), "Points": points}
    (folder / "data.json").write_text(json.dumps({"Forecasts": [forecast]}))
    return begin


IN_A_MOMENT = ("--when", "greenest", "--duration", "1s", "--within", "30s", "--regions", "here", "--no-spread")


@pytest.fixture
def call(folder, env):
    def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return run_program(PROGRAM, *words, cwd=folder, env={**env, **variables})

    return run


# --- when -------------------------------------------------------------------------------------------------------------


def test_a_misspelt_source_is_a_usage_error_not_a_reason_to_run_now(folder, call):
    write_forecast(folder, 300, 100, 200)
    done = call("when", "--duration", "1h", "--regions", "here", "--source", "nobody")
    assert done.returncode == 2
    assert "source='nobody' (from option --source)" in done.stderr
    assert call("run", "--when", "greenest", "--source", "nobody", "--", "echo", "started").returncode == 2
    configured = call("when", "--duration", "1h", "--regions", "here", "--source", "File")
    assert configured.stdout.startswith("Start "), configured


SAMPLE = ("when", "--duration", "3h", "--source", "sample", "--regions", "eastus")
DEAR_THEN_CHEAP = (400, 400, 400, 100, 100, 400)
HARDLY_CHEAPER = (400, 400, 400, 398, 398, 400)
NOT_WORTH_IT = "un now, because the average intensity is 400 g/kWh now, and waiting would save only 0.5 % (here, "


def test_when_answers_offline_from_the_sample_and_calls_it_synthetic(call):
    done = call(*SAMPLE)
    assert (done.returncode, done.stderr) == (0, "")
    assert "average intensity" in done.stdout
    assert "synthetic" in done.stdout
    assert re.search(r"^ +1\. ", done.stdout, re.MULTILINE)


def test_the_sample_delays_nothing_unless_it_is_named(call):
    done = call("when", "--duration", "3h", "--regions", "eastus")
    assert done.returncode == 0
    assert done.stdout.startswith("Run now, because the only data are made-up samples")


def test_a_forecast_of_ones_own_is_followed(call, folder):
    write_forecast(folder, *DEAR_THEN_CHEAP)
    done = call("when", "--duration", "1h", "--regions", "here", "--no-spread", "--format", "json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["is_now"], document["signal"]) == (0, False, "average")
    (span,) = document["chosen"]["spans_utc"]
    begin = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
    assert span[0] == (begin + timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert document["chosen"]["saving_ratio"] == pytest.approx(0.75)


def test_a_job_is_not_put_off_for_next_to_nothing(call, folder):
    write_forecast(folder, *HARDLY_CHEAPER)
    words = ("when", "--duration", "1h", "--regions", "here")
    done = call(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"R{NOT_WORTH_IT}")
    document = json.loads(call(*words, "--json").stdout)
    assert (document["is_now"], document["min_saving_ratio"], document["chosen"]["saving_ratio"]) == (True, 0.01, 0)
    before = datetime.now(timezone.utc).replace(second=0, microsecond=0)
    printed = {form: call(*words, "--format", form) for form in ("at", "slurm", "systemd")}
    after = datetime.now(timezone.utc) + timedelta(minutes=2)
    assert all(done.stderr.startswith(f"codecarbon: r{NOT_WORTH_IT}") for done in printed.values())
    assert printed["slurm"].stdout == "now\n"
    for form, layout in (("at", "%Y%m%d%H%M"), ("systemd", "%Y-%m-%d %H:%M:%S UTC")):
        start = datetime.strptime(printed[form].stdout.strip(), layout).replace(tzinfo=timezone.utc)
        assert before <= start <= after


@pytest.mark.parametrize("program", ["when", "run"])
def test_what_waiting_must_save_is_an_option(call, folder, program):
    write_forecast(folder, *HARDLY_CHEAPER)
    rest = ("--dry-run", "--when", "greenest", "--", "true") if program == "run" else ("--format", "epoch")
    words = (program, "--duration", "1h", "--regions", "here")
    assert "codecarbon: run now, " in call(*words, *rest).stderr
    assert "codecarbon: start " in call(*words, "--min-saving", "0.4%", *rest).stderr


def test_a_spread_start_lies_in_the_cheap_hours(call, folder):
    write_forecast(folder, *DEAR_THEN_CHEAP)
    done = call("when", "--duration", "1h", "--regions", "here", "--format", "epoch")
    begin_s = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0).timestamp()
    assert 2.9 * 3600 <= int(done.stdout) - begin_s <= 4.1 * 3600


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ("epoch", r"\d{10}\n"),
        ("at", r"20\d{10}\n"),
        ("slurm", r"(now|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\n"),
        ("systemd", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\n"),
    ],
)
def test_standard_output_is_the_schedulers_word_alone(call, form, pattern):
    done = call(*SAMPLE, "--format", form)
    assert done.returncode == 0
    assert re.fullmatch(pattern, done.stdout)
    assert done.stderr.startswith("codecarbon: ")
    assert "because" in done.stderr


def test_json_has_a_short_name(call):
    assert json.loads(call(*SAMPLE, "--json").stdout)["schema"] == "codecarbon.when/1"


def test_the_word_for_systemd_is_a_moment_to_come(call):
    now = datetime.now(timezone.utc)
    word = call(*SAMPLE, "--format", "systemd").stdout.strip()
    start = datetime.strptime(word, "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=timezone.utc)
    assert now <= start <= now + timedelta(hours=24, minutes=1)
    if tool := shutil.which("systemd-analyze"):  # where systemd is, it has to agree
        done = subprocess.run([tool, "calendar", word], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        assert done.returncode == 0, done.stderr
        assert "Next elapse: " in done.stdout
        assert "never" not in done.stdout


@pytest.mark.parametrize(
    ("words", "because"),
    [
        (("--regions", "atlantis", "--source", "sample"), "atlantis"),
        (("--regions", "eastus", "--config", "broken.json"), "cannot be read"),
        (("--regions", "eastus", "--source", "sample", "--deadline", "2020-01-01"), "the deadline leaves no time"),
        (("--regions", "eastus", "--source", "static"), "static has no forecasts"),
    ],
)
def test_missing_data_mean_run_now_with_exit_code_0(call, folder, words, because):
    (folder / "broken.json").write_text("{")
    done = call("when", "--duration", "1h", *words)
    assert done.returncode == 0
    assert done.stdout.startswith("Run now, because ")
    assert because in done.stdout
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


@pytest.mark.parametrize(
    "words",
    [
        ("when",),
        ("when", "--duration", "long"),
        ("when", "--duration", "1h", "--min-saving", "101"),
        ("when", "--duration", "1h", "--deadline", "tomorrow"),
        ("when", "--duration", "1h", "--format", "xml"),
        ("when", "--durations", "1h"),
        ("when", "--duration", "1h", "--config", "missing.json"),
        ("run", "--when", "later", "--", "true"),
    ],
)
def test_a_bad_option_exits_2(call, words):
    done = call(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_a_picture_on_a_terminal(env, folder):
    terminal = Terminal([PROGRAM, *SAMPLE, "--no-spread"], env=env, cwd=folder, columns=90, rows=50)
    seen = terminal.finish()
    assert terminal.exit_code == 0
    assert "█" in seen
    green = [line for line in seen.splitlines() if "\x1b[1;32" in line]
    assert 3 <= len(green) <= 4
    assert all("<" in line for line in green)


def test_no_color_leaves_the_picture_and_its_marks(env, folder):
    terminal = Terminal([PROGRAM, *SAMPLE], env={**env, "NO_COLOR": "1"}, cwd=folder, columns=90, rows=50)
    seen = terminal.finish()
    assert "█" in seen
    assert "<" in seen
    assert not re.search("\x1b\\[[0-9;]*3[0-9]", seen)


def test_a_pipe_gets_plain_lines(call):
    shown = call(*SAMPLE).stdout
    assert "\x1b" not in shown
    assert "█" not in shown


# --- run --------------------------------------------------------------------------------------------------------------


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "emissions.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_run_now_is_monitor(call, folder):
    done = call("run", *FRANCE, "--", sys.executable, "-c", "print('hello'); raise SystemExit(3)")
    assert (done.returncode, done.stdout) == (3, "hello\n")
    assert len(rows(folder)) == 1
    assert "Emissions: " in done.stderr


def test_missing_data_run_the_command_at_once_and_say_why(call, folder):
    done = call("run", "--when", "greenest", "--within", "24h", "--regions", "atlantis", *FRANCE, "--", "echo", "hello")
    assert (done.returncode, done.stdout) == (0, "hello\n")
    assert done.stderr.startswith("codecarbon: run now, because ")
    assert len(rows(folder)) == 1


def test_the_sample_does_not_delay_a_command(call):
    began = time.monotonic()
    done = call("run", "--when", "greenest", "--regions", "eastus", *FRANCE, "--", "true")
    assert done.returncode == 0
    assert "made-up" in done.stderr
    assert time.monotonic() - began < TIMEOUT_S / 2


def test_a_dry_run_starts_nothing(call, folder):
    write_forecast(folder, *DEAR_THEN_CHEAP)
    words = ("run", "--when", "greenest", "--dry-run", "--regions", "here", "--", "touch", "made")
    done = call(*words)
    assert (done.returncode, done.stdout) == (0, "")
    assert "start " in done.stderr
    assert not (folder / "made").exists()


def test_the_command_starts_when_its_time_has_come(call, folder):
    begin = write_cheap_soon(folder)
    done = call("run", *IN_A_MOMENT, *FRANCE, "--", sys.executable, "-c", "import time; print(time.time())")
    assert done.returncode == 0
    assert begin.timestamp() + 5 <= float(done.stdout) < begin.timestamp() + 30
    assert float(rows(folder)[0]["duration"]) < 5, "the waiting is not measured"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_while_waiting_starts_nothing(start, folder, number, code):
    write_forecast(folder, *DEAR_THEN_CHEAP)
    process = start("run", "--when", "greenest", "--regions", "here", *FRANCE, "--", "touch", "made")
    assert "start " in process.stderr.readline()
    process.send_signal(number)
    _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == code
    assert "the command was not started" in errors
    assert "Traceback" not in errors
    assert not (folder / "made").exists()


# Tells the signals that it got within half a second of the first, and ends with 7.
_COUNTING = """
import signal, sys, time
got = []
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, frame: got.append(int(number)))
print("up", flush=True)
while not got:
    time.sleep(0.01)
time.sleep(0.5)
print(got, flush=True)
sys.exit(7)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_after_the_waiting_reaches_the_command_once(start, folder, number):
    write_cheap_soon(folder)
    process = start("run", *IN_A_MOMENT, *FRANCE, "--", sys.executable, "-c", _COUNTING)
    assert process.stdout.readline() == "up\n"
    process.send_signal(number)
    told, errors = process.communicate(timeout=TIMEOUT_S)
    assert (told, process.returncode) == (f"[{int(number)}]\n", 7), errors


def test_ctrl_c_on_a_terminal_gives_up_and_leaves_it_clean(env, folder):
    write_forecast(folder, *DEAR_THEN_CHEAP)
    words = [PROGRAM, "run", "--when", "greenest", "--regions", "here", *FRANCE, "--", "true"]
    terminal = Terminal(words, env=env, cwd=folder, columns=100)
    terminal.read_until(r"starts \w{3} .*, in \d:\d\d:\d\d   Ctrl-C to give up")
    terminal.send(b"\x03")
    seen = terminal.finish()
    assert terminal.exit_code == 130
    assert "the command was not started" in seen
    assert "\x1b[r" in seen, "the bottom row is given back"


@pytest.mark.parametrize(("word", "code"), [("no-such-command", 127), ("/", 126)])
def test_a_command_that_cannot_run_is_told_before_the_waiting(call, folder, word, code):
    write_forecast(folder, *DEAR_THEN_CHEAP)
    done = call("run", "--when", "greenest", "--regions", "here", "--", word)
    assert done.returncode == code
    assert f"cannot run {word}" in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [(("--pue", "0"), 2), (("--intensity-providers", "foo"), 2), (("--api",), 1), (("--offline",), 1)],
)
def test_what_monitor_refuses_is_refused_before_the_waiting(call, folder, words, code):
    write_forecast(folder, *DEAR_THEN_CHEAP)
    done = call("run", "--when", "greenest", "--regions", "here", *words, "--", "true")
    assert done.returncode == code
    assert "because" not in done.stderr


def test_no_command_is_an_error(call):
    assert call("run", "--when", "greenest").returncode == 1
    assert call("run", "--when", "greenest", "--").returncode == 1
