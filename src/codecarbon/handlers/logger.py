"""Results as log records, one JSON object each."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from codecarbon.handlers.base import BaseOutput

if TYPE_CHECKING:
    from codecarbon.model import EmissionsData


class LoggerOutput(BaseOutput):
    """Logs the total as one JSON object.

    Args:
        logger: The logger to write to.
        severity: The level of the records.
    """

    def __init__(self, logger: Any, severity: int = logging.INFO) -> None:
        self.logger = logger
        self.logging_severity = severity

    def out(self, total: EmissionsData, delta: EmissionsData) -> None:  # noqa: ARG002 (records are cumulative)
        """Log the total."""
        self.logger.log(self.logging_severity, "%s", json.dumps(total.values))

    def live_out(self, total: EmissionsData, delta: EmissionsData) -> None:
        """Log the total."""
        self.out(total, delta)


class GoogleCloudLoggerOutput(LoggerOutput):
    """Logs the total as a structured entry of Google Cloud Logging.

    Args:
        logger: A logger of ``google.cloud.logging``, which has a method ``log_struct``.
        severity: The level of the entries.
    """

    def out(self, total: EmissionsData, delta: EmissionsData) -> None:  # noqa: ARG002 (records are cumulative)
        """Log the total."""
        self.logger.log_struct(total.values, severity=logging.getLevelName(self.logging_severity))


def as_output(target: Any) -> BaseOutput:
    """Make an output of a logger; an output is returned as it is."""
    if callable(getattr(target, "out", None)):
        return target  # type: ignore[no-any-return]
    if callable(getattr(target, "log_struct", None)):
        return GoogleCloudLoggerOutput(target)
    return LoggerOutput(target)
