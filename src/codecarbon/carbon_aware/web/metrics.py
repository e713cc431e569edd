"""The exporter: the newest intensity of each place, and what the server did, in Prometheus' text format.

A background task renews the values; a scrape only prints them. A place without a value has no series.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from fastapi import Request, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from codecarbon.carbon_aware.results import Moment
from codecarbon.carbon_aware.web.counts import Counts, sources_of
from codecarbon.errors import CodeCarbonError
from codecarbon.units import US_PER_HOUR, s_from_us, us_from_s
from codecarbon.web.flights import Flights

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from codecarbon.carbon_aware.operations import Operations
    from codecarbon.carbon_aware.results import EmissionsRow

_log = logging.getLogger(__name__)
_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_AT_ONCE = 4
_FIRST_WAIT_S = 5.0


class Exporter(Collector):
    """Keeps the newest values and prints them.

    Args:
        operations: What is asked.
        counts: What the server did.
    """

    def __init__(self, operations: Operations, counts: Counts) -> None:
        self._operations = operations
        self._options = operations.context.options
        self._counts = counts
        self._newest: dict[str, EmissionsRow] = {}
        self._errors: dict[str, int] = {}
        self._first = asyncio.Event()
        self._flights: Flights[EmissionsRow | None] = Flights(threads=_AT_ONCE, max_waiting=2**31)
        self._registry = CollectorRegistry()
        self._registry.register(self)

    async def run(self) -> None:
        """Renew the values until the task is cancelled."""
        while True:
            await self.renew()
            await asyncio.sleep(self._options.exporter_refresh_s)

    def ended(self, task: asyncio.Task[None]) -> None:
        """Show no values that nobody renews any more, when the task of ``run`` fails."""
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("The exporter ended: no values from now on.", exc_info=error)
            self._newest.clear()
            self._first.set()

    async def renew(self) -> None:
        """Ask for the newest value of every place once."""
        places = self._places()
        limit = asyncio.Semaphore(_AT_ONCE)

        async def renew_one(place: str) -> None:
            async with limit:
                await self._renew_one(place)

        await asyncio.gather(*(renew_one(place) for place in places))
        self._first.set()

    def _places(self) -> Sequence[str]:
        return self._options.exporter_locations or tuple(self._operations.locations())

    async def _renew_one(self, place: str) -> None:
        try:
            row = await self._flights.join(place, lambda: self._ask(place))
        except CodeCarbonError as error:
            self._counts.failed(error, us_from_s(self._operations.context.clock()))
            self._errors[place] = self._errors.get(place, 0) + 1
            row = None
        if row is None:
            self._newest.pop(place, None)
        else:
            self._newest[place] = row

    def _ask(self, place: str) -> EmissionsRow | None:
        now_us = us_from_s(self._operations.context.clock())
        start = Moment(now_us - self._options.exporter_period_h * US_PER_HOUR)
        answer = self._operations.emissions((place,), start, Moment(now_us), plural=False)
        return max(answer.rows, key=lambda row: row.time_us, default=None)

    async def scrape(self, request: Request) -> Response:  # noqa: ARG002 (the shape of a route)
        """Print everything; the first scrape waits a little for the first values."""
        with contextlib.suppress(asyncio.TimeoutError):  # slow providers: their series come later
            await asyncio.wait_for(self._first.wait(), _FIRST_WAIT_S)
        return Response(generate_latest(self._registry), headers={"content-type": _TEXT})

    def describe(self) -> Iterable[Metric]:
        """Name nothing before there is something."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Return all series."""
        intensity = GaugeMetricFamily(
            "carbon_aware_intensity", "Newest carbon intensity, gCO2e/kWh.", labels=("location",)
        )
        for place, row in self._newest.items():
            intensity.add_metric((place,), row.rating_g_per_kwh, timestamp=s_from_us(row.time_us))
        yield intensity
        errors = CounterMetricFamily(
            "carbon_aware_exporter_errors", "Values that could not be had.", labels=("location",)
        )
        for place, count in self._errors.items():
            errors.add_metric((place,), count)
        yield errors
        yield from self._server()

    def _server(self) -> Iterable[Metric]:
        counts = self._counts
        known = CounterMetricFamily("carbon_aware_answers", "Answers by where they came from.", labels=("origin",))
        known.add_metric(("memory",), counts.hits)
        known.add_metric(("sources",), counts.misses)
        yield known
        asked = CounterMetricFamily(
            "carbon_aware_source_answers", "Questions answered with a source's values.", labels=("source",)
        )
        for source, count in counts.answers.items():
            asked.add_metric((source,), count)
        yield asked
        failed = CounterMetricFamily(
            "carbon_aware_source_failures", "Questions that a source did not answer.", labels=("source", "kind")
        )
        for (source, kind), count in counts.failures.items():
            failed.add_metric((source, kind), count)
        yield failed
        calls = CounterMetricFamily(
            "carbon_aware_source_calls", "Questions that went to a source's service or file.", labels=("role", "source")
        )
        for role, provider in sources_of(self._operations.context):
            if provider is not None and hasattr(provider, "calls"):  # the others wait for nobody
                calls.add_metric((role, provider.name), provider.calls)
        yield calls
