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


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("configuration", ["", KNOWN], ids=["anything", "known places"])
def test_every_answer_keeps_to_the_document(base_of, tmp_path, profile, configuration):
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(configuration, encoding="utf-8")
    command = [PROGRAM, "--config-file", settings, "run", base_of(profile) + "/openapi.json", "--no-color"]
    options = ["--seed", "1", "--max-examples", "100", "--generation-database", "none", "--continue-on-failure"]
    options += ["--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing"]
    if configuration:
        options += ["--exclude-path", "/events"]  # for a known place the stream does not end
    done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-20_000:]
