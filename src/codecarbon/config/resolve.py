"""From arguments, environment and files to one ``Settings``."""

from __future__ import annotations

import os
from logging import INFO, WARNING
from typing import TYPE_CHECKING, Any

from codecarbon.config import parsers
from codecarbon.config.methods import LOCAL_PROVIDERS, SAVE_TO_FLAGS, UNBUILT_METHODS, OutputMethod
from codecarbon.config.sources import ENVIRONMENT, Source, environment_values, file_paths, file_values, is_personal
from codecarbon.config.table import BY_NAME, POSITIONAL, RETIRED, SETTINGS, Notice, Setting, Settings
from codecarbon.config.values import Noted, Secret, Unset
from codecarbon.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONSTRUCTOR = "constructor"
_ALIASES: dict[str, tuple[str, ...]] = {
    row.name: tuple(alias.name for alias in SETTINGS if alias.alias_of == row.name) for row in SETTINGS
}
_NO_GPU_WORDS = frozenset({"-1", "NoDevFiles"})


def resolve(
    kwargs: Mapping[str, object] | None = None,
    *,
    offline: bool = False,
    environ: Mapping[str, str] | None = None,
    cwd: str | None = None,
    home: str | None = None,
) -> Settings:
    """Work out every setting: arguments, then environment, then project file, then home file, then default.

    Nothing is logged here, since the level of the log is one of the settings: pass the result to ``announce``.

    Args:
        kwargs: Arguments of the constructor by name; ``UNSET`` ones count as not given.
        offline: Whether the tracker will never use a network.
        environ: Environment variables, the process's own by default.
        cwd: Folder of the project file, the working folder by default.
        home: Folder of the personal file, the home folder by default.

    Raises:
        ConfigError: A known setting has a value that cannot be used, or a file cannot be understood.
    """
    variables = os.environ if environ is None else environ
    given = {name: value for name, value in (kwargs or {}).items() if not isinstance(value, Unset)}
    notices: list[Notice] = []
    sources = [Source(CONSTRUCTOR, given, is_written=False), Source(ENVIRONMENT, environment_values(variables))]
    sources += _file_sources(cwd, home, notices)
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    for row in SETTINGS:
        if not row.alias_of:
            _resolve_row(row, sources, values, origins, notices)
    _settle_aliases(values, origins)
    _settle_watttime(values, origins, variables)
    _settle_gpu_ids(values, origins, variables)
    _settle_output_methods(values, origins, given, notices)
    notices += _keyword_notices(given)
    notices += _feature_notices(values, origins, offline=offline)
    ordered = {row.name: origins[row.name] for row in SETTINGS if row.name in origins}
    return Settings.of(values, ordered, tuple(notices))


def merge_arguments(args: tuple[object, ...], kwargs: Mapping[str, object]) -> dict[str, object]:
    """Give positional constructor arguments their names, and hide the secrets among all arguments.

    Raises:
        TypeError: There are too many, or one is given twice; worded as Python words it.
    """
    if len(args) > len(POSITIONAL):
        raise TypeError(f"at most {len(POSITIONAL)} positional arguments are accepted, {len(args)} were given")
    named = dict(zip(POSITIONAL, args, strict=False))
    for name in named:
        if name in kwargs:
            raise TypeError(f"got multiple values for argument {name!r}")
    return hide_secrets({**named, **kwargs})


