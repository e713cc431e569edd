"""The server as a process: where it listens, what it says, how it ends."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import socket
import subprocess
import sys

import pytest
import requests

from codecarbon.carbon_aware.appsettings import load_options
from codecarbon.carbon_aware.context import build_context
from codecarbon.carbon_aware.options import ConfigProblem
from codecarbon.carbon_aware.web import serve as run_server
from codecarbon.carbon_aware.web.serving import Address, describe, find_address
from codecarbon.errors import ConfigError

PROGRAM = """
import sys
from codecarbon.carbon_aware.web import serve
serve(port=0, say=lambda line: print(line, flush=True))
print("ended", flush=True)
"""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), ("127.0.0.1", 8080)),
        ((None, 5000), ("127.0.0.1", 5000)),
        (("::1", None), ("::1", 8080)),
        ((None, None, ("http://*:5073",)), ("0.0.0.0", 5073)),
        ((None, None, ("http://+:80",)), ("0.0.0.0", 80)),
        ((None, None, ("http://localhost:5073/",)), ("localhost", 5073)),
        ((None, None, ("http://[::1]:5073",)), ("::1", 5073)),
        ((None, None, ("http://[::]:5073",)), ("0.0.0.0", 5073)),
        (
            (
                None,
                None,
                (
                    "https://a:443",
                    "HTTP://a.example",
                ),
            ),
            ("a.example", 80),
        ),
        (("127.0.0.1", 1, ("http://*:5073",)), ("127.0.0.1", 1)),
    ],
)
def test_arguments_win_over_the_settings_and_those_over_the_default(arguments, expected):
    assert find_address(*arguments) == expected


@pytest.mark.parametrize("url", ["http://", "http://a:port", "http://a:99999", "http://[::1"])
def test_an_address_that_is_none_is_an_error(url):
    with pytest.raises(ConfigError):
        find_address(urls=(url,))


def test_an_address_can_be_opened_on_this_machine():
    assert Address("0.0.0.0", 80).url == "http://127.0.0.1:80"
    assert Address("::1", 80).url == "http://[::1]:80"


def test_what_is_served_is_said_with_what_is_wrong():
    options = dataclasses.replace(load_options([], {}), route_prefix="/api")
    built = build_context(options)
    broken = dataclasses.replace(built, problems=(ConfigProblem("Some:Key", "is wrong"),))
    lines = describe(broken, Address("127.0.0.1", 8080))
    assert lines[0].startswith("Carbon Aware WebApi on http://127.0.0.1:8080/api, profile documented: emissions from")
    assert lines[1] == "Documentation: http://127.0.0.1:8080/api/swagger"
    assert "synthetic" in lines[2]
    assert lines[3] == "Some:Key: is wrong"


def test_the_command_says_where_it_serves_and_ends_cleanly(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", "from codecarbon.cli.carbon_aware import main; main()", "serve", "--port", "0"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("ASPNETCORE")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        url = re.search(r"http://\S+(?=,)", child.stderr.readline())[0]
        assert requests.get(f"{url}/health", timeout=20).text == "Healthy"
        child.send_signal(signal.SIGTERM)
        output, _ = child.communicate(timeout=20)
    finally:
        child.kill()
        child.communicate()
    assert (output, child.returncode) == ("", 0)


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_the_server_starts_without_settings_answers_and_ends_on_a_signal_with_streams_open(tmp_path, sign):
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("ASPNETCORE")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        url = re.search(r"http://\S+(?=,)", child.stdout.readline())[0]
        assert child.stdout.readline() == f"Documentation: {url}/swagger\n"
        assert "synthetic" in child.stdout.readline()
        answer = requests.get(f"{url}/emissions/bylocation?location=eastus", timeout=20)
        assert answer.headers["x-carbon-aware-synthetic"] == "true"
        with requests.get(f"{url}/events?location=eastus", stream=True, timeout=20) as stream:
            next(stream.iter_lines())
            child.send_signal(sign)
            rest, errors = child.communicate(timeout=20)
    finally:
        child.kill()
        child.communicate()
    assert (rest, errors, child.returncode) == ("ended\n", "", 0)


def test_a_port_that_is_taken_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"free .*--port {port + 1}" if port < 65535 else "free"):
            run_server(load_options([], {}), port=port)
    with pytest.raises(ConfigError):
        run_server(load_options([], {}), port=70000)


_FREEZING = """
import gc
import os
import signal
from codecarbon.carbon_aware.web import serve
counts = []
def say(line):
    if not counts:
        counts.append(gc.get_freeze_count())
        os.kill(os.getpid(), signal.SIGTERM)
serve(port=0, say=say)
print(counts[0] > 10_000, gc.get_freeze_count())
"""


def test_what_start_up_made_is_left_out_of_garbage_collections_while_it_serves(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _FREEZING], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "True 0\n", "")
