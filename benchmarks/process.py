"""Children that measure themselves, run in turn so that a slow minute hits all of them alike."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Children print one JSON object as their last line. RSS is read the same way in each of them.
RSS = "open('/proc/self/statm').read().split()[1]"


@dataclass(frozen=True)
class Child:
    """One finished run: wall time as the parent saw it, and what the child said of itself."""

    wall_s: float
    said: dict[str, Any]


def alternate(commands: Mapping[str, Sequence[str]], rounds: int, **env: str) -> dict[str, list[Child]]:
    """Run each command once per round, in turn; one extra round first warms caches and compiles byte code."""
    runs: dict[str, list[Child]] = {name: [] for name in commands}
    for turn in range(rounds + 1):
        for name, command in commands.items():
            child = run(command, **env)
            if turn:
                runs[name].append(child)
    return runs


def run(command: Sequence[str], *, cwd: Path | None = None, **env: str) -> Child:
    """Run a command to its end; a child that fails ends the benchmark."""
    began = time.perf_counter()
    done = subprocess.run(
        list(command), cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False, timeout=300
    )
    wall_s = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{list(command)} exited {done.returncode}:\n{done.stdout}{done.stderr}")
    lines = done.stdout.strip().splitlines()
    return Child(wall_s, json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {})


def python(code: str, *, interpreter: str = sys.executable) -> list[str]:
    """Return the command that runs some code, away from the current folder."""
    return [interpreter, "-P" if sys.version_info >= (3, 11) else "-I", "-c", code]


def timed_import(statement: str, check: str = "", *, interpreter: str = sys.executable) -> list[str]:
    """Return the command that times one statement and reads the memory after it, before anything else is imported."""
    code = f"import time; began = time.perf_counter()\n{statement}\nms = (time.perf_counter() - began) * 1e3"
    code += f"; pages = int({RSS}); modules = []{check}; import json"
    return python(
        f"{code}; print(json.dumps({{'ms': ms, 'pages': pages, 'modules': modules}}))", interpreter=interpreter
    )


def median_wall_ms(children: Sequence[Child]) -> float:
    """Return the median wall time, ms."""
    return statistics.median(child.wall_s for child in children) * 1e3


def median(children: Sequence[Child], key: str) -> float:
    """Return the median of what the children said."""
    return statistics.median(child.said[key] for child in children)


def mb(pages: float) -> float:
    """Convert memory pages to MB (10^6 bytes)."""
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
