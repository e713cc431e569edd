"""What the documents say exists, and what exists is in the documents."""

from __future__ import annotations

import importlib.util
import inspect
import re
from pathlib import Path

import pytest

import codecarbon
from codecarbon import errors
from codecarbon.config import SETTINGS
from codecarbon.intensity import BUILT_IN_PROVIDERS

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
SESSIONS = set(re.findall(r"@nox\.session.*\ndef (\w+)", (ROOT / "noxfile.py").read_text(encoding="utf-8")))


def load_generator():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "_ext" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = load_generator()


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row.name)
def test_a_setting_is_documented(row):
    page = GENERATOR.settings()
    section = page.split(f"## `{row.name}`\n", 1)[1].split("\n## ", 1)[0]
    assert row.help.endswith(".")
    assert row.help in section
    assert row.is_code_only or row.env in section


def test_every_error_is_documented():
    page, tree = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8"), errors.__doc__
    assert "automodule:: codecarbon.errors" in page
    for name, error in inspect.getmembers(errors, inspect.isclass):
        assert inspect.getdoc(error)
        assert name in tree


def test_the_map_of_offsetting_has_every_module():
    folder = ROOT / "src" / "codecarbon" / "handlers" / "offset"
    text = (folder / "__init__.py").read_text(encoding="utf-8")
    named = set(re.findall(r"``(\w+)``", text))
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert modules == named - {"makeimpact"}


def every_command(prefix, group):
    """Commands by what is typed, those inside of groups too."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from every_command(f"{prefix} {name}", command)
        else:
            yield f"{prefix} {name}", command


def test_every_command_is_documented():
    import typer.main

    from codecarbon.cli.carbon_aware import program as carbon_aware
    from codecarbon.cli.main import codecarbon as app

    page = GENERATOR.commands()
    commands = {}
    for program, group in (("codecarbon", app), ("carbon-aware", carbon_aware)):
        commands |= dict(every_command(program, typer.main.get_command(group)))
    assert "codecarbon offset now" in commands
    for name, command in commands.items():
        section = page.split(f"## `{name}`\n", 1)[1].split("\n## ", 1)[0]
        assert command.help
        for parameter in command.params:
            assert getattr(parameter, "help", None) or parameter.param_type_name == "argument", parameter.name
            assert all(option in section for option in parameter.opts)


@pytest.mark.parametrize("name", BUILT_IN_PROVIDERS)
def test_a_source_of_carbon_intensity_is_documented(name):
    page = (ROOT / "docs" / "reference" / "intensity-sources.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| `{name}` \|", page, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(codecarbon.__all__))
def test_a_public_name_is_in_the_reference(name):
    assert f"codecarbon.{name}" in (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_documents_name_commands_that_exist(path):
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE)) <= TARGETS
    assert set(re.findall(r"nox (?:-s|--session) (\w+)", text)) <= SESSIONS


def test_readme_gives_the_two_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^make demo", readme, re.MULTILINE)
    assert re.search(r"^make test", readme, re.MULTILINE)


def test_makefile_verbs_are_explained():
    for target in TARGETS:
        assert re.search(rf"^{target}:.*## \S", MAKEFILE, re.MULTILINE), target


def test_ci_runs_every_check():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    test_target = MAKEFILE.split("\ntest:", 1)[1].split("\n\n", 1)[0]
    checks = SESSIONS - {"fix", "demo", "bench", "pythons"}
    assert {name for name in checks if not re.search(rf"\b{name}\b", script + test_target)} == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_local_link_leads_somewhere(path):
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target and "generated/" not in target]
    assert [target for target in local if not (path.parent / target).exists()] == []
