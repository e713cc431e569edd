"""Server-sent events: when a place's intensity changes, and when its cheapest window begins."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import orjson
from fastapi.responses import StreamingResponse

from codecarbon.carbon_aware.web import render
from codecarbon.carbon_aware.web.problems import problem_of, response_of
from codecarbon.errors import CapabilityError, CodeCarbonError, NotConfigured, ServerBusy
from codecarbon.units import s_from_us, us_from_s
from codecarbon.web.asgi import header
from codecarbon.web.flights import Flights
from codecarbon.web.limits import Seats

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence

    from codecarbon.carbon_aware.operations import Operations
    from codecarbon.carbon_aware.results import EmissionsRow
    from codecarbon.carbon_aware.web_settings import WebSettings
    from codecarbon.web.asgi import Receive, Scope, Send

_log = logging.getLogger(__name__)
Topic = tuple[str, int]
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no", "content-type": "text/event-stream"}
_ALIVE = b": alive\n\n"
_QUEUE_LENGTH = 64
MAX_TOPICS = 16


class Sight(NamedTuple):
    """What holds at a moment: the newest value of a place, and its cheapest window; None for what is not known."""

    newest: EmissionsRow | None
    window: EmissionsRow | None


class _Watch:
    """One topic: who listens, and what was said last."""

    def __init__(self) -> None:
        self.queues: set[asyncio.Queue[bytes | None]] = set()
        self.said_intensity: bytes | None = None
        self.said_window: bytes | None = None
        self.rating_g_per_kwh: float | None = None
        self.task: asyncio.Task[None] | None = None

    def start(self, work: Coroutine[None, None, None]) -> None:
        self.task = asyncio.create_task(work)
        self.task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("A watch ended; its listeners are sent away.", exc_info=error)
            self.end()

    def end(self) -> None:
        for queue in self.queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(None)

    def tell(self, message: bytes) -> None:
        for queue in self.queues:
            if queue.full():  # a client that does not read loses the oldest
                queue.get_nowait()
            queue.put_nowait(message)


class Events:
    """Watches topics as long as somebody listens to them, each once whatever the number of listeners.

    Args:
        operations: What is asked.
        settings: How often, and for how many.
    """

    def __init__(self, operations: Operations, settings: WebSettings) -> None:
        self._operations = operations
        self._settings = settings
        self._watches: dict[Topic, _Watch] = {}
        self._flights: Flights[Sight] = Flights(threads=settings.threads, max_waiting=settings.max_waiting)
        self.seats = Seats(settings.max_event_clients)
        self._is_closed = False

    async def look(self, topic: Topic) -> Sight:
        """Find what holds now.

        Raises:
            CodeCarbonError: That cannot be said.
        """
        return await self._flights.join(topic, lambda: look(self._operations, topic))

    def close(self) -> None:
        """End all streams; their clients see the end and come back to the next server."""
        self._is_closed = True
        for watch in self._watches.values():
            watch.end()

    async def stream(self, topics: Sequence[Topic]) -> AsyncIterator[bytes]:
        """Yield the events of some topics, beginning with what holds now."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUE_LENGTH)
        with self._listening(queue, topics):
            yield _ALIVE
            while not self._is_closed:
                try:
                    message = await asyncio.wait_for(queue.get(), self._settings.heartbeat_s)
                except asyncio.TimeoutError:
                    message = _ALIVE
                if message is None:
                    return
                yield message

    @contextmanager
    def _listening(self, queue: asyncio.Queue[bytes | None], topics: Sequence[Topic]) -> Iterator[None]:
        for topic in topics:
            watch = self._watches.setdefault(topic, _Watch())
            watch.queues.add(queue)
            for said in (watch.said_intensity, watch.said_window):
                if said is not None:
                    queue.put_nowait(said)
            if watch.task is None:
                watch.start(self._run(topic, watch))
        try:
            yield
        finally:
            for topic in topics:
                watch = self._watches[topic]
                watch.queues.discard(queue)
                if not watch.queues:
                    assert watch.task is not None
                    watch.task.cancel()
                    del self._watches[topic]

    async def _run(self, topic: Topic, watch: _Watch) -> None:
        while True:
            delay_s = self._settings.event_period_s
            try:
                sight = await self.look(topic)
            except CodeCarbonError as error:
                watch.tell(_event("unavailable", {"location": topic[0], "reason": type(error).__name__}))
            else:
                delay_s = self._report(topic, watch, sight)
            await asyncio.sleep(delay_s)

    def _report(self, topic: Topic, watch: _Watch, sight: Sight) -> float:
        """Tell what is new; return when to look again, seconds."""
        now_us = us_from_s(self._operations.context.clock())
        if sight.newest is not None and sight.newest.rating_g_per_kwh != watch.rating_g_per_kwh:
            watch.rating_g_per_kwh = sight.newest.rating_g_per_kwh
            watch.said_intensity = _event("intensity", {"location": topic[0], **_row(sight.newest)})
            watch.tell(watch.said_intensity)
        delay_s = self._settings.event_period_s
        if sight.window is None:
            return delay_s
        if sight.window.time_us > now_us:
            watch.said_window = None
            return min(delay_s, s_from_us(sight.window.time_us - now_us))
        message = _event("window", {"location": topic[0], **_row(sight.window)})
        if message != watch.said_window and now_us < sight.window.end_us:
            watch.said_window = message
            watch.tell(message)
        return delay_s


def look(operations: Operations, topic: Topic) -> Sight:
    """Find what holds now for a place; without a source of forecasts there are no windows.

    Raises:
        CodeCarbonError: That cannot be said.
    """
    place, window_min = topic
    rows = operations.emissions((place,), plural=False).rows
    newest = max(rows, key=lambda row: row.time_us, default=None)
    try:
        (forecast,) = operations.forecasts((place,), window_min=window_min or None)
    except (NotConfigured, CapabilityError):
        return Sight(newest, None)
    return Sight(newest, forecast.optimal[0] if forecast.optimal else None)


def _row(row: EmissionsRow) -> render.Members:
    return {
        "start": render.time(row.time_us),
        "end": render.time(row.end_us),
        "intensity": render.number(row.rating_g_per_kwh),
        "unit": render.UNIT,
    }


def _event(name: str, data: render.Members) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(data))


class EventStream(StreamingResponse):
    """The events of some topics, for as many clients as there are seats.

    Args:
        events: Where they come from.
        topics: What the client wants to hear of.
        operations: Whose settings hold.
    """

    def __init__(self, events: Events, topics: Sequence[Topic], operations: Operations) -> None:
        super().__init__(events.stream(topics), headers=_HEADERS)
        self._events = events
        self._options = operations.context.options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the client goes, or refuse."""
        try:
            with self._events.seats.seat():
                await super().__call__(scope, receive, send)
        except ServerBusy as error:
            problem = problem_of(error, "forecast", self._options)
            await response_of(problem, header(scope, b"traceparent"))(scope, receive, send)
