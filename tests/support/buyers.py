"""Processes that buy offsets for real, and can be killed just before any SQL statement of theirs.

``Buyers`` starts a program that has loaded everything and forks a child for each job, so that hundreds of processes
cost little; run as a module, this is that program.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.fresh_python import ROOT


class Done(NamedTuple):
    """How a process ended.

    Attributes:
        was_killed: Whether it was killed where it was told to be.
        accrued_ug: What it knew to be accrued.
        statements: How many it executed.
    """

    was_killed: bool
    accrued_ug: int
    statements: int


class Buyers:
    """Makes processes, one after the other.

    Args:
        url: The service.
        key: The account's key.
    """

    def __init__(self, url: str, key: str) -> None:
        self._common = {"url": url, "key": key}
        self._program = subprocess.Popen(
            [sys.executable, "-m", "tests.support.buyers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def run(self, path: Path, steps: list[tuple[Any, ...]], *, threshold_ug: int, kill_at: int = 0) -> Done:
        """Have a process do something.

        Args:
            path: The ledger.
            steps: Names of functions below, with their arguments.
            threshold_ug: From what mass on it buys by itself.
            kill_at: Before which of its statements it is killed, from 1; 0 = before none.
        """
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        job = {**self._common, "path": str(path), "steps": steps, "threshold_ug": threshold_ug, "kill_at": kill_at}
        self._program.stdin.write(json.dumps(job) + "\n")
        self._program.stdin.flush()
        answer = json.loads(self._program.stdout.readline())
        assert answer["status"] in {0, -signal.SIGKILL}, answer
        return Done(answer["status"] != 0, answer["accrued_ug"], answer["statements"])

    def close(self) -> None:
        """End the program."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.close()
        self._program.wait(20)
        self._program.stdout.close()


def _count_statements(kill_at: int) -> Callable[[], int]:
    """Count the statements of all connections from now on, and die before one of them."""
    count = 0

    class Counted(sqlite3.Connection):
        def execute(self, *arguments: Any) -> sqlite3.Cursor:
            nonlocal count
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().execute(*arguments)

    sqlite3.connect = functools.partial(sqlite3.connect, factory=Counted)  # type: ignore[assignment] # a child's own
    return lambda: count


def _work(job: dict[str, Any], tell: Callable[[str, int], None]) -> None:
    from codecarbon.handlers.offset.desk import Desk
    from codecarbon.handlers.offset.ledger import Ledger, OffsetState
    from codecarbon.handlers.offset.provider import fingerprint_of, make_provider

    statements = _count_statements(job["kill_at"])
    provider = make_provider("oneclickimpact", key=job["key"], environment="sandbox", base_url=job["url"])
    ledger = Ledger(
        job["path"], provider="oneclickimpact", fingerprint=fingerprint_of(job["key"]), environment="sandbox"
    )
    desk = Desk(ledger, provider, threshold_ug=job["threshold_ug"], cap_ug=None)
    desk.settle_doubts("run")  # as each run begins
    for name, *arguments in job["steps"]:
        if name == "accrue":
            (total_ug,) = arguments
            ledger.accrue("run", 1, total_ug, is_automatic=True)
            tell("accrued_ug", total_ug)
        elif name == "buy":
            desk.buy("run", is_manual=arguments[0])
        else:
            assert name == "reconcile"
            desk.reconcile()
            for offset in ledger.unsettled():
                assert offset.state is OffsetState.UNKNOWN, offset
                assert offset.offset_id not in arguments[0], "it is in the records, and stays unknown"
                ledger.release(offset.offset_id)
    tell("statements", statements())


def _tell(pipe: int, name: str, value: int) -> None:
    os.write(pipe, f"{name} {value}\n".encode())


def _main() -> None:
    import logging

    import makeimpact  # noqa: F401

    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
    for line in sys.stdin:
        job = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            status = 1
            try:
                os.close(reading)
                _work(job, functools.partial(_tell, writing))
                status = 0
            finally:
                os._exit(status)
        os.close(writing)
        with open(reading) as pipe:
            told = dict(entry.split() for entry in pipe)
        _, status = os.waitpid(child, 0)
        answer = {"status": os.waitstatus_to_exitcode(status), "accrued_ug": 0, "statements": 0}
        sys.stdout.write(json.dumps({**answer, **{name: int(value) for name, value in told.items()}}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main()
