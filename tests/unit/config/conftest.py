"""A machine on which nobody has said anything yet."""

from __future__ import annotations

import pytest

from codecarbon.config import resolve


@pytest.fixture
def said(tmp_path):
    """Resolve with only what the test says: arguments, variables, and the text of the two files."""

    def run(arguments=None, *, env=None, project=None, personal=None, offline=False):
        folders = {"cwd": tmp_path / "project", "home": tmp_path / "home"}
        for folder, text in zip(folders.values(), (project, personal), strict=True):
            folder.mkdir(exist_ok=True)
            if text is not None:
                (folder / ".codecarbon.config").write_text(text)
        places = {name: str(folder) for name, folder in folders.items()}
        return resolve(arguments or {}, environ=env or {}, offline=offline, **places)

    return run
