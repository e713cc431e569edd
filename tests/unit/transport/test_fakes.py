"""The fake services themselves: what they log, and that they can be run by hand."""

from __future__ import annotations

import subprocess
import sys
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import requests

from tests.support.fakes import FAKES, get_fake
from tests.support.fakes.base import EchoServer


def test_secrets_are_masked_in_the_log(fake):
    with requests.Session() as session:
        session.get(
            f"{fake.url}/x?token=abcdefghijkl&a=b",
            headers={"auth-token": "0123456789", "Authorization": "Basic Zm9vOmJhcg=="},
        )
    entry = fake.log[0]
    assert entry.query == (("token", "***ijkl"), ("a", "b"))
    assert entry.target == "/x?***"
    assert entry.headers["auth-token"] == "***6789"
    assert entry.headers["authorization"] == "Basic ***cg=="


def test_faults_may_wait_and_choose_a_path(fake):
    fake.fail_next(1, status=500, path="/b", after=1)
    with requests.Session() as session:
        statuses = [session.get(f"{fake.url}/{path}").status_code for path in "abbab"]
    assert statuses == [200, 200, 500, 200, 200]
    assert fake.counts == {"/a": 2, "/b": 3}


def test_its_date_follows_its_clock_and_skew(fake, time):
    fake.skew_s = 3600
    with requests.Session() as session:
        date = session.get(fake.url).headers["Date"]
    assert parsedate_to_datetime(date).timestamp() == time.now_s + 3600


def test_stopping_does_not_wait_for_the_latency():
    started = time.monotonic()
    with EchoServer() as fake, requests.Session() as session:
        fake.latency_s = 60
        with pytest.raises(requests.exceptions.ReadTimeout):
            session.get(fake.url, timeout=0.05)
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("name", sorted(FAKES))
def test_a_fake_runs_by_hand(name):
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "tests.support.fakes", name]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        first = process.stdout.readline()
        lines = []
        while not lines or not lines[-1].startswith("try: "):
            lines.append(process.stdout.readline())
            assert lines[-1], "it ended early"
        process.terminate()
        assert process.wait(timeout=20) == 0
    assert first.startswith(f"fake {get_fake(name).name} at http://127.0.0.1:")
    assert "http://127.0.0.1:" in lines[-1]
