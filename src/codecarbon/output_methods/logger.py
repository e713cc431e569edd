"""Old path of the logger handlers."""

from codecarbon.handlers import GoogleCloudLoggerOutput, LoggerOutput

__all__ = ["GoogleCloudLoggerOutput", "LoggerOutput"]
