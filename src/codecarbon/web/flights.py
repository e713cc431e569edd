"""Equal questions asked at once are answered once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from codecarbon.errors import ServerBusy

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Answer = TypeVar("Answer")


class Flights(Generic[Answer]):
    """Blocking work in a bounded number of threads, one piece for each key at a time.

    Belongs to one event loop.

    Args:
        threads: How many pieces run at once.
        max_waiting: How many may run or wait before further ones are refused.
    """

    __slots__ = ("_flying", "_limiter", "_max_waiting", "_threads")

    def __init__(self, *, threads: int, max_waiting: int) -> None:
        self._threads = threads
        self._max_waiting = max_waiting
        self._limiter: anyio.CapacityLimiter | None = None
        self._flying: dict[Hashable, asyncio.Task[Answer]] = {}

    async def join(
        self, key: Hashable, work: Callable[[], Answer], keep: Callable[[Answer], None] | None = None
    ) -> Answer:
        """Do a piece of work, or wait for the same one that is being done for somebody else.

        A caller that goes away does not end it for the others.

        Args:
            key: What is the same about equal pieces.
            work: Runs in a thread.
            keep: Takes the answer in the event loop, before an equal question can start the work again.

        Raises:
            ServerBusy: Too much is waiting already.
        """
        task = self._flying.get(key)
        if task is None:
            if len(self._flying) >= self._max_waiting:
                raise ServerBusy(f"{self._max_waiting} requests are being worked on, which is the limit")
            task = asyncio.create_task(self._run(work, keep))
            self._flying[key] = task
            task.add_done_callback(lambda done: self._land(key, done))
        return await asyncio.shield(task)

    async def _run(self, work: Callable[[], Answer], keep: Callable[[Answer], None] | None) -> Answer:
        if self._limiter is None:  # made here, since it belongs to the running loop
            self._limiter = anyio.CapacityLimiter(self._threads)
        answer = await anyio.to_thread.run_sync(work, limiter=self._limiter)
        if keep is not None:
            keep(answer)
        return answer

    def _land(self, key: Hashable, task: asyncio.Task[Answer]) -> None:
        del self._flying[key]
        if not task.cancelled():
            task.exception()  # nobody may be waiting any more; what waited has got it
