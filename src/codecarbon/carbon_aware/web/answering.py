"""The routes: read the question, answer it in a worker thread unless the answer is known, report what went wrong."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from fastapi import Request, Response
from starlette.convertors import Convertor, register_url_convertor

from codecarbon.carbon_aware.checks import distinct_locations
from codecarbon.carbon_aware.results import Meta
from codecarbon.carbon_aware.web import bodies, render, tables
from codecarbon.carbon_aware.web.entry import Store
from codecarbon.carbon_aware.web.events import MAX_TOPICS, EventStream
from codecarbon.carbon_aware.web.front import ACCEPT, IF_NONE_MATCH, ORIGINAL_PATH, send_entry
from codecarbon.carbon_aware.web.negotiate import form_of
from codecarbon.carbon_aware.web.parameters import EVENTS, SCHEDULE, bind
from codecarbon.carbon_aware.web.problems import problem_of, response_of
from codecarbon.carbon_aware.web.questions import ROUTES, answer_route, make_entry, schedule_request, write_question
from codecarbon.errors import CodeCarbonError, InvalidParameters, RequestRejected, UnknownLocation
from codecarbon.units import us_from_s
from codecarbon.web.asgi import header
from codecarbon.web.flights import Flights
from codecarbon.web.limits import read_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from codecarbon.carbon_aware.names import Endpoint
    from codecarbon.carbon_aware.operations import Operations
    from codecarbon.carbon_aware.web.counts import Counts
    from codecarbon.carbon_aware.web.entry import Entry
    from codecarbon.carbon_aware.web.events import Events
    from codecarbon.carbon_aware.web.negotiate import Form
    from codecarbon.carbon_aware.web.questions import Route
    from codecarbon.carbon_aware.web_settings import WebSettings
    from codecarbon.web.asgi import Receive, Scope, Send

    Handler = Callable[[Request], Awaitable[Response]]

_MAX_NAME, _MAX_NAMES = 40, 8


class _AnyText(Convertor[str]):
    """The rest of a path, whatever it holds; the framework's own stops at a line break."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("text", _AnyText())


class EntryResponse(Response):
    """Sends an answer that is bytes already.

    Args:
        entry: The answer.
        now_us: The moment of answering.
    """

    def __init__(self, entry: Entry, now_us: int) -> None:
        super().__init__(status_code=entry.status)
        self._entry = entry
        self._now_us = now_us

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (ASGI)
        """Send it."""
        await send_entry(self._entry, scope.get(IF_NONE_MATCH), self._now_us, send)


