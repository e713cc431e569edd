"""The scripts that the Makefile and CI rely on."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "tools"


def run(*command, **env):
    done = subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, check=False, env={**os.environ, **env}
    )
    return done.returncode, done.stdout + done.stderr


def test_preflight_passes_where_these_tests_were_built():
    assert run(TOOLS / "preflight.py") == (0, "")


def test_preflight_names_a_missing_compiler():
    status, said = run(TOOLS / "preflight.py", CC="no-such-compiler")
    assert status == 1
    assert "no working C compiler (no-such-compiler)" in said


def test_preflight_can_be_read_by_an_interpreter_that_is_too_old():
    tree = ast.parse((TOOLS / "preflight.py").read_text(encoding="utf-8"), feature_version=(3, 4))
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.JoinedStr, ast.AnnAssign, ast.Starred))]


@pytest.mark.parametrize(
    ("name", "text", "is_good"),
    [
        ("a-b.added.md", "One sentence.\n", True),
        ("a.fixed.md", "No full stop\n", False),
        ("a.fixed.md", "Two.\nLines.\n", False),
        ("a.removed.md", "One sentence.\n", False),
        ("A.added.md", "One sentence.\n", False),
    ],
)
def test_fragments_are_one_sentence_of_a_known_kind(tmp_path, name, text, is_good):
    (tmp_path / "README.md").write_text("Anything\n\nhere")
    (tmp_path / name).write_text(text)
    status, said = run(TOOLS / "check_fragments.py", tmp_path)
    assert status == (0 if is_good else 1)
    assert (said == "") == is_good


REPORT = '<testsuites><testsuite tests="{ran}" failures="{failed}" errors="0" skipped="{skipped}"/></testsuites>'


@pytest.mark.parametrize(
    ("reports", "status", "said"),
    [
        ([(5, 0, 1), (2, 0, 0)], 0, "6 passed, 0 failed, 1 skipped\n"),
        ([(5, 1, 0)], 1, "4 passed, 1 failed, 0 skipped\n"),
        ([(1, 0, 1)], 1, "0 passed, 0 failed, 1 skipped\n"),
        ([], 1, "0 passed, 0 failed, 0 skipped\n"),
    ],
)
def test_reports_add_up_and_an_empty_run_fails(tmp_path, reports, status, said):
    for number, (ran, failed, skipped) in enumerate(reports):
        (tmp_path / f"{number}.xml").write_text(REPORT.format(ran=ran, failed=failed, skipped=skipped))
    assert run(TOOLS / "count_tests.py", tmp_path) == (status, said)


def test_a_row_is_shown_as_a_column(tmp_path):
    file = tmp_path / "emissions.csv"
    file.write_text("project_name,emissions\nold,1\nnew,2.5\n")
    status, said = run(TOOLS / "show_row.py", file)
    assert status == 0
    assert said.splitlines()[-2:] == ["  project_name  new", "  emissions     2.5"]


def test_a_file_without_a_row_is_an_error(tmp_path):
    file = tmp_path / "emissions.csv"
    file.write_text("project_name,emissions\n")
    status, said = run(TOOLS / "show_row.py", file)
    assert status == 1
    assert "holds no row" in said
