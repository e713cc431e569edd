"""Run a command beside a make-believe GPU, or print the environment that does so."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.nvml_stub import CONFIG_VARIABLE, build_stub, config_text


def main(arguments: list[str]) -> int:
    """Build the stub, write its configuration, and run the command behind ``--``."""
    command: list[str] = []
    if "--" in arguments:
        cut = arguments.index("--")
        arguments, command = arguments[:cut], arguments[cut + 1 :]
    parser = argparse.ArgumentParser(prog="python -m tests.support.nvml_stub", description=__doc__)
    parser.add_argument("--watts", type=float, default=300.0, help="power of each card")
    parser.add_argument("--gpus", type=int, default=1, help="number of cards")
    parser.add_argument("--set", action="append", default=[], metavar="LINE", help="a line of the configuration")
    parser.add_argument("--config", type=Path, help="configuration file; edit it while the command runs")
    options = parser.parse_args(arguments)
    if not command:
        folder = Path(tempfile.mkdtemp(prefix="codecarbon-nvml-"))
        lines = (f"export {name}={shlex.quote(value)}\n" for name, value in prepare(options, folder).items())
        sys.stdout.writelines(lines)
        return 0
    with tempfile.TemporaryDirectory(prefix="codecarbon-nvml-") as name:
        environment = {**os.environ, **prepare(options, Path(name))}
        return subprocess.run(command, env=environment, check=False).returncode


def prepare(options: argparse.Namespace, folder: Path) -> dict[str, str]:
    """Build the stub and write its configuration; what the environment must hold."""
    library = build_stub()
    config = options.config or folder / "nvml_stub.conf"
    if not config.exists():
        config.write_text(config_text(*options.set, gpus=options.gpus, watts=options.watts))
    search = os.pathsep.join(filter(None, [str(library.parent), os.environ.get("LD_LIBRARY_PATH", "")]))
    return {
        "CODECARBON_NVML_LIBRARY": str(library),
        "LD_LIBRARY_PATH": search,
        CONFIG_VARIABLE: str(config),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
