"""Installed programs, run to their end as a script runs them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PROGRAM = str(Path(sys.executable).with_name("codecarbon"))
TIMEOUT_S = 60


def run_program(program: str, *words: str, cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a program with nothing to read, and keep what it prints.

    Args:
        program: Its path.
        words: Its arguments.
        cwd: Working folder.
        env: Environment variables, all of them.
    """
    return subprocess.run(
        [program, *words],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )
