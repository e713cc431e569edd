"""Parsers of setting values: each takes what was given and returns the typed value.

A parser raises ``ValueError`` whose text says what would have been accepted. The same parser serves the constructor,
the environment and files, so that a text means the same wherever it stands.
"""

# pathlib costs start-up time; ValueError is the contract here, whatever was wrong:
# ruff: noqa: PTH111, TRY004
from __future__ import annotations

import math
import os
import re
from collections.abc import Callable

from codecarbon.config.methods import OutputMethod, is_plugin
from codecarbon.config.values import Noted, Secret

Parser = Callable[[object], object]

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_NOT_IN_GPU_IDS = r"[^a-zA-Z0-9\-,]"
LOG_LEVELS = ("critical", "fatal", "error", "warn", "warning", "info", "debug", "notset")


def text(value: object) -> str:
    """Accept a text, or a single thing with an obvious one (a number, a UUID, a path)."""
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray, dict, list, tuple, set, frozenset)):
        raise ValueError("a text")
    return str(value)


def strict_text(value: object) -> str:
    """Accept a text only, without the blanks around it."""
    if not isinstance(value, str):
        raise ValueError("a text")
    return value.strip()


def lower(value: object) -> str:
    """Accept a text in any case and give it in lower case."""
    return strict_text(value).lower()


def upper(value: object) -> str:
    """Accept a text in any case and give it in upper case."""
    return strict_text(value).upper()


def address(value: object) -> str | None:
    """Accept an address, or False for none (which switches off one that a file sets)."""
    return None if value is False else strict_text(value)


def secret(value: object) -> Secret:
    """Accept a text and hide it."""
    return value if isinstance(value, Secret) else Secret(strict_text(value))


def path(value: object) -> str:
    """Accept a path; a leading ``~`` becomes the home folder."""
    try:
        raw = os.fsdecode(value)  # type: ignore[arg-type]
        os.fsencode(raw)
    except (TypeError, UnicodeError) as error:
        raise ValueError("a path") from error
    if "\0" in raw:
        raise ValueError("a path without NUL characters")
    return os.path.expanduser(raw) if raw.startswith("~") else raw


def boolean(value: object) -> bool:
    """Accept a truth value, 1, 0, or one of the usual words in any case."""
    word = str(value).strip().lower() if isinstance(value, (bool, int, str)) else type(value).__name__
    if word in {"bool", "bool_"}:  # numpy's own truth values
        return bool(value)
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("1, true, yes, on, 0, false, no or off")


def number(
    *, above: float = -math.inf, at_least: float = -math.inf, at_most: float = math.inf
) -> Callable[[object], float]:
    """Make a parser of finite numbers in a range."""
    limits = [f"above {above:g}"] if above > -math.inf else []
    limits += [f"of at least {at_least:g}"] if at_least > -math.inf else []
    limits += [f"of at most {at_most:g}"] if at_most < math.inf else []
    expected = " and ".join(["a number " + limits[0], *limits[1:]]) if limits else "a number"

    def parse(value: object) -> float:
        result = _float(value, expected)
        if not (math.isfinite(result) and result > above and at_least <= result <= at_most):
            raise ValueError(expected)
        return result

    return parse


def _float(value: object, expected: str) -> float:
    if isinstance(value, bool):
        raise ValueError(expected)
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(expected) from error


def pue(value: object) -> float | Noted:
    """Accept a number above 0; one below 1 is used and remarked upon, since no building returns energy."""
    ratio = number(above=0)(value)
    if ratio < 1:
        return Noted(ratio, "a power usage effectiveness below 1 makes the result smaller than the energy used")
    return ratio


def live_interval(value: object) -> int:
    """Accept a whole number of measurements of at least 1, or -1 for never."""
    expected = "a whole number of at least 1, or -1 for never"
    result = _float(value, expected)
    if not math.isfinite(result) or result != int(result) or (result < 1 and result != -1):
        raise ValueError(expected)
    return int(result)


def sampling_hz(value: object) -> float | str:
    """Accept ``auto`` or a rate in hertz."""
    if isinstance(value, str) and value.strip().lower() == "auto":
        return "auto"
    try:
        return number(above=0, at_most=10_000)(value)
    except ValueError as error:
        raise ValueError(f"auto, or {error}") from error


def choice(*words: str) -> Callable[[object], str]:
    """Make a parser of one of some words, in any case."""

    def parse(value: object) -> str:
        word = value.strip().lower() if isinstance(value, str) else ""
        if word not in words:
            raise ValueError(" or ".join(words))
        return word

    return parse


