"""Output handlers and what calls them."""

from codecarbon.config import OutputMethod
from codecarbon.handlers.base import BaseOutput
from codecarbon.handlers.dispatcher import Dispatcher, HandlerFault
from codecarbon.handlers.file import FileOutput, backup_file
from codecarbon.handlers.locking import Lock, default_lock_path
from codecarbon.handlers.logger import GoogleCloudLoggerOutput, LoggerOutput
from codecarbon.handlers.registry import build_handlers

__all__ = [
    "BaseOutput",
    "Dispatcher",
    "FileOutput",
    "GoogleCloudLoggerOutput",
    "HandlerFault",
    "Lock",
    "LoggerOutput",
    "OutputMethod",
    "backup_file",
    "build_handlers",
    "default_lock_path",
]
