"""Options are the settings table seen from the command line."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.main import get_command

from codecarbon.cli import options
from codecarbon.cli.main import codecarbon
from codecarbon.config import SETTINGS
from codecarbon.errors import ConfigError

PROGRAM = get_command(codecarbon)
MONITOR = PROGRAM.commands["monitor"]


def parse(*words: str):
    """Parse as the program would; gives the parsed values and what is left for the command."""
    context = MONITOR.make_context("monitor", list(words))
    return options.given(context.params), context.args, context


def test_every_setting_with_an_option_is_one():
    declared = {name for parameter in MONITOR.params for name in parameter.opts}
    wanted = {row.cli for row in SETTINGS if row.cli}
    assert wanted <= declared
    assert {"--output-dir", "--output-file", "--project-name", "--pue", "--country-iso-code"} <= wanted


def test_secrets_and_objects_are_no_options():
    assert not [row.name for row in SETTINGS if row.cli and (row.is_secret or row.is_code_only)]


def test_detect_knows_what_decides_what_would_be_measured():
    names = {row.name for row in options.rows_with_option(options.FOR_DETECT)}
    assert names == set(options.FOR_DETECT)
    declared = {name for parameter in PROGRAM.commands["detect"].params for name in parameter.opts}
    assert {"--sysfs-root", "--procfs-root", "--dev-root", "--nvml-library", "--json"} <= declared


@pytest.mark.parametrize(
    ("words", "given", "rest"),
    [
        (["true"], {}, ["true"]),
        (["--", "true"], {}, ["true"]),
        (["--pue", "1.5", "true", "--pue", "2"], {"pue": "1.5"}, ["true", "--pue", "2"]),
        (["--pue=1.5", "--", "--pue", "2"], {"pue": "1.5"}, ["--pue", "2"]),
        (["true", "--", "x"], {}, ["true", "--", "x"]),
        (
            ["--rapl-include-dram", "--no-allow-multiple-runs"],
            {"rapl_include_dram": True, "allow_multiple_runs": False},
            [],
        ),
    ],
)
def test_options_end_at_the_first_word_or_at_two_dashes(words, given, rest):
    parsed, args, context = parse(*words)
    own = {"json"}
    assert {name: value for name, value in parsed.items() if name not in own} == given
    assert args == rest
    assert options.BARE_SEPARATOR not in context.meta


def test_d44_bare_separator_is_noticed():
    assert parse("--")[2].meta[options.BARE_SEPARATOR] is True
    assert parse("--pue", "2", "--")[2].meta[options.BARE_SEPARATOR] is True


def test_two_dashes_can_be_a_value():
    parsed, args, context = parse("--output-dir", "--")
    assert parsed["output_dir"] == "--"
    assert args == []
    assert options.BARE_SEPARATOR not in context.meta


def test_bad_value_names_its_option():
    with pytest.raises(ConfigError, match=r"pue='x' \(from option --pue\) cannot be used: expected a number above 0"):
        options.resolve_options({"pue": "x"})


def test_bad_value_from_elsewhere_names_that(monkeypatch):
    monkeypatch.setenv("CODECARBON_PUE", "x")
    with pytest.raises(ConfigError, match="environment variable CODECARBON_PUE"):
        options.resolve_options({})


def test_help_tells_defaults_of_the_command_line():
    context = MONITOR.make_context("monitor", [])
    records = {parameter.name: parameter.get_help_record(context) for parameter in MONITOR.params}
    assert "(default: 10)" in records["measure_power_secs"][1]
    assert "(default: error)" in records["log_level"][1]
    assert "(default: process with a command, machine without)" in records["tracking_mode"][1]


HEAVY = ("numpy", "pandas", "psutil", "pydantic", "fastapi", "requests", "rich", "platformdirs", "pynvml", "email")


@pytest.mark.parametrize("words", [["--version"], ["monitor", "--help"], ["monitor", "--bad"], ["detect", "--help"]])
def test_nothing_heavy_is_imported(words):
    code = f"""
import sys
sys.argv = ["codecarbon", *{words!r}]
from codecarbon.cli.main import main
try:
    main()
except SystemExit:
    pass
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.splitlines()[-1] == "[]"
