"""Write the reference pages that must not drift: settings, columns and commands, from the code itself."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import click

    from codecarbon.config import Setting


def write(folder: Path) -> None:
    """Write every generated page; files whose text did not change keep their times."""
    folder.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        path, text = folder / f"{name}.md", make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    lines = [list(header), *[[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def settings() -> str:
    """Return the page of settings."""
    from codecarbon.config import SETTINGS

    text = (
        "# Settings\n\n"
        "Each can be given to the constructor or the decorator, in the environment, or in a file; "
        "[](../../how-to/configure.md) says which wins.\n\n"
    )
    for row in SETTINGS:
        text += f"## `{row.name}`\n\n{row.help}\n\n{table(('', ''), _facts(row))}\n"
    return text


def _facts(row: Setting) -> list[tuple[str, str]]:
    default = "nothing" if row.is_secret else f"`{row.default!r}`"
    facts = [("default", default), ("kind", row.kind)]
    if row.choices:
        facts.append(("values", ", ".join(f"`{choice}`" for choice in row.choices)))
    if not row.is_code_only:
        facts.append(("environment", f"`{row.env}`"))
    if row.cli:
        facts.append(("command line", f"`{row.cli}`"))
    if row.is_offline:
        facts.append(("in the signature of", "`OfflineEmissionsTracker`"))
    if row.alias_of:
        facts.append(("stands for", f"`{row.alias_of}`"))
    if row.deprecated:
        facts.append(("deprecated", row.deprecated))
    if row.unbuilt:
        facts.append(("not built yet", row.unbuilt))
    return facts


def columns() -> str:
    """Return the page of columns."""
    from codecarbon.model import EmissionsData, TaskEmissionsData

    text = "# Columns\n\n"
    for record, file in ((EmissionsData, "emissions.csv"), (TaskEmissionsData, "the task file")):
        names = [entry.name for entry in dataclasses.fields(record)]
        text += f"## {record.__name__}\n\n{inspect.getdoc(record)}\n\n{len(names)} columns of {file}, in order:\n\n"
        text += "\n".join(f"{number}. `{name}`" for number, name in enumerate(names, 1)) + "\n\n"
    return text


def commands() -> str:
    """Return the page of commands."""
    import typer.main

    apps = {
        "codecarbon": importlib.import_module("codecarbon.cli.main").codecarbon,
        "carbon-aware": importlib.import_module("codecarbon.cli.carbon_aware").program,
    }
    text = "# Commands\n\n"
    for program, app in apps.items():
        for name, command in spelled(program, typer.main.get_command(app)):
            text += f"## `{name}`\n\n{inspect.cleandoc(command.help or '')}\n\n"
            options = [
                (", ".join(f"`{flag}`" for flag in p.opts), getattr(p, "help", "") or "") for p in command.params
            ]
            text += table(("option", "what it does"), options) + "\n" if options else ""
    return text


def spelled(prefix: str, group: click.Group) -> Iterable[tuple[str, click.Command]]:
    """Yield the commands of a program, those of its groups too, as they are typed."""
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from spelled(f"{prefix} {name}", command)
        else:
            yield f"{prefix} {name}", command


PAGES: dict[str, Callable[[], str]] = {
    "settings": settings,
    "columns": columns,
    "commands": commands,
}
