"""``codecarbon offset`` as a user runs it: a home folder, a key, a ledger, and the service on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

from codecarbon.handlers.offset.ledger import Ledger
from codecarbon.handlers.offset.provider import fingerprint_of
from tests.support.fakes.oneclickimpact import LIVE_KEY, TEST_KEY, FakeOneClickImpact
from tests.support.programs import PROGRAM, run_program
from tests.support.terminal import Terminal

KEYS = {"production": LIVE_KEY, "sandbox": TEST_KEY}


class OffsetProgram:
    """Runs the program; no output of it ever holds a key.

    Args:
        home: An empty folder.
        fake: The service.
        environment: Whose account is used when nothing else is said.
    """

    def __init__(self, home: Path, fake: FakeOneClickImpact, environment: str = "production") -> None:
        self.home, self.fake, self.environment = home, fake, environment
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CODECARBON_")},
            "HOME": str(home),
            "XDG_STATE_HOME": str(home / "state"),
            "CODECARBON_OFFSET_BASE_URL": fake.url,
            "COLUMNS": "100",
            **self.account(environment),
        }

    @staticmethod
    def account(environment: str) -> dict[str, str]:
        """The variables that choose an account."""
        return {"CODECARBON_OFFSET_API_KEY": KEYS[environment], "CODECARBON_OFFSET_ENVIRONMENT": environment}

    @property
    def ledger_path(self) -> Path:
        """The ledger's file, there or not."""
        import platform

        return self.home / "state" / "codecarbon" / f"offsets-{platform.node()}.sqlite3"

    def ledger(self, environment: str = "", *, owner: Any = None) -> Ledger:
        """Open the ledger of an account."""
        environment = environment or self.environment
        key = KEYS[environment.partition(",")[0]]
        return Ledger(
            self.ledger_path,
            provider="oneclickimpact",
            fingerprint=fingerprint_of(key),
            environment=environment,
            owner=owner,
        )

    def emit(self, mass_kg: float, environment: str = "", *, is_automatic: bool = True) -> Ledger:
        """Have a run emit something."""
        ledger = self.ledger(environment)
        ledger.accrue(str(uuid.uuid4()), 1, round(mass_kg * 1_000_000_000), is_automatic=is_automatic)
        return ledger

    def run(self, *words: str, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command with nothing to read, and be sure of its exit code."""
        done = run_program(PROGRAM, "offset", *words, cwd=self.home, env={**self.env, **env})
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        self.check(done.stdout + done.stderr)
        return done

    def json(self, *words: str, code: int = 0, **env: str) -> Any:
        """Run a command and read its one document."""
        return json.loads(self.run(*words, "--json", code=code, **env).stdout)

    def terminal(self, *words: str, columns: int = 100, **env: str) -> Terminal:
        """Start a command on a terminal."""
        given = {name: value for name, value in self.env.items() if name != "COLUMNS"}
        program = [sys.executable, PROGRAM, "offset", *words]
        return Terminal(program, columns=columns, env={**given, "TERM": "xterm", "NO_COLOR": "1", **env}, cwd=self.home)

    @staticmethod
    def check(output: str) -> None:
        """No key, whole or beyond its last four letters, is in an output."""
        for key in KEYS.values():
            assert key not in output
            assert key[-6:] not in output