def log_level(value: object) -> str | int:
    """Accept a level name of the standard library in any case, or a level number."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str):
        word = value.strip().lower()
        if word.isdecimal():
            return int(word)
        if word in LOG_LEVELS:
            return word
    raise ValueError("a level name (" + ", ".join(LOG_LEVELS) + ") or a level number")


def output_methods(value: object) -> tuple[str, ...]:
    """Accept method names in any case, as a list or separated by commas; no name means no output."""
    if isinstance(value, str) and not isinstance(value, OutputMethod):
        entries: list[object] = [word for word in value.strip("[]() ").split(",") if word.strip()]
    elif isinstance(value, (list, tuple, set, frozenset)):
        entries = list(value)
    else:
        entries = [value]
    methods: list[str] = []
    for entry in entries:
        method = _output_method(entry)
        if method is not None and method not in methods:
            methods.append(method)
    return tuple(methods)


def _output_method(entry: object) -> str | None:
    if isinstance(entry, OutputMethod):
        return entry
    word = entry.strip(" \"'").lower() if isinstance(entry, str) else ""
    if word == "none":
        return None
    for method in OutputMethod:
        if method.value == word:
            return method
    if word and is_plugin(word):
        return word
    raise ValueError("a list of " + ", ".join(method.value for method in OutputMethod))


def names(value: object) -> tuple[str, ...]:
    """Accept names in any case, as a list or separated by commas; a hyphen is as good as an underscore."""
    return tuple(dict.fromkeys(word.lower().replace("-", "_") for word in _words(value, "a list of names")))


def pairs(value: object) -> tuple[tuple[str, str], ...]:
    """Accept ``name=value`` pairs, as a mapping, a list or separated by commas; a value alone has the empty name."""
    expected = "name=value pairs, separated by commas"
    words = [f"{name}={entry}" for name, entry in value.items()] if isinstance(value, dict) else _words(value, expected)
    found: dict[str, str] = {}
    for word in words:
        name, is_pair, entry = (part.strip() for part in word.partition("="))
        name, entry = (name.lower().replace("-", "_"), entry) if is_pair else ("", name)
        if not entry or name in found or (is_pair and not name):
            raise ValueError(expected)
        found[name] = entry
    return tuple(found.items())


def _words(value: object, expected: str) -> list[str]:
    if isinstance(value, str):
        value = value.strip("[]() ").split(",")
    if not isinstance(value, (list, tuple)) or not all(isinstance(word, str) for word in value):
        raise ValueError(expected)
    stripped = [word.strip(" \"'") for word in value]
    return [word for word in stripped if word]


def handler_list(value: object) -> tuple[object, ...]:
    """Accept a list of handler objects; the caller's list itself is not kept."""
    if not isinstance(value, (list, tuple)):
        raise ValueError("a list of output handlers")
    for entry in value:
        if isinstance(entry, type):
            raise ValueError("output handler objects, not their classes")
        if not any(callable(getattr(entry, name, None)) for name in ("out", "live_out", "task_out", "exit")):
            raise ValueError("a list of output handlers, objects with a method out, live_out, task_out or exit")
    return tuple(value)


def logger_object(value: object) -> object:
    """Accept a logger, or an output handler that wraps one."""
    if callable(getattr(value, "out", None)) or callable(getattr(value, "log", None)):
        return value
    raise ValueError("a logging.Logger or a LoggerOutput")


def split_gpu_ids(words: str) -> list[str]:
    """Split a text such as ``[0, 1]`` or ``GPU-4e81,MIG-f1e`` into the ids it names."""
    return [word for word in re.sub(_NOT_IN_GPU_IDS, "", words).split(",") if word]


def clean_gpu_ids(value: object) -> tuple[list[int | str] | None, list[object]]:
    """Split what was given as GPU ids into the usable ids and the entries that are none.

    Returns:
        The ids, None when nothing usable kind of thing was given, and the refused entries.
    """
    if value is None:
        return None, []
    if isinstance(value, str):
        return list(split_gpu_ids(value)), []
    if isinstance(value, int) and not isinstance(value, bool):
        return [value], []
    if not isinstance(value, (list, tuple)):
        return None, [value]
    ids: list[int | str] = []
    refused: list[object] = []
    for entry in value:
        words = split_gpu_ids(entry) if isinstance(entry, str) else []
        if words:
            ids.extend(words)
        elif isinstance(entry, int) and not isinstance(entry, bool):
            ids.append(entry)
        else:
            refused.append(entry)
    return ids, refused


def gpu_ids(value: object) -> object:
    """Accept GPU ids; entries that are none are dropped with a remark, and ``[]`` means no GPU."""
    ids, refused = clean_gpu_ids(value)
    nothing_named = ids is None or (isinstance(value, str) and not ids)
    result = None if nothing_named else tuple(ids or ())
    if refused:
        return Noted(result, "these are not GPU ids and were left out: " + ", ".join(map(repr, refused)))
    return result
