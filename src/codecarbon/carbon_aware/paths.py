"""Which paths of files a configuration may name."""

from __future__ import annotations

import re
from pathlib import Path

from codecarbon.errors import ConfigError

_DATA_FOLDER = re.compile(r"[\w\-/\\.: ]*")
_LOCATION_FOLDER = re.compile(r"[\w\-/\\ ]*")
_EXPECTED = "a path without '..' whose folders hold letters, digits, '_', '-' and blanks"


def find_data_file(path: str, folder: Path) -> Path:
    """Return the path of a file of emissions; relative ones are below a folder.

    Raises:
        ConfigError: The path is empty, leaves the folder, or has characters that are not supported.
    """
    return _find(path, folder, _DATA_FOLDER)


def find_location_file(path: str, folder: Path) -> Path:
    """Return the path of a location file; relative ones are below a folder.

    The folders of a relative path may not hold dots or colons; those of an absolute one may.

    Raises:
        ConfigError: The path is empty, leaves the folder, or has characters that are not supported.
    """
    return _find(path, folder, _DATA_FOLDER if Path(path).is_absolute() else _LOCATION_FOLDER)


def _find(path: str, folder: Path, allowed: re.Pattern[str]) -> Path:
    parts = re.split(r"[/\\]", path)
    name = parts[-1]
    directory = path[: len(path) - len(name)]
    if not name.strip() or ".." in parts or allowed.fullmatch(directory) is None:
        message = f"File path '{path}' contains not supported characters."
        raise ConfigError("DataFileLocation", path, "configuration", f"{_EXPECTED}: {message}")
    return folder / path
