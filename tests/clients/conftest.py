"""One server per profile with every capability, and the clients that a generator makes from its own document."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.web.blackbox.sites import MIDNIGHT, J, Site, emissions, forecast, serve

GENERATOR = str(Path(sys.executable).parent / "openapi-generator-cli")


@pytest.fixture(scope="session")
def base_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """Return the address of the server of a profile; it has observed points, and forecasts of two places."""
    started: dict[str, str] = {}
    with ExitStack() as stack:

        def start(profile: str) -> str:
            if profile not in started:
                site = Site(tmp_path_factory.mktemp(profile), MIDNIGHT)
                site.source("Emissions", emissions(J)).source(
                    "Forecast", forecast((10, 20, 30, 40), "westus", "eastus")
                )
                started[profile] = stack.enter_context(serve(site, profile))
            return started[profile]

        yield start


@pytest.fixture(scope="session")
def generated(base_of: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return the folder of a client made from the document that a running server serves."""
    made: dict[tuple[str, str], Path] = {}

    def generate(profile: str, language: str, **properties: str) -> Path:
        if (profile, language) not in made:
            folder = tmp_path_factory.mktemp(f"{language}-{profile}")
            document = folder / "swagger.json"
            document.write_bytes(requests.get(base_of(profile) + "/swagger/v1/swagger.json", timeout=30).content)
            command = [GENERATOR, "generate", "-i", str(document), "-g", language, "-o", str(folder / "client")]
            settings = ",".join(f"{name}={value}" for name, value in properties.items())
            done = subprocess.run(
                [*command, f"--additional-properties={settings}"],
                capture_output=True,
                text=True,
                timeout=110,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            made[profile, language] = folder / "client"
        return made[profile, language]

    return generate
