"""The servers that bench_web.py loads: ours, and a bare FastAPI route that returns the same number of bytes.

``python benchmarks/web_server.py '{"kind": "bare", "size": 1000}'`` prints its port and serves until its input ends.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from typing import Any


def make_bare(size: int) -> Any:
    """Make an application with one asynchronous route that returns prebuilt bytes."""
    from fastapi import FastAPI, Response

    app = FastAPI(openapi_url=None)
    body = json.dumps("x" * (size - 2)).encode()

    @app.get("/bare")
    async def bare() -> Response:
        return Response(body, media_type="application/json")

    return app


def make_ours(settings: str, now_s: float | None) -> Any:
    """Make the WebApi, configured by a file, with a clock that stands where the data are."""
    import time

    from codecarbon.carbon_aware.appsettings import load_options
    from codecarbon.carbon_aware.context import build_context
    from codecarbon.carbon_aware.web import create_app

    clock = time.time if now_s is None else lambda: now_s
    return create_app(build_context(load_options([settings], {}), clock=clock))


def main() -> None:
    """Serve on one core until whoever started it is gone."""
    import uvicorn

    task = json.loads(sys.argv[1])
    if cores := task.get("cores"):
        os.sched_setaffinity(0, cores)
    bare = task["kind"] == "bare"
    app = make_bare(task["size"]) if bare else make_ours(task["settings"], task.get("now_s"))
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, loop="uvloop", http="httptools"))

    def end_with_the_parent() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=end_with_the_parent, daemon=True).start()
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
