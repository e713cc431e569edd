"""A fuzzer reads the document that the server serves and tries everything in it, and much that is not.

No answer may be a server error, or differ from the document in status, content type, headers or schema. The seed is
fixed, so that a red run means a change here. A second run names real places and times, which chance would not find.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.web.blackbox.cases import PROFILES
from tests.web.blackbox.provider_sites import NOW, ScriptedElectricityMaps, electricity_maps_site
from tests.web.blackbox.sites import serve

PROGRAM = Path(sys.executable).parent / "schemathesis"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
)
# Values that lead past the checks of parameters; every operation takes those of its own names.
KNOWN = """
[parameters]
"query.location" = "westus"
"query.time" = "2021-11-17T00:00:00Z"
"query.startTime" = "2021-11-17T00:00:00Z"
"query.dataStartAt" = "2022-01-01T00:00:00Z"
"""


BATCH = "/emissions/forecasts/batch"
LACKING = """
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "501"]
"""


def fuzz(base, folder, configuration, examples, *options):
    """Run the fuzzer on a server."""
    settings = folder / "schemathesis.toml"
    settings.write_text(configuration, encoding="utf-8")
    command = [PROGRAM, "--config-file", settings, "run", base + "/openapi.json", "--no-color", "--continue-on-failure"]
    command += ["--seed", "1", "--max-examples", str(examples), "--generation-database", "none"]
    command += ["--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-20_000:]


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
def test_every_answer_keeps_to_the_document(base_of, tmp_path, profile):
    fuzz(base_of(profile), tmp_path, "", 100)


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
def test_answers_about_known_places_keep_to_it(base_of, tmp_path, profile):
    fuzz(base_of(profile), tmp_path, KNOWN, 100, "--exclude-path", "/events")  # their stream does not end


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
def test_a_source_without_old_forecasts_answers_501_to_their_batch_alone(tmp_path, profile):
    with ScriptedElectricityMaps(clock=NOW.timestamp) as fake:
        known = KNOWN.replace("westus", "eastus")
        with serve(electricity_maps_site(tmp_path, fake, NOW), profile) as base:
            fuzz(base, tmp_path, known, 25, "--exclude-path", "/events", "--exclude-path", BATCH)
            fuzz(base, tmp_path, LACKING, 25, "--include-path", BATCH)
