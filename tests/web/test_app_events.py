"""Server-sent events."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import pytest
import requests

from codecarbon.carbon_aware.operations import Operations
from codecarbon.carbon_aware.web import WebSettings
from codecarbon.carbon_aware.web.events import Events
from codecarbon.errors import ProviderUnavailable
from tests.support.fake_intensity import NOON_US, FakeSource, context, points
from tests.support.web_server import running

OBSERVED = {"eastus": points(50, start_us=NOON_US - 300_000_000), "westus": points(7, start_us=NOON_US - 300_000_000)}


class Clock:
    """Seconds since 1970, as a test sets them."""

    def __init__(self) -> None:
        self.now_s = NOON_US / 1e6

    def __call__(self) -> float:
        return self.now_s


def parse(message: bytes):
    """Name and data of an event; None for a sign of life."""
    lines = dict(line.split(": ", 1) for line in message.decode().strip().split("\n"))
    return (lines["event"], json.loads(lines["data"])) if "event" in lines else None


async def take(stream, count):
    """The next events, signs of life left out."""
    found = []
    while len(found) < count:
        message = parse(await asyncio.wait_for(anext_(stream), 10))
        if message is not None:
            found.append(message)
    return found


def anext_(stream):
    return stream.__anext__()


def test_a_listener_hears_what_holds_and_then_what_changes():
    clock = Clock()
    source = FakeSource(OBSERVED, {"eastus": points(10, 20, 30)})
    operations = Operations(context(source, clock=clock))

    async def listen():
        events = Events(operations, WebSettings(event_period_s=0.01, heartbeat_s=0.05))
        stream = events.stream([("eastus", 5)])
        first = await take(stream, 2)
        source.observed_points["eastus"] = points(50, 60, start_us=NOON_US - 300_000_000)
        clock.now_s += 60
        second = await take(stream, 1)
        await stream.aclose()
        return first, second

    (first, window), (second,) = asyncio.run(listen())
    assert first[0] == "intensity"
    assert first[1] == {
        "location": "eastus",
        "start": "2022-01-01T11:55:00+00:00",
        "end": "2022-01-01T12:00:00+00:00",
        "intensity": 50,
        "unit": "gCO2e/kWh",
    }
    assert window[0] == "window"
    assert (window[1]["start"], window[1]["intensity"]) == ("2022-01-01T12:00:00+00:00", 10)
    assert (second[0], second[1]["intensity"]) == ("intensity", 60)


def test_a_cheap_window_is_announced_when_it_begins():
    clock = Clock()
    source = FakeSource(OBSERVED, {"eastus": points(30, 10, 20)})
    operations = Operations(context(source, clock=clock))

    async def listen():
        events = Events(operations, WebSettings(event_period_s=0.01, heartbeat_s=0.05))
        stream = events.stream([("eastus", 5)])
        before = await take(stream, 1)
        clock.now_s += 300
        after = await take(stream, 1)
        await stream.aclose()
        return before, after

    before, after = asyncio.run(listen())
    assert [name for name, _ in before] == ["intensity"]
    assert [(name, data["start"]) for name, data in after] == [("window", "2022-01-01T12:05:00+00:00")]


def test_many_listeners_of_a_topic_are_one_watch_and_the_last_one_ends_it():
    source = FakeSource(OBSERVED, {"eastus": points(10)})
    source.gate = threading.Event()
    operations = Operations(context(source))

    async def listen():
        events = Events(operations, WebSettings(event_period_s=60, heartbeat_s=5))
        streams = [events.stream([("eastus", 0)]) for _ in range(5)]
        for stream in streams:
            await anext_(stream)
        source.gate.set()
        heard = [await take(stream, 1) for stream in streams]
        late = events.stream([("eastus", 0)])
        heard.append(await take(late, 1))
        for stream in (*streams, late):
            await stream.aclose()
        return heard, events._watches

    heard, watches = asyncio.run(listen())
    assert len(heard) == 6
    assert all(each == heard[0] for each in heard)
    assert source.calls == 2  # one observation, one forecast
    assert watches == {}


def test_a_source_that_fails_is_told_and_watched_on():
    source = FakeSource(OBSERVED)
    source.capabilities = frozenset({"observed"})
    source.error = ProviderUnavailable("time-out", source.name, "eastus")
    operations = Operations(context(source))

    async def listen():
        events = Events(operations, WebSettings(event_period_s=0.01, heartbeat_s=0.05))
        stream = events.stream([("eastus", 0)])
        first = await take(stream, 1)
        source.error = None
        heard = []
        while not heard or heard[-1][0] != "intensity":
            heard += await take(stream, 1)
        await stream.aclose()
        return first, heard

    first, heard = asyncio.run(listen())
    assert first == [("unavailable", {"location": "eastus", "reason": "ProviderUnavailable"})]
    assert heard[-1][1]["intensity"] == 50


def test_a_watch_that_breaks_sends_its_listeners_away_and_says_so(caplog):
    source = FakeSource(OBSERVED)
    source.error = KeyError("nobody thought of it")
    operations = Operations(context(source))

    async def listen():
        events = Events(operations, WebSettings(event_period_s=60, heartbeat_s=60))
        return [message async for message in events.stream([("eastus", 0)])]

    assert asyncio.run(asyncio.wait_for(listen(), 10)) == [b": alive\n\n"]
    assert "A watch ended" in caplog.text


def test_a_stream_over_a_socket_lives_ends_with_the_server_and_takes_a_seat():
    settings = WebSettings(heartbeat_s=0.05, max_event_clients=1, shutdown_s=5)
    source = FakeSource(OBSERVED, {"eastus": points(10)})
    with running(context(source), settings) as url:
        with requests.get(f"{url}/Events/?location=eastus&windowSize=5", stream=True, timeout=10) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            assert stream.headers["cache-control"] == "no-store"
            lines = stream.iter_lines()
            heard = [next(lines) for _ in range(12)]
            assert b"event: intensity" in heard
            assert b"event: window" in heard
            assert heard.count(b": alive") >= 2
            refused = requests.get(f"{url}/events?location=eastus", timeout=10)
            assert refused.status_code == 503
            assert refused.json()["title"] == "Service Unavailable"
        for _ in range(200):  # the seat is free as soon as the server has seen the end
            again = requests.get(f"{url}/events?location=eastus", stream=True, timeout=10)
            if again.status_code == 200:
                break
            again.close()
            time.sleep(0.01)
        assert again.status_code == 200
        started = time.monotonic()
    assert time.monotonic() - started < 4
    assert again.raw.read().endswith(b"\n\n")  # a whole event, then the end
    again.close()


@pytest.mark.parametrize(
    ("query", "key"),
    [("", "location"), ("location=eastus&windowSize=-1", "windowSize"), ("location=nowhere", "location")],
)
def test_what_cannot_be_listened_to_is_refused_before_the_stream_begins(serve, query, key):
    url = serve(context(FakeSource(OBSERVED, {"eastus": points(10)})))
    answer = requests.get(f"{url}/events?{query}", timeout=10)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [key]


def test_a_listener_has_a_limit_of_places(serve):
    keys = [f"place{number}" for number in range(17)]
    url = serve(context(FakeSource(), keys=keys))
    answer = requests.get(f"{url}/events", {"location": keys}, timeout=10)
    assert answer.status_code == 400
