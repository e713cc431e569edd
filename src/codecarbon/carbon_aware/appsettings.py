"""Settings from appsettings files, the environment and arguments; later ones win, key by key.

Keys are not case-sensitive; ``:`` parts levels, and so does ``__`` in the environment. Nothing raises but a route
prefix that cannot work: everything else that is wrong is collected, and told by readiness and by
``carbon-aware check``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from codecarbon.carbon_aware.options import SECRET_WORDS, ConfigProblem, Options
from codecarbon.carbon_aware.tolerant_json import read_tolerant_json

# Variables without a level of their own that count as settings.
_TOP_LEVEL = frozenset({"urls", "allowedhosts"})
_SECTIONS = (
    "datasources",
    "carbonawarevars",
    "carbonexporter",
    "emissionsdatacache",
    "locationdatasourcesconfiguration",
    "logging",
)
_HIDDEN = "***"


class Given(NamedTuple):
    """One setting.

    Attributes:
        key: As it was written.
        value: Its text.
        origin: A file's path, ``environment`` or ``arguments``.
    """

    key: str
    value: str
    origin: str


class Settings:
    """All settings by key, without regard to case."""

    def __init__(self) -> None:
        self._given: dict[str, Given] = {}

    def add(self, values: Iterable[tuple[str, str]], origin: str) -> None:
        """Let some settings win over those that are there."""
        for key, value in values:
            self._given[key.casefold()] = Given(key, value, origin)

    def find(self, key: str) -> Given | None:
        """Find a setting."""
        return self._given.get(key.casefold())

    def text(self, key: str, default: str = "") -> str:
        """Return a setting's text without blanks around it, or the default where it is empty."""
        given = self.find(key)
        return (given.value.strip() if given else "") or default

    def below(self, key: str) -> dict[str, Given]:
        """Return the settings below a key, by what their key has behind it, in lower case."""
        start = f"{key.casefold()}:"
        return {name.removeprefix(start): given for name, given in self._given.items() if name.startswith(start)}

    def children(self, key: str) -> dict[str, str]:
        """Return the names right below a key, in lower case, and as they were written."""
        levels = key.count(":") + 1
        return {name.partition(":")[0]: given.key.split(":")[levels] for name, given in self.below(key).items()}

    def entries(self, key: str) -> tuple[str, ...]:
        """Return a list: entries by index in the order of the indexes, or one text with commas."""
        found = {name: given.value for name, given in self.below(key).items() if name.isdigit()}
        if found:
            return tuple(found[name].strip() for name in sorted(found, key=int) if found[name].strip())
        return tuple(part.strip() for part in self.text(key).split(",") if part.strip())

    def effective(self) -> tuple[tuple[str, str, str], ...]:
        """Return key, value and origin of every setting, in the order of keys, with secrets hidden."""
        return tuple(
            (
                given.key,
                _HIDDEN if given.value and is_secret(given.key) else _redacted(given.value),
                given.origin,
            )
            for _, given in sorted(self._given.items())
        )


def is_secret(key: str) -> bool:
    """Whether a setting's value must not be shown; the name of a header is none."""
    last = key.casefold().rpartition(":")[2].replace("_", "")
    if last.isdigit():
        last = key.casefold().rsplit(":", 2)[-2].replace("_", "")
    return last != "apitokenheader" and any(word.replace("_", "") in last for word in SECRET_WORDS)


def _redacted(value: str) -> str:
    """Hide user, password and query in an address; a query may hold a token."""
    scheme, mark, rest = value.partition("://")
    if not mark:
        return value
    address, asks, _ = rest.partition("?")
    host, slash, path = address.partition("/")
    user = f"{_HIDDEN}@" if "@" in host else ""
    return f"{scheme}{mark}{user}{host.rpartition('@')[2]}{slash}{path}{asks}{_HIDDEN if asks else ''}"


def load_options(
    files: Sequence[str | os.PathLike[str]] | None = None,
    environ: Mapping[str, str] | None = None,
    arguments: Mapping[str, Any] | None = None,
    *,
    folder: str | os.PathLike[str] = ".",
) -> Options:
    """Read all settings.

    Args:
        files: The files to read, later ones winning; those that are named must exist. None reads ``appsettings.json``,
            ``appsettings.{environment}.json`` and ``carbon-aware.config`` of the folder, as far as they exist.
        environ: The environment; None for that of the process.
        arguments: Settings by key, for example ``{"CarbonAwareVars:Profile": "strict"}``; levels may also be nested.
        folder: Where files are looked up, and what relative paths in the settings start from.

    Raises:
        ConfigError: The route prefix does not begin with a slash.
    """
    from codecarbon.carbon_aware.option_rules import make_options

    environ = os.environ if environ is None else environ
    settings = Settings()
    problems: list[ConfigProblem] = []
    base = Path(folder)
    for path, is_needed in _paths(files, base, environ):
        _read_file(path, settings, problems, is_needed=is_needed)
    settings.add(_from_environment(environ), "environment")
    settings.add(flatten(arguments or {}), "arguments")
    return make_options(settings, problems, base)


def _paths(
    files: Sequence[str | os.PathLike[str]] | None, base: Path, environ: Mapping[str, str]
) -> list[tuple[Path, bool]]:
    if files is not None:
        return [(base / path, True) for path in files]
    name = environ.get("ASPNETCORE_ENVIRONMENT") or environ.get("DOTNET_ENVIRONMENT") or "Production"
    names = ["appsettings.json", f"appsettings.{name}.json", "carbon-aware.config"]
    return [(base / one, False) for one in names if "/" not in one]


def _read_file(path: Path, settings: Settings, problems: list[ConfigProblem], *, is_needed: bool) -> None:
    if not is_needed and not path.exists():
        return
    try:
        document = read_tolerant_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        problems.append(ConfigProblem(path.name, f"it cannot be read: {error}", str(path)))
        return
    if not isinstance(document, dict):
        problems.append(ConfigProblem(path.name, "expected an object of settings", str(path)))
        return
    settings.add(flatten(document), str(path))


def _from_environment(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    found = []
    for name, value in environ.items():
        key = name.replace("__", ":")
        first = key.partition(":")[0].casefold()
        if (first in _SECTIONS and ":" in key) or key.casefold() in _TOP_LEVEL:
            found.append((key, value))
    if environ.get("ASPNETCORE_HTTP_PORTS"):
        found.append(("urls", _urls(environ["ASPNETCORE_HTTP_PORTS"])))
    if environ.get("ASPNETCORE_URLS"):
        found.append(("urls", environ["ASPNETCORE_URLS"]))
    return found


def _urls(ports: str) -> str:
    return ";".join(f"http://*:{port.strip()}" for port in ports.split(";") if port.strip())


def flatten(document: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested settings as pairs of a key with levels and a text; what is null is left out."""
    found: list[tuple[str, str]] = []
    for name, value in document.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping):
            inner = flatten(value, f"{key}:")
            # A section that is there and empty still is there.
            found += inner or [(f"{key}:", "")]
        elif isinstance(value, (list, tuple)):
            found += flatten({str(at): entry for at, entry in enumerate(value)}, f"{key}:")
        elif isinstance(value, bool):
            found.append((key, "true" if value else "false"))
        elif value is not None:
            found.append((key, str(value)))
    return found
