"""Settings: one table, where each value came from, and the logger that says what was odd about it."""

from codecarbon.config.log import (
    announce,
    forget_warnings,
    logger,
    set_logger_format,
    set_logger_level,
    set_up_logging,
    warn_once,
)
from codecarbon.config.methods import LOCAL_PROVIDERS, PLUGIN_GROUP, OutputMethod
from codecarbon.config.resolve import hide_secrets, merge_arguments, resolve
from codecarbon.config.sources import environment_values, file_paths, file_values
from codecarbon.config.table import BY_NAME, POSITIONAL, SETTINGS, Notice, Setting, Settings
from codecarbon.config.values import UNSET, Secret, Unset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codecarbon.config.signature import build_decorator_signature, build_signature

__all__ = [
    "BY_NAME",
    "LOCAL_PROVIDERS",
    "PLUGIN_GROUP",
    "POSITIONAL",
    "SETTINGS",
    "UNSET",
    "Notice",
    "OutputMethod",
    "Secret",
    "Setting",
    "Settings",
    "Unset",
    "announce",
    "build_decorator_signature",
    "build_signature",
    "environment_values",
    "file_paths",
    "file_values",
    "forget_warnings",
    "hide_secrets",
    "logger",
    "merge_arguments",
    "resolve",
    "set_logger_format",
    "set_logger_level",
    "set_up_logging",
    "warn_once",
]


def __getattr__(name: str) -> object:
    # Only decorators and help() need signatures.
    if name in {"build_decorator_signature", "build_signature"}:
        from codecarbon.config import signature

        return getattr(signature, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
