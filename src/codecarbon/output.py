"""Old path of the output handlers and of the records they get."""

from codecarbon.handlers import BaseOutput, FileOutput, GoogleCloudLoggerOutput, LoggerOutput, OutputMethod
from codecarbon.model import EmissionsData, TaskEmissionsData

__all__ = [
    "BaseOutput",
    "EmissionsData",
    "FileOutput",
    "GoogleCloudLoggerOutput",
    "LoggerOutput",
    "OutputMethod",
    "TaskEmissionsData",
]
