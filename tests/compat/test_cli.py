"""The installed program as a user meets it: started in an empty folder, judged by what comes out."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from codecarbon import __version__
from codecarbon.model import EMISSIONS_COLUMNS
from tests.support import fake_pmu
from tests.support.drive import driven
from tests.support.programs import PROGRAM, TIMEOUT_S, run_program
from tests.support.terminal import Terminal

FRANCE = ("--offline", "--country-iso-code", "FRA")
PYTHON = sys.executable


@pytest.fixture
def env(tmp_path) -> dict[str, str]:
    """No settings, a home and a temporary folder of its own, and a plain terminal."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS"}}
    return {**kept, "HOME": str(home), "TMPDIR": str(home), "TERM": "xterm"}


@pytest.fixture
def run(env, folder):
    def call(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return run_program(PROGRAM, *words, cwd=folder, env={**env, **more})

    return call


def rows(folder: Path, name: str = "emissions.csv") -> list[dict[str, str]]:
    with (folder / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def python(code: str) -> tuple[str, str, str]:
    return PYTHON, "-c", code


# --- the program ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["--version"], ["-v"]])
def test_version_keeps_the_wording_of_version_3(run, words):
    done = run(*words)
    assert (done.returncode, done.stdout) == (0, f"codecarbon v{__version__}\n")


def test_module_is_the_program(env, folder):
    words = [PYTHON, "-m", "codecarbon", "--version"]
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=True)
    assert done.stdout == f"codecarbon v{__version__}\n"


def test_no_arguments_show_the_help(run):
    done = run()
    assert done.returncode in {0, 2}  # as the installed click has it
    assert "monitor" in done.stdout + done.stderr
    assert "detect" in done.stdout + done.stderr


def test_completion_script_can_be_shown(run):
    done = run("--show-completion", SHELL="/bin/bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="")
    assert done.returncode in {0, 1}  # 1 where the shell cannot be told from the parent process
    assert "Traceback" not in done.stderr


def test_old_names_can_be_imported():
    from codecarbon.cli.main import codecarbon, main
    from codecarbon.cli.monitor import run_and_monitor

    assert callable(main)
    assert callable(run_and_monitor)
    assert type(codecarbon).__name__ == "Typer"


# --- a command ------------------------------------------------------------------------------------------------------


def test_command_is_measured_and_its_row_is_written(run, folder):
    done = run("monitor", *FRANCE, "--", *python("print('hello', sum(range(10**6)))"))
    assert done.returncode == 0
    assert done.stdout == "hello 499999500000\n", "standard output belongs to the command"
    (row,) = rows(folder)
    assert tuple(row) == EMISSIONS_COLUMNS
    assert len(row) == 38
    assert (row["tracking_mode"], row["country_iso_code"]) == ("process", "FRA")
    assert float(row["duration"]) > 0
    assert f"CSV:       {folder / 'emissions.csv'}\n" in done.stderr
    assert "Emissions: " in done.stderr
    assert "France" in done.stderr


@pytest.mark.parametrize("code", [0, 1, 3])
def test_exit_code_of_the_command_is_kept_and_the_row_written(run, folder, code):
    assert run("monitor", *FRANCE, *python(f"raise SystemExit({code})")).returncode == code
    assert len(rows(folder)) == 1


def test_signalled_command_exits_128_plus_n_and_the_row_is_written(run, folder):
    done = run("monitor", *FRANCE, *python("import os; os.kill(os.getpid(), 11)"))
    assert done.returncode == 139
    assert "ended by signal 11" in done.stderr
    assert len(rows(folder)) == 1


@pytest.mark.parametrize(("word", "code"), [("no-such-command", 127), ("/", 126)])
def test_command_that_cannot_be_run(run, folder, word, code):
    done = run("monitor", *FRANCE, word)
    assert done.returncode == code
    assert f"cannot run {word}" in done.stderr
    assert not list(folder.iterdir()), "nothing ran, so there is no row"


def test_d44_bare_separator_measures_nothing(run, folder):
    done = run("monitor", *FRANCE, "--")
    assert done.returncode == 1
    assert "no command behind --" in done.stderr
    assert not list(folder.iterdir())


def test_d44_misspelt_option_is_no_command(run, folder):
    done = run("monitor", "--ofline", "true")
    assert done.returncode == 2
    assert "--ofline" in done.stderr
    assert not list(folder.iterdir())


def test_bad_value_exits_2_and_names_the_option(run):
    done = run("monitor", "--pue", "0", "true")
    assert done.returncode == 2
    assert "pue='0' (from option --pue) cannot be used: expected a number above 0" in done.stderr


def test_an_unknown_source_exits_2_and_names_the_option(run):
    done = run("monitor", "--intensity-providers", "foo", "true")
    assert done.returncode == 2
    assert "intensity_providers='foo' (from option --intensity-providers) cannot be used" in done.stderr


def test_an_unknown_source_in_the_environment_exits_1_and_names_the_variable(run):
    done = run("monitor", "true", CODECARBON_INTENSITY_PROVIDERS="foo")
    assert done.returncode == 1
    assert "(from environment variable CODECARBON_INTENSITY_PROVIDERS)" in done.stderr


def test_bad_value_in_the_environment_exits_1_and_names_the_variable(run):
    done = run("monitor", "true", CODECARBON_PUE="zero")
    assert done.returncode == 1
    assert "environment variable CODECARBON_PUE" in done.stderr
    assert "Traceback" not in done.stderr


def test_options_reach_the_row(run, folder):
    words = ("--project-name", "my run", "--pue", "1.5", "--output-dir", "deep/er", "--output-file", "e.csv")
    done = run("monitor", *FRANCE, *words, "--force-carbon-intensity", "100", "true")
    (row,) = rows(folder / "deep" / "er", "e.csv")
    assert (row["project_name"], float(row["pue"])) == ("my run", 1.5)
    assert float(row["emissions"]) == pytest.approx(float(row["energy_consumed"]) * 0.1)
    assert str(folder / "deep" / "er" / "e.csv") in done.stderr, "d44: the path has the folder in it"


def test_no_csv_writes_nothing(run, folder):
    done = run("monitor", *FRANCE, "--no-csv", "true", CODECARBON_OUTPUT_METHODS="csv,logger")
    assert done.returncode == 0
    assert not list(folder.iterdir())
    assert "CSV:       none was asked for" in done.stderr


def test_csv_can_be_asked_for_against_the_environment(run, folder):
    assert run("monitor", *FRANCE, "--csv", "true", CODECARBON_SAVE_TO_FILE="false").returncode == 0
    assert len(rows(folder)) == 1


def test_unwritable_folder_costs_one_sentence(run, folder):
    # Root may write anywhere but here.
    done = run("monitor", *FRANCE, "--output-dir", "/proc/nowhere", *python("raise SystemExit(3)"))
    assert done.returncode == 3
    assert done.stderr.count("cannot be written") == 1
    assert "CSV:       not written: /proc/nowhere/emissions.csv cannot be written" in done.stderr
    assert "Emissions: " in done.stderr


def test_folder_that_is_a_file_is_refused(run, folder):
    (folder / "taken").write_text("")
    done = run("monitor", *FRANCE, "--output-dir", "taken", "true")
    assert done.returncode in {1, 2}
    assert "output_dir" in done.stderr
    assert "Traceback" not in done.stderr


def test_per_cent_sign_in_the_environment_is_harmless(run, folder):
    done = run("monitor", *FRANCE, "true", CODECARBON_PROJECT_NAME="100 % %s %(x)d", CODECARBON_ODD="%")
    assert done.returncode == 0
    assert rows(folder)[0]["project_name"] == "100 % %s %(x)d"
    assert "Traceback" not in done.stderr


def test_modelled_part_is_said_with_its_plausible_bound(run, tmp_path):
    (tmp_path / "sys").mkdir()
    done = run("monitor", *FRANCE, "--json", "--sysfs-root", str(tmp_path / "sys"), "true")
    cpu = next(entry for entry in json.loads(done.stdout)["result"]["components"] if entry["component"] == "cpu")
    assert (cpu["method"], cpu["bound_kind"], cpu["scope"]) == ("modelled", "plausible", "process")
    low_j, high_j = cpu["energy_bound_j"]
    assert low_j == 0 <= cpu["energy_j"] <= high_j
    assert re.search(r"CPU: +\S+ \S*J +\S+ \S*W +modelled, plausible bound 0 to", done.stderr)


def test_json_comes_after_the_commands_output(run):
    done = run("monitor", *FRANCE, "--json", "echo", "first")
    first, rest = done.stdout.split("\n", 1)
    document = json.loads(rest)
    assert first == "first"
    assert document["schema"] == "codecarbon.monitor/1"
    assert document["command"] == ["echo", "first"]
    assert document["exit_code"] == 0
    assert document["is_uploaded"] is False


def test_window_holds_the_whole_command(run):
    done = run(
        "monitor", *FRANCE, "--json", *python("import time; print(time.time()); time.sleep(0.2); print(time.time())")
    )
    first, last, rest = done.stdout.split("\n", 2)
    result = json.loads(rest)["result"]
    begin, end = (datetime.fromisoformat(result[name]).timestamp() for name in ("start_utc", "end_utc"))
    assert begin <= float(first)
    assert float(last) <= end
    assert result["duration_s"] == pytest.approx(end - begin, abs=0.01)


def test_json_file_leaves_standard_output_alone(run, folder):
    done = run("monitor", *FRANCE, "--json-file", "result.json", "echo", "first")
    assert done.stdout == "first\n"
    document = json.loads((folder / "result.json").read_text())
    assert document["csv_path"] == str(folder / "emissions.csv")


def test_json_file_that_cannot_be_written_keeps_the_exit_code(run):
    done = run("monitor", *FRANCE, "--json-file", "/proc/nowhere/x", *python("raise SystemExit(3)"))
    assert done.returncode == 3
    assert "/proc/nowhere/x could not be written" in done.stderr


def test_json_into_a_closed_pipe_keeps_the_exit_code(env, folder):
    words = f"'{PROGRAM}' monitor --json {' '.join(FRANCE)} sh -c 'sleep 0.2; exit 3'; echo $? >&3"
    reading, writing = os.pipe()
    process = subprocess.Popen(
        ["sh", "-c", f"{{ {words}; }} 3>&2 2>/dev/null | true"], cwd=folder, env=env, stderr=writing
    )
    process.wait(TIMEOUT_S)
    os.close(writing)
    with os.fdopen(reading) as file:
        assert file.read() == "3\n"


# --- the place ------------------------------------------------------------------------------------------------------


def test_offline_without_a_country_is_refused(run, folder):
    done = run("monitor", "--offline", "true")
    assert done.returncode == 1
    assert "Country ISO code is required for offline mode" in done.stderr
    assert not list(folder.iterdir())


def test_d44_offline_takes_the_country_from_environment_and_file(run, folder):
    assert run("monitor", "--offline", "true", CODECARBON_COUNTRY_ISO_CODE="SWE").returncode == 0
    (folder / ".codecarbon.config").write_text("[codecarbon]\ncountry_iso_code = CAN\nregion = quebec\n")
    assert run("monitor", "--offline", "true").returncode == 0
    assert [(row["country_iso_code"], row["region"]) for row in rows(folder)] == [("SWE", ""), ("CAN", "quebec")]


def test_cloud_region_is_a_place(run, folder):
    words = ("--cloud-provider", "gcp", "--cloud-region", "europe-west1")
    assert run("monitor", "--offline", *words, "true").returncode == 0
    assert rows(folder)[0]["cloud_region"] == "europe-west1"


def test_country_can_be_given_without_offline(run, folder):
    assert run("monitor", "--country-iso-code", "FRA", "true").returncode == 0
    assert rows(folder)[0]["country_iso_code"] == "FRA"


def test_api_without_an_experiment_is_refused(run, folder):
    done = run("monitor", "--api", "true")
    assert done.returncode == 1
    assert "--api needs an experiment_id" in done.stderr
    assert not list(folder.iterdir())


def test_nothing_is_uploaded_and_that_is_said(run):
    assert "nothing is uploaded" in run("monitor", *FRANCE, "true").stderr
    done = run("monitor", *FRANCE, "--api", "--experiment-id", "abc", "true")
    assert done.returncode == 0
    assert "nothing will be uploaded to the CodeCarbon API" in " ".join(done.stderr.split())


def test_upload_is_refused_in_one_line(run):
    lines = run("monitor", *FRANCE, "true").stderr.splitlines()
    (line,) = [line for line in lines if line.startswith("  Upload:")]
    assert "nothing is uploaded" in line
    assert "--api and an experiment_id" in line


def test_unknown_energy_is_no_zero(run, tmp_path):
    for name in ("proc", "sys"):
        (tmp_path / name).mkdir()  # nothing of a machine in it
    roots = ("--procfs-root", str(tmp_path / "proc"), "--sysfs-root", str(tmp_path / "sys"))
    done = run("monitor", *FRANCE, "--json", *roots, *python("raise SystemExit(3)"))
    assert done.returncode == 3
    assert "Energy:    nothing is known" in done.stderr
    assert "Emissions: N/A" in done.stderr
    result = json.loads(done.stdout)["result"]
    assert (result["energy_j"], result["emissions_g"], result["emissions_bound_g"], result["water_l"]) == (None,) * 4
    assert result["missing"]


def test_d44_defaults_warn_of_nothing(run):
    done = run("monitor", *FRANCE, "true", PYTHONWARNINGS="error")
    assert done.returncode == 0
    assert "Warning" not in done.stderr


def test_second_exclusive_run_still_runs_its_command(run, start):
    first = start("monitor", *FRANCE, "--no-allow-multiple-runs", *python("print(1, flush=True); input()"))
    assert first.stdout is not None
    first.stdout.readline()
    done = run("monitor", *FRANCE, "--no-allow-multiple-runs", *python("raise SystemExit(4)"))
    assert done.returncode == 4
    assert "Another instance of codecarbon is already running" in done.stderr
    assert "Emissions: N/A" in done.stderr
    assert run("monitor", *FRANCE, "--no-allow-multiple-runs").returncode == 0, "without a command it returns"


# --- processes ------------------------------------------------------------------------------------------------------

BURN = """
import os, sys, time
def burn(cpu_s):
    while time.process_time() < cpu_s:
        pass
"""
DAEMON = (
    BURN
    + """
reading, writing = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        burn(0.5)
        os.write(writing, b"x")
        os._exit(0)
    os._exit(0)
os.wait()
os.read(reading, 1)
"""
)


@pytest.mark.parametrize("code", [BURN + "burn(0.5)", DAEMON], ids=["command", "daemon"])
def test_processor_time_of_the_whole_tree_counts(run, folder, code):
    run("monitor", *FRANCE, "--force-cpu-power", "100", *python(code))
    energy_j = float(rows(folder)[0]["cpu_energy"]) * 3.6e6
    full_load_j = 100 * 0.5 / (os.cpu_count() or 1)
    assert energy_j >= 0.9 * full_load_j


def test_short_command_counts(run, folder):
    """The tree's processor time is read at both ends, so that even a blink has its energy."""
    run("monitor", *FRANCE, "--force-cpu-power", "100", *python(BURN + "burn(0.08)"))
    energy_j = float(rows(folder)[0]["cpu_energy"]) * 3.6e6
    assert energy_j >= 0.5 * 100 * 0.08 / (os.cpu_count() or 1)


READY = """
import signal, sys, time
def end(number, frame):
    sys.exit(7)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(60)
"""


def test_sigterm_is_the_commands(start, folder):
    process = start("monitor", *FRANCE, *python(READY))
    assert process.stdout is not None
    process.stdout.readline()
    os.kill(process.pid, signal.SIGTERM)
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 7
    assert "exit code 7" in err
    assert len(rows(folder)) == 1


def test_ctrl_c_exits_130_and_the_row_is_written(env, folder):
    terminal = Terminal([PROGRAM, "monitor", *FRANCE, *python(READY)], env=env, cwd=folder)
    terminal.read_until("ready")
    terminal.send(b"\x03")
    seen = terminal.finish()
    assert terminal.exit_code == 130
    assert "interrupted" in seen
    assert len(rows(folder)) == 1


def test_closed_window_still_writes_the_row(env, folder):
    terminal = Terminal([PROGRAM, "monitor", *FRANCE, *python(READY)], env=env, cwd=folder)
    terminal.read_until("ready\r\n")  # the end of the line too: an unbuffered child writes it by itself
    terminal.hang_up()
    assert terminal.exit_code == 128 + signal.SIGHUP
    assert len(rows(folder)) == 1


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_closed_streams_do_no_harm(env, folder, closed):
    for words in (f"monitor --json {' '.join(FRANCE)} sh -c 'exit 3'", "detect --json", "detect"):
        done = subprocess.run(
            ["sh", "-c", f"'{PROGRAM}' {words} {closed}"],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == (3 if "exit 3" in words else 0)
        assert "Traceback" not in done.stderr
    assert len(rows(folder)) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_machine_is_measured_until_a_signal(start, folder, number):
    process = start("monitor", *FRANCE, "--json-file", "result.json")
    deadline_s = time.monotonic() + TIMEOUT_S
    # Ready as soon as it handles the signal; until then it would die of it.
    while not _catches(process.pid, number):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out) == (0, "")
    assert "whole machine" in err
    assert rows(folder)[0]["tracking_mode"] == "machine"
    document = json.loads((folder / "result.json").read_text())
    assert (document["command"], document["exit_code"]) == (None, None)


def _catches(pid: int, number: signal.Signals) -> bool:
    text = Path(f"/proc/{pid}/status").read_text()
    return (
        bool(int(text.split("SigCgt:")[1].split()[0], 16) >> (number - 1) & 1)
        # Python itself catches SIGINT from its first moments on.
        and bool(int(text.split("SigCgt:")[1].split()[0], 16) >> (signal.SIGUSR1 - 1) & 1)
    )


def test_run_and_monitor_takes_the_words_of_version_3(env, folder):
    code = """
import typer
from types import SimpleNamespace
from codecarbon.cli.monitor import run_and_monitor
try:
    run_and_monitor(SimpleNamespace(args=["monitor", "--", "false"]), offline=True, country_iso_code="FRA")
except typer.Exit as end:
    print("ended with", end.exit_code)
try:
    run_and_monitor(SimpleNamespace(args=["--"]))
except typer.Exit as end:
    print("ended with", end.exit_code)
"""
    done = subprocess.run([PYTHON, "-c", code], cwd=folder, env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "ended with 1\nended with 1\n"
    assert "no command was given" in done.stderr
    assert len(rows(folder)) == 1


# --- the terminal ---------------------------------------------------------------------------------------------------


def test_live_line_and_colours_on_a_terminal(env, folder):
    words = [PROGRAM, "monitor", *FRANCE, *python("print('ready', flush=True); input(); print('done')")]
    terminal = Terminal(words, env=env, cwd=folder, columns=100)
    terminal.read_until(r"codecarbon  0:0\d   \S+ \S*W   \S+ \S*g CO2eq   \S+ \S*Wh   \S+( \S+)? % measured")
    terminal.send(b"\n")
    seen = terminal.finish()
    assert terminal.exit_code == 0
    assert "\x1b[1mcodecarbon\x1b[0m" in seen
    assert seen.index("done") < seen.index("Emissions:")


def test_no_color_leaves_the_summary_plain(env, folder):
    words = [PROGRAM, "monitor", *FRANCE, "true"]
    terminal = Terminal(words, env={**env, "NO_COLOR": "1"}, cwd=folder)
    seen = terminal.finish()
    assert "\x1b" not in seen
    assert "Emissions:" in seen


def test_nothing_but_the_summary_off_a_terminal(run):
    done = run("monitor", *FRANCE, *python("import time; time.sleep(1.5)"))
    assert "\x1b" not in done.stderr
    assert done.stderr.startswith("\ncodecarbon  ")


# --- detect ---------------------------------------------------------------------------------------------------------


def test_detect_names_machine_sources_and_place(run):
    done = run("detect", "--country-iso-code", "FRA")
    assert done.returncode == 0
    assert "Detected Hardware" in done.stdout
    for word in ("Machine:", "Memory:", "GPU:", "Place:     France", "CPU:", "RAM:"):
        assert word in done.stdout


def test_detect_as_json(run, folder):
    done = run("detect", "--json", "--json-file", "machine.json", "--country-iso-code", "FRA")
    assert done.returncode == 0
    document = json.loads(done.stdout)
    assert document["schema"] == "codecarbon.detect/1"
    assert {choice["component"] for choice in document["choices"]} == {"cpu", "ram", "gpu"}
    assert json.loads((folder / "machine.json").read_text())["findings"]


def test_detect_refuses_the_phantom_by_name(run, tmp_path):
    fake_pmu.need_perf()
    fake_pmu.build_phantom(tmp_path / "sys")
    done = run("detect", "--sysfs-root", str(tmp_path / "sys"))
    assert done.returncode == 0
    seen = " ".join(done.stdout.split())
    assert re.search(r"perf \S*psys\S* refused \S.*never moved", seen)
    assert "CPU: modelled" in seen


def test_detect_names_what_would_be_measured(run, tmp_path):
    with driven("powercap", tmp_path / "tree", watts=100, dram=20) as variables:
        done = run("detect", **variables)
    seen = " ".join(done.stdout.split())
    assert "CPU: measured: package-0 by powercap" in seen
    assert "RAM: measured: dram-0 by powercap" in seen
    (power_w,) = re.findall(r"package-0 live .*?([\d.]+) W just now", seen)[:1]
    # On a busy machine the fake's writer falls behind during the short look; other tests hold it to its word.
    assert 0 < float(power_w) < 300


def test_monitor_measures_fake_sensors(run, tmp_path):
    with driven("powercap", tmp_path / "tree", watts=100) as variables:
        done = run("monitor", *FRANCE, "--json", "sleep", "1", **variables)
    result = json.loads(done.stdout)["result"]
    (cpu,) = [entry for entry in result["components"] if entry["component"] == "cpu"]
    assert (cpu["method"], cpu["bound_kind"], cpu["scope"]) == ("measured", "hard", "machine")
    low_j, high_j = cpu["energy_bound_j"]
    assert low_j <= 100 * result["duration_s"] <= high_j
    assert "CPU: the whole machine, other programs included" in " ".join(done.stderr.split())
