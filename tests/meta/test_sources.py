"""Rules about the text of the sources that no linter knows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = sorted((ROOT / "src").rglob("*.py"))
NATIVE = sorted(path for kind in ("*.pyx", "*.pxd", "*.h", "*.c") for path in (ROOT / "src").rglob(kind))

MAX_LINES = 400
# Files that may be longer: their limit, and why they are one file.
LONG = {
    "src/_sensors/nvml.pyx": (500, "one library: its table of functions, its handle and the source that reads it"),
    "src/_sensors/sampler.pyx": (550, "the sampler and the readings it resolves share one record layout"),
    "src/_sensors/_testing.pyx": (550, "everything that tests put at the edge of the core is one extension"),
    "src/codecarbon/config/table.py": (550, "the one table of settings, a row for each"),
}

ROOT_FOLDER = re.compile(r"/(sys|proc|dev)(/|$)")
# Where the root folders may be spelled out, and why.
LITERALS = {
    "src/codecarbon/model/machine.py": "defaults of Roots",
    "src/codecarbon/config/table.py": "defaults of the settings",
    "src/codecarbon/core/cloud.py": "default of an argument",
    "src/codecarbon/intensity/place.py": "default of an argument",
    "src/codecarbon/intensity/cloud_hints.py": "default of an argument",
    "src/_sensors/load.pyx": "asks whether the root it was given is the kernel's own",
}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_there_are_sources_to_judge():
    assert len(PYTHON) > 40
    assert len(NATIVE) > 10


@pytest.mark.parametrize("path", [*PYTHON, *NATIVE], ids=relative)
def test_a_file_fits_its_limit(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONG.get(relative(path), (MAX_LINES, ""))[0]


def test_no_limit_is_lifted_in_vain():
    for name, (limit, why) in LONG.items():
        assert MAX_LINES < len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= limit
        assert why


@pytest.mark.parametrize("path", sorted((ROOT / "src" / "_sensors").glob("*.pyx")), ids=relative)
def test_an_extension_has_a_stub(path):
    assert path.with_suffix(".pyi").exists()


def root_literals(source: str) -> list[str]:
    """Strings that begin with one of the root folders; docstrings are prose and may name them."""
    tree = ast.parse(source)
    prose = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in prose
        and ROOT_FOLDER.match(node.value)
    ]


@pytest.mark.parametrize("path", [path for path in PYTHON if relative(path) not in LITERALS], ids=relative)
def test_paths_start_at_a_root_that_can_be_moved(path):
    assert root_literals(path.read_text(encoding="utf-8")) == []


def native_literals(source: str) -> list[str]:
    return re.findall(r"\"/(?:sys|proc|dev)[/\"]", source)


@pytest.mark.parametrize("path", [path for path in NATIVE if relative(path) not in LITERALS], ids=relative)
def test_native_paths_are_arguments(path):
    assert native_literals(path.read_text(encoding="utf-8")) == []


def test_exceptions_are_needed():
    for name in LITERALS:
        find = root_literals if name.endswith(".py") else native_literals
        assert find((ROOT / name).read_text(encoding="utf-8")), name


def test_a_literal_root_is_found():
    assert root_literals('def f():\n    "/proc is fine here"\n    return open("/proc/stat")') == ["/proc/stat"]
    assert root_literals('x = f"/sys/{y}"') == ["/sys/"]


# Conversions of energy, time and mass; only units.py spells them.
FACTORS = {3_600, 3_600_000, 1_000_000_000, 1e-6, 2.77778e-7}


def factors(source: str) -> list[float]:
    return [
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value in FACTORS
    ]


@pytest.mark.parametrize("path", [path for path in PYTHON if path.name != "units.py"], ids=relative)
def test_only_units_converts(path):
    assert factors(path.read_text(encoding="utf-8")) == []


def test_a_conversion_is_found():
    assert factors("kwh = j / 3.6e6") == [3_600_000]