def hide_secrets(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Wrap texts that must not be shown: whoever keeps arguments may be looked at by a crash reporter."""
    return {
        name: parsers.secret(value) if isinstance(value, str) and name in BY_NAME and BY_NAME[name].is_secret else value
        for name, value in arguments.items()
    }


def _file_sources(cwd: str | None, home: str | None, notices: list[Notice]) -> list[Source]:
    sources = []
    for path in file_paths(cwd, home):
        try:
            values = file_values(path)
        except OSError as error:
            notices.append(Notice(f"unreadable {path}", f"{path} cannot be read and is left out: {error}", WARNING))
            continue
        if values is not None:
            sources.append(Source(path, values, is_file=True, is_personal=is_personal(path, home)))
            notices.append(Notice(f"file {path}", f"Settings are read from {path}", INFO))
    return sources


def _resolve_row(
    row: Setting,
    sources: list[Source],
    values: dict[str, object],
    origins: dict[str, str],
    notices: list[Notice],
) -> None:
    """Find the first source that gives the setting, under its own name or an alias."""
    values[row.name] = row.default
    for source in sources:
        for name in (row.name, *_ALIASES[row.name]):
            if name not in source.values:
                continue
            raw = source.values[name]
            origin = source.origin(name)
            if source.is_file and not _may_give(source, row):
                others = ", or the file in your home folder," if row.allowed_files == "personal" else ""
                expected = (
                    f"the constructor or the variable {row.env}{others} to give it, since a file may be somebody else's"
                )
                raise ConfigError(row.name, raw, origin, expected)
            if source.is_written and not str(raw).strip() and not (row.is_nullable or row.is_explicit):
                continue  # an empty variable is how many launchers spell "not given"
            values[row.name] = _value(row, raw, origin, notices, is_written=source.is_written)
            origins[row.name] = origin
            alias = BY_NAME[name]
            if alias.alias_of and alias.deprecated:
                notices.append(Notice(f"alias {name}", f"{name} is deprecated: {alias.deprecated}", WARNING))
            return


def _may_give(file: Source, row: Setting) -> bool:
    return row.allowed_files == "all" or (row.allowed_files == "personal" and file.is_personal)


def _value(row: Setting, raw: object, origin: str, notices: list[Notice], *, is_written: bool) -> object:
    if not row.is_explicit and (raw is None or (is_written and not str(raw).strip())):
        if row.is_nullable:
            return None
        return False if row.kind == "boolean" else row.default
    if is_written and row.is_code_only:
        raise ConfigError(row.name, raw, origin, "an object, which only code can give")
    try:
        parsed = row.parse(raw)
    except ValueError as error:
        shown = Secret(str(raw)) if row.is_secret else raw
        raise ConfigError(row.name, shown, origin, str(error)) from error
    if isinstance(parsed, Noted):
        notices.append(Notice(f"remark {row.name}", f"{row.name}={raw!r} (from {origin}): {parsed.remark}", WARNING))
        return parsed.value
    return parsed


def _settle_aliases(values: dict[str, object], origins: dict[str, str]) -> None:
    for row in SETTINGS:
        if row.alias_of:
            values[row.name] = values[row.alias_of] if row.alias_of in origins else row.default


def _settle_watttime(values: dict[str, object], origins: dict[str, str], variables: Mapping[str, str]) -> None:
    """Without an account of our own settings, take the one that WattTime's own tools use."""
    if "watttime_username" in origins or "watttime_password" in origins:
        return
    for name, variable in (("watttime_username", "WATTTIME_USER"), ("watttime_password", "WATTTIME_PASSWORD")):
        if variables.get(variable):
            values[name] = BY_NAME[name].parse(variables[variable])
            origins[name] = f"environment variable {variable}"


def _settle_gpu_ids(values: dict[str, object], origins: dict[str, str], variables: Mapping[str, str]) -> None:
    """Without ids, take what the GPU runtimes will show the program."""
    if values["gpu_ids"] is not None:
        return
    hidden = ""
    for name in ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"):
        if name not in variables:
            continue
        ids: list[str] = []
        for entry in parsers.split_gpu_ids(variables[name]):
            if entry in _NO_GPU_WORDS:  # CUDA ignores this entry and all that follow
                break
            ids.append(entry)
        if ids:
            values["gpu_ids"] = tuple(ids)
            origins["gpu_ids"] = f"environment variable {name}"
            return
        hidden = hidden or name
    if hidden:
        values["gpu_ids"] = ()
        origins["gpu_ids"] = f"environment variable {hidden}"


def _settle_output_methods(
    values: dict[str, object], origins: dict[str, str], given: Mapping[str, object], notices: list[Notice]
) -> None:
    """Let ``output_methods`` and the old flags say the same thing; the former wins."""
    flags = [name for name in SAVE_TO_FLAGS if name in given]
    notices += [Notice("", f"{name} is deprecated: {BY_NAME[name].deprecated}", 0) for name in flags]
    if "output_methods" not in origins:
        values["output_methods"] = tuple(method for name, method in SAVE_TO_FLAGS.items() if values[name])
        decisive = [origins[name] for name in SAVE_TO_FLAGS if name in origins]
        if decisive:
            origins["output_methods"] = decisive[0]
        return
    methods = values["output_methods"]
    for name, method in SAVE_TO_FLAGS.items():
        wanted = method in methods  # type: ignore[operator]
        if wanted != values[name]:
            values[name] = wanted
            origins[name] = origins["output_methods"]


def _keyword_notices(given: Mapping[str, object]) -> list[Notice]:
    notices = []
    for name in given:
        if name in RETIRED:
            notices.append(Notice(f"keyword {name}", f"{name} is ignored, it was retired: {RETIRED[name]}", WARNING))
        elif name not in BY_NAME:
            notices.append(Notice(f"keyword {name}", f"{name} is ignored: there is no such setting", WARNING))
    return notices


def _feature_notices(values: dict[str, object], origins: dict[str, str], *, offline: bool) -> list[Notice]:
    notices = []
    for row in SETTINGS:
        if not row.unbuilt or not values[row.name] or row.name not in origins:
            continue
        origin = origins[row.name]
        text = f"{row.name} is set (from {origin}), but this version cannot use it: {row.unbuilt}"
        notices.append(Notice(f"unbuilt {row.name}", text, WARNING))
    notices += _offset_notices(values, origins)
    for method in values["output_methods"]:  # type: ignore[attr-defined]
        if isinstance(method, OutputMethod) and method in UNBUILT_METHODS:
            text = f"output method {method.value} is not in this version: {UNBUILT_METHODS[method]}"
            notices.append(Notice(f"unbuilt method {method.value}", text, WARNING))
    remote = [name for name in values["intensity_providers"] or () if name not in LOCAL_PROVIDERS]  # type: ignore[attr-defined]
    if offline and remote:
        text = f"An offline tracker asks no network, so these sources are left out: {', '.join(remote)}"
        notices.append(Notice("offline intensity_providers", text, WARNING))
    return notices


def _offset_notices(values: dict[str, object], origins: dict[str, str]) -> list[Notice]:
    """Whoever says how to offset, but gives no key, should know that nothing is offset."""
    key = values["offset_api_key"]
    names = [name for name in origins if name.startswith("offset_") or name == "auto_offset"]
    if key or not names or ("offset_api_key" in names and key is None):
        return []
    what = "is empty" if names[0] == "offset_api_key" else "is set, but there is no offset_api_key"
    return [Notice("no offset_api_key", f"{names[0]} {what} (from {origins[names[0]]}): nothing is offset", WARNING)]
