"""``carbon-aware serve`` as a process: it listens, says what it serves, and ends on a signal."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

PROGRAM = str(Path(sys.executable).with_name("carbon-aware"))
TIMEOUT_S = 60


@pytest.fixture
def server(tmp_path):
    started = []

    def start(*words: str, **variables: str) -> tuple[subprocess.Popen[str], str, list[str]]:
        process = subprocess.Popen(
            [PROGRAM, "serve", *words],
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        lines = [process.stderr.readline() for _ in range(3)]
        return process, re.search(r"http://\S+?(?=[,\s])", lines[0])[0], lines

    yield start
    for process in started:
        process.kill()
        process.communicate()


def fetch(url: str):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=TIMEOUT_S) as answer:
        return json.load(answer)


def test_serve_answers_from_the_sample_and_says_so(server):
    _, url, lines = server("--port", "0")
    assert url.startswith("http://127.0.0.1:")
    assert "synthetic" in lines[2]
    assert "eastus" in fetch(f"{url}/locations")
    (forecast,) = fetch(f"{url}/emissions/forecasts/current?location=eastus&windowSize=60")
    assert forecast["optimalDataPoint"]


def test_serve_says_on_standard_error_why_an_answer_failed(server, tmp_path):
    (tmp_path / "cut.json").write_text('{"Emissions": [')
    variables = {
        "DataSources__EmissionsDataSource": "file",
        "DataSources__Configurations__file__Type": "JSON",
        "DataSources__Configurations__file__DataFileLocation": str(tmp_path / "cut.json"),
    }
    process, url, lines = server("--port", "0", **variables)
    assert "it is no JSON" in lines[2]
    with pytest.raises(urllib.error.HTTPError, match="500") as caught:
        fetch(f"{url}/emissions/bylocation?location=eastus")
    assert "detail" not in json.loads(caught.value.read())
    line = process.stderr.readline()
    assert "WARNING" in line
    assert "it is no JSON" in line


@pytest.mark.parametrize(
    ("words", "variables"),
    [
        (["--urls", "http://127.0.0.1:0"], {}),
        ([], {"ASPNETCORE_URLS": "http://127.0.0.1:0"}),
        (["--host", "127.0.0.1", "--port", "0"], {"ASPNETCORE_URLS": "http://127.0.0.1:1"}),
    ],
)
def test_addresses_come_from_options_then_the_environment(server, words, variables):
    _, url, _ = server(*words, **variables)
    assert "eastus" in fetch(f"{url}/locations")


def test_profile_is_taken_from_the_option(server):
    _, url, lines = server("--port", "0", "--profile", "strict", "--source", "sample")
    assert "profile strict" in lines[0]
    (forecast,) = fetch(f"{url}/emissions/forecasts/current?location=eastus")
    assert "optimalDataPoint" not in forecast


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_without_a_traceback(server, number):
    process, _, _ = server("--port", "0")
    process.send_signal(number)
    _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode in {0, 128 + number, -number}
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("words", "variables", "origin"),
    [
        (("--port", "{port}"), {}, "option --port"),
        (("--host", "127.0.0.1", "--port", "{port}"), {}, "options --host and --port"),
        (("--urls", "http://127.0.0.1:{port}"), {}, "option --urls"),
        ((), {"ASPNETCORE_URLS": "http://127.0.0.1:{port}"}, "settings"),
    ],
)
def test_a_port_that_is_taken_is_said_once_with_what_to_do(tmp_path, words, variables, origin):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        given = {name: value.format(port=port) for name, value in variables.items()}
        ended = subprocess.run(
            [PROGRAM, "serve", *(word.format(port=port) for word in words)],
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path), **given},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    assert (ended.returncode, ended.stdout) == (1, "")
    line = ended.stderr.strip()
    assert "\n" not in line
    assert line.count("Address already in use") == 1
    assert line.count(str(port)) == 1
    assert "choose another one, for example with --port" in line
    assert f"(from {origin})" in line
