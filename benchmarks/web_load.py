"""A load generator: sends one request over and over on several connections, and says how fast the answers came.

``python benchmarks/web_load.py '{"port": 8080, "path": "/locations", "connections": 16, "seconds": 2}'`` prints one
JSON object. It needs httptools and uvloop, which come with the extra `carbon-aware`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
import time

import httptools
import uvloop


class Connection(asyncio.Protocol):
    """One connection that asks again as soon as it has its answer."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.parser = httptools.HttpResponseParser(self)
        self.body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready; nothing is sent before all connections stand."""
        self.transport = transport
        self.load.connected()

    def send(self) -> None:
        """Ask once."""
        self.body = b""
        self.sent_s = time.perf_counter()
        self.transport.write(self.load.next_request())  # type: ignore[attr-defined]  # it is a transport for writing

    def data_received(self, data: bytes) -> None:
        """Take a part of the answer."""
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self.body += body

    def on_message_complete(self) -> None:
        """Count an answer and ask again, until the time is over."""
        if self.load.answered(self.parser.get_status_code(), self.body, self.sent_s):
            self.send()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's)
        """Count a connection that the server closed before its time."""
        self.load.lost()


class Load:
    """All connections together.

    Args:
        path: Path and query to ask; ``{n}`` in it becomes another number of six digits each time.
        connections: How many to open.
        seconds: How long to ask; 0 asks once on each connection.
        asked: How many such numbers were used before.
    """

    def __init__(self, path: str, connections: int, seconds: float, asked: int) -> None:
        self.request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n\r\n".encode()
        self.is_varied = "{n}" in path
        self.asked = asked
        self.wanted = self.open = connections
        self.seconds = seconds
        self.standing = 0
        self.latencies_s: list[float] = []
        self.statuses: dict[int, int] = {}
        self.sizes: set[int] = set()
        self.digest = ""
        self.faults = 0
        self.all_stand = asyncio.Event()
        self.done = asyncio.Event()
        self.end_s = 0.0

    def next_request(self) -> bytes:
        """Return what to send next."""
        if not self.is_varied:
            return self.request
        self.asked += 1
        return self.request.replace(b"{n}", b"%06d" % (self.asked % 1_000_000))

    def connected(self) -> None:
        """Count a connection that stands."""
        self.standing += 1
        if self.standing == self.wanted:
            self.all_stand.set()

    def answered(self, status: int, body: bytes, sent_s: float) -> bool:
        """Count an answer; say whether to ask again."""
        now_s = time.perf_counter()
        self.latencies_s.append(now_s - sent_s)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if len(body) not in self.sizes:
            self.sizes.add(len(body))
            self.digest = hashlib.sha256(body).hexdigest()
        if now_s < self.end_s:
            return True
        self.open -= 1
        if not self.open:
            self.done.set()
        return False

    def lost(self) -> None:
        """Count a connection that ended while it was needed."""
        if not self.done.is_set():
            self.faults += 1
            self.done.set()

    async def run(self, port: int) -> dict[str, object]:
        """Ask, and summarise the answers."""
        loop = asyncio.get_running_loop()
        opened = [await loop.create_connection(lambda: Connection(self), "127.0.0.1", port) for _ in range(self.wanted)]
        await self.all_stand.wait()
        began_s = time.perf_counter()
        self.end_s = began_s + self.seconds
        for _, connection in opened:
            connection.send()
        await asyncio.wait_for(self.done.wait(), self.seconds + 60)
        took_s = time.perf_counter() - began_s
        for transport, _ in opened:
            transport.close()
        ordered = sorted(self.latencies_s)
        return {
            "requests_per_s": len(ordered) / took_s,
            "p50_ms": ordered[len(ordered) // 2] * 1e3,
            "p99_ms": ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] * 1e3,
            "answers": len(ordered),
            "asked": self.asked,
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "sizes": sorted(self.sizes),
            "digest": self.digest,
            "faults": self.faults,
        }


def main() -> None:
    """Read the task, keep to the cores it names, print the summary."""
    task = json.loads(sys.argv[1])
    if cores := task.get("cores"):
        os.sched_setaffinity(0, cores)
    load = Load(task["path"], task["connections"], task["seconds"], task["asked"])
    print(json.dumps(uvloop.run(load.run(task["port"]))))


if __name__ == "__main__":
    main()
