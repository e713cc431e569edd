"""Every command of docs/tutorials/carbon-aware.md works, and answers with the members that the page shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "tutorials" / "carbon-aware.md"
PROGRAMS = Path(sys.executable).parent
ADDRESS = "http://127.0.0.1:8080"
# What the page uses of curl, for machines that have none.
CURL = """#!{python}
import argparse, requests, sys
parser = argparse.ArgumentParser()
parser.add_argument("url")
parser.add_argument("-H", dest="headers", action="append", default=[])
parser.add_argument("-d", dest="data")
asked = parser.parse_args()
headers = dict(header.split(": ", 1) for header in asked.headers)
answer = requests.request("POST" if asked.data else "GET", asked.url, headers=headers, data=asked.data, timeout=30)
sys.stdout.write(answer.text)
sys.exit(answer.status_code != 200)
"""


def blocks():
    """Commands of the page with what it shows below them; commands of one block share a shell."""
    return [
        [
            (command, shown)
            for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
            if not command.startswith(("pip ", "carbon-aware serve"))
        ]
        for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shell")
    curl = folder / "curl"
    curl.write_text(CURL.format(python=sys.executable), encoding="utf-8")
    curl.chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{PROGRAMS}{os.pathsep}{os.environ['PATH']}"}
    command = [PROGRAMS / "carbon-aware", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder) as server:
        try:
            first = server.stdout.readline()
            address = re.search(r"http://127\.0\.0\.1:\d+", first)[0]
            assert first.replace(address, ADDRESS) in PAGE.read_text(encoding="utf-8")

            def shell(lines):
                script = "set -e\n" + "\nprintf '\\0'\n".join(lines).replace(ADDRESS, address)
                done = subprocess.run(
                    ["bash", "-c", script],
                    cwd=folder,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=60,
                    check=False,
                )
                assert done.returncode == 0, done.stdout + done.stderr
                return done.stdout.split("\0")

            yield shell
        finally:
            server.terminate()
            server.wait(20)


@pytest.mark.parametrize("block", [block for block in blocks() if block], ids=lambda block: block[0][0][:40])
def test_commands_of_the_page(run, block):
    commands = [command for command, _ in block]
    needs_times = any("$START" in command for command in commands) and not commands[0].startswith("START=")
    times = [command for one in blocks() for command, _ in one if command.startswith(("START=", "END="))]
    lines = [*times, *commands] if needs_times else commands
    answers = run(lines)[-len(commands) :]
    for (command, shown), answer in zip(block, answers, strict=True):
        if shown.startswith(("[", "{")):
            assert members_of(json.loads(answer)) >= set(re.findall(r'"(\w+)":', shown)), command
        elif shown:
            assert answer.splitlines()[0].split()[0] == shown.split()[0], command


def members_of(value):
    if isinstance(value, dict):
        return set(value) | {name for member in value.values() for name in members_of(member)}
    return {name for member in value for name in members_of(member)} if isinstance(value, list) else set()


def test_the_page_asks_every_operation_of_the_sdk():
    asked = PAGE.read_text(encoding="utf-8")
    paths = (
        "/emissions/bylocation?",
        "/emissions/bylocations?",
        "/emissions/bylocations/best?",
        "/emissions/forecasts/current?",
        "/emissions/forecasts/batch",
        "/emissions/average-carbon-intensity?",
        "/emissions/average-carbon-intensity/batch",
        "/locations",
    )
    assert [path for path in paths if ADDRESS + path not in asked] == []
