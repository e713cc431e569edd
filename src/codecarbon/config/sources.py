"""Where settings are written down: the environment and two files."""

# pathlib costs start-up time, and the built-in open is what users of version 3 intercept:
# ruff: noqa: PTH109, PTH111, PTH118, PTH123
from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from codecarbon.config.table import ENV_PREFIX
from codecarbon.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FILE_NAME = ".codecarbon.config"
SECTION = "codecarbon"
ENVIRONMENT = "environment"


class Source(NamedTuple):
    """Settings from one place.

    Attributes:
        label: The place, for example a file's path.
        values: What it says, by setting name.
        is_written: Whether its values are texts; an empty text then means "not given".
        is_file: Whether it is a file.
        is_personal: Whether it is the one in the home folder, which nobody else writes.
    """

    label: str
    values: Mapping[str, object]
    is_written: bool = True
    is_file: bool = False
    is_personal: bool = False

    def origin(self, name: str) -> str:
        """Name the exact place of one value."""
        return f"environment variable {ENV_PREFIX}{name.upper()}" if self.label == ENVIRONMENT else self.label


def environment_values(environ: Mapping[str, str]) -> dict[str, str]:
    """Collect the variables that start with ``CODECARBON_`` in any case, by setting name.

    The upper-case spelling wins over another spelling of the same name.
    """
    values: dict[str, str] = {}
    for key, value in environ.items():
        if key[: len(ENV_PREFIX)].upper() != ENV_PREFIX:
            continue
        name = key[len(ENV_PREFIX) :].lower()
        if name not in values or key.isupper():
            values[name] = value
    return values


def file_values(path: str) -> dict[str, str] | None:
    """Read the ``[codecarbon]`` section of a file.

    Returns:
        The values by name, or None when there is no such file.

    Raises:
        ConfigError: The file is not an INI file.
        OSError: The file exists and cannot be read.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError as error:
        raise ConfigError(FILE_NAME, path, path, "a text file in UTF-8") from error
    import configparser

    # Interpolation stays off: a per cent sign in a key or an address is just a character.
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text, source=path)
    except configparser.Error as error:
        reason = " ".join(str(error).split())
        raise ConfigError(FILE_NAME, path, path, f"INI text with a section [{SECTION}] ({reason})") from error
    return dict(parser[SECTION]) if parser.has_section(SECTION) else {}


def file_paths(cwd: str | None = None, home: str | None = None) -> tuple[str, ...]:
    """List where files are looked for, the winning one first."""
    folders: Iterable[str | None] = (cwd or _working_folder(), _home_folder(home))
    paths = [os.path.join(folder, FILE_NAME) for folder in folders if folder]
    return tuple(dict.fromkeys(paths))


def is_personal(path: str, home: str | None = None) -> bool:
    """Whether a file that exists is the one in the home folder, however its path is spelled."""
    folder = _home_folder(home)
    try:
        return bool(folder) and os.path.samefile(path, os.path.join(folder, FILE_NAME))  # noqa: PTH121
    except OSError:
        return False


def _home_folder(home: str | None) -> str:
    return home or os.path.expanduser("~")


def _working_folder() -> str | None:
    try:
        return os.getcwd()
    except FileNotFoundError:  # somebody removed it; a run can go on without
        return None
