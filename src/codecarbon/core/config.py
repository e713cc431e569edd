"""Old path of the functions that read settings as plain texts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from codecarbon.config import environment_values, file_paths, file_values, logger
from codecarbon.config.parsers import clean_gpu_ids, split_gpu_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["clean_env_key", "get_hierarchical_config", "normalize_gpu_ids", "parse_env_config", "parse_gpu_ids"]


def clean_env_key(k: str) -> str:
    """The setting's name in an environment variable's name."""
    if not isinstance(k, str):
        raise AssertionError(f"the name of a variable must be a text, not {k!r}")  # noqa: TRY004 (as in version 3)
    return k.lower().replace("codecarbon_", "", 1)


def parse_env_config() -> dict[str, dict[str, str]]:
    """The settings in the environment, in a section as a file would have them."""
    return {"codecarbon": environment_values(os.environ)}


def get_hierarchical_config() -> dict[str, str]:
    """The settings in both files and the environment, as texts; the environment wins, then the working folder."""
    merged: dict[str, str] = {}
    for path in reversed(file_paths()):
        values = file_values(path)
        if values is not None:
            logger.info("Settings are read from %s", path)
            merged.update(values)
    merged.update(environment_values(os.environ))
    return merged


def parse_gpu_ids(gpu_ids_str: str) -> list[str]:
    """The GPU ids that a text names."""
    return split_gpu_ids(gpu_ids_str)


def normalize_gpu_ids(gpu_ids: str | int | Sequence[int | str] | None) -> list[int | str] | None:
    """The usable GPU ids among what was given; what is none is logged and left out."""
    ids, refused = clean_gpu_ids(gpu_ids)
    if refused:
        logger.warning("These are not GPU ids and were left out: %s", ", ".join(map(repr, refused)))
    return ids
