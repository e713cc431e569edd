"""Run a fake service by hand: ``python -m tests.support.fakes watttime --port 8081``."""

from __future__ import annotations

import argparse
import signal
import sys

from tests.support.fakes import FAKES, get_fake


def main(arguments: list[str] | None = None) -> int:
    """Start the fake, say how to reach it, and serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.fakes", description=__doc__)
    parser.add_argument("name", choices=sorted(FAKES), help="which service")
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1; any free one by default")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds to wait before each answer")
    options = parser.parse_args(arguments)
    stops = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)  # before there are threads, which inherit it
    with get_fake(options.name)(port=options.port) as fake:
        fake.latency_s = options.latency
        sys.stdout.write(f"{fake.describe()}\n")
        sys.stdout.flush()
        signal.sigwait(stops)
    return 0


if __name__ == "__main__":
    sys.exit(main())