class Answering:
    """Answers requests.

    Args:
        operations: What is asked.
        settings: The server's bounds.
        counts: What is counted.
        events: Where streams come from.
    """

    def __init__(self, operations: Operations, settings: WebSettings, counts: Counts, events: Events) -> None:
        self.operations = operations
        self.store = Store(settings.store_bytes)
        self.flights: Flights[Entry] = Flights(threads=settings.threads, max_waiting=settings.max_waiting)
        self._settings = settings
        self._options = operations.context.options
        self._counts = counts
        self._events = events

    def handlers(self) -> list[tuple[str, str, Handler]]:
        """Return method, path and handler of every route that asks the operations."""
        found = [("GET", route.path, self._guarded(route.names, self._get(route))) for route in ROUTES]
        found += [
            ("POST", "/emissions/average-carbon-intensity/batch", self._guarded("average_batch", self._averages)),
            ("POST", "/emissions/forecasts/batch", self._guarded("forecast_batch", self._forecasts)),
            ("POST", "/schedule", self._guarded("schedule", self._schedule)),
            ("GET", "/locations/{key:text}", self._guarded("emissions", self._location)),
            ("GET", "/events", self._guarded("forecast", self._stream)),
        ]
        return found

    def now_us(self) -> int:
        """Return the server's time."""
        return us_from_s(self.operations.context.clock())

    def _guarded(self, names: Endpoint, handler: Handler) -> Handler:
        """Turn errors into problem bodies."""

        async def guarded(request: Request) -> Response:
            try:
                return await handler(request)
            except CodeCarbonError as error:
                self._counts.failed(error, self.now_us())
                problem = problem_of(error, names, self._options)
                return response_of(problem, header(request.scope, b"traceparent"))

        return guarded

    def _get(self, route: Route) -> Handler:
        async def answer(request: Request) -> Response:
            scope = request.scope
            bound = bind(route.parameters, scope["query_string"], self._options.profile)
            notices = self.notices(bound.unknown)
            form = self._form(request, has_csv=route.table is not None)
            if bound.values.get("detail") and form == "json":
                form = "detail"
            # A text, not the values: what the store holds by the thousand is not to slow the collection of garbage.
            question = write_question(route, bound.values)
            key = (question, form)
            now_us = self.now_us()
            entry = self.store.get(key, now_us)
            if entry is None:
                self._counts.miss()
                work = lambda: answer_route(self.operations, route, bound.values, form, question=question)  # noqa: E731
                entry = await self.flights.join(key, work, lambda entry: self.store.put(key, entry))
                now_us = self.now_us()
                self._counts.answered(entry.sources, now_us)
            else:
                self._counts.hit()
            if notices:
                entry = entry._replace(headers=(*entry.headers, *notices))
            raw = (scope[ORIGINAL_PATH], scope["query_string"], scope[ACCEPT])
            self.store.put(raw, entry, sum(len(part or b"") for part in raw))
            return EntryResponse(entry, now_us)

        return answer

    def notices(self, unknown: Sequence[str]) -> tuple[tuple[bytes, bytes], ...]:
        """Say which names of a query were ignored.

        Raises:
            RequestRejected: They are errors, by the settings.
        """
        if not unknown:
            return ()
        if self._options.reject_unknown:
            raise RequestRejected(tuple((name, "There is no query parameter of this name.") for name in unknown))
        if self._options.profile == "strict":
            return ()
        shown = (quote(name, safe="")[:_MAX_NAME] for name in unknown[:_MAX_NAMES])
        return tuple((b"warning", f'299 carbon-aware "ignored query parameter: {name}"'.encode()) for name in shown)

    @staticmethod
    def _form(request: Request, *, has_csv: bool) -> Form:
        return form_of(request.scope[ACCEPT], has_csv=has_csv)

    async def _body(self, request: Request) -> bytes:
        content_type = header(request.scope, b"content-type")
        body = await read_body(request.receive, max_bytes=self._settings.max_body_bytes)
        bodies.check_media_type(content_type.decode("latin-1") if content_type else None, is_empty=not body)
        return body

    async def _posted(self, work: Callable[[], Entry]) -> Response:
        """Work on what is asked once only, so that nobody keeps the answer."""
        self._counts.miss()
        entry = await self.flights.join(object(), work)
        self._counts.answered(entry.sources, self.now_us())
        headers = tuple(pair for pair in entry.headers if pair[0] != b"etag")
        return EntryResponse(entry._replace(etag=b"", headers=headers, fresh_until_us=-1), self.now_us())

    async def _averages(self, request: Request) -> Response:
        items = bodies.read_averages(await self._body(request), self._options.profile)
        form = self._form(request, has_csv=True)

        def work() -> Entry:
            answers = self.operations.average_batch(items)
            rendered = [render.average(answer, is_detailed=form == "detail") for answer in answers]
            metas = [answer.meta for answer in answers]
            return make_entry(self.operations, "", rendered, metas, form=form, table=tables.averages, is_lookup=False)

        return await self._posted(work)

    async def _forecasts(self, request: Request) -> Response:
        profile = self._options.profile
        items = bodies.read_forecasts(await self._body(request), profile)
        form = self._form(request, has_csv=True)

        def work() -> Entry:
            answers = self.operations.forecast_batch(items)
            rendered = [render.forecast(answer, profile, is_detailed=form == "detail") for answer in answers]
            metas = [answer.meta for answer in answers]
            return make_entry(self.operations, "", rendered, metas, form=form, table=tables.forecasts, is_lookup=False)

        return await self._posted(work)

    async def _schedule(self, request: Request) -> Response:
        values = bodies.read_schedule(await self._body(request), self._options.profile)
        job = schedule_request({parameter.name: values.get(parameter.name) for parameter in SCHEDULE})

        def work() -> Entry:
            answer = self.operations.schedule(job)
            return make_entry(self.operations, "", render.schedule(answer), (answer.meta,))

        return await self._posted(work)

    async def _location(self, request: Request) -> Response:
        original: str = request.scope[ORIGINAL_PATH]
        text = original[original.lower().rindex("/locations/") + len("/locations/") :].rstrip("/")  # its own case
        place = self.operations.context.locations.find(text)
        if place is None:
            raise UnknownLocation(text)
        document = render.location(place, is_detailed=True)
        question = f"/locations/{place.key}"
        return EntryResponse(make_entry(self.operations, question, document, (Meta(),)), self.now_us())

    async def _stream(self, request: Request) -> Response:
        bound = bind(EVENTS, request.scope["query_string"], self._options.profile)
        notices = self.notices(bound.unknown)
        places = distinct_locations(cast("tuple[str, ...]", bound.values["location"]), self._options, plural=True)
        if len(places) > MAX_TOPICS:
            raise InvalidParameters((("locations", f"at most {MAX_TOPICS} locations can be listened to at once"),))
        window_min = cast("int | None", bound.values["windowSize"])
        topics = [(place, window_min or 0) for place in places]
        # What cannot be answered at all is refused before the stream begins.
        await asyncio.gather(*(self._events.look(topic) for topic in topics))
        response = EventStream(self._events, topics, self.operations)
        response.raw_headers += notices
        return response
