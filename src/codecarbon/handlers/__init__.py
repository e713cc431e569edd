"""Output handlers and what calls them."""

from codecarbon.config import OutputMethod
from codecarbon.handlers.base import BaseOutput, RunView
from codecarbon.handlers.dispatcher import Dispatcher, HandlerFault
from codecarbon.handlers.file import FileOutput, backup_file
from codecarbon.handlers.locking import Lock, default_lock_path
from codecarbon.handlers.registry import build_handlers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codecarbon.handlers.logger import GoogleCloudLoggerOutput, LoggerOutput

__all__ = [
    "BaseOutput",
    "Dispatcher",
    "FileOutput",
    "GoogleCloudLoggerOutput",
    "HandlerFault",
    "Lock",
    "LoggerOutput",
    "OutputMethod",
    "RunView",
    "backup_file",
    "build_handlers",
    "default_lock_path",
]


def __getattr__(name: str) -> object:
    # Most runs write a file only.
    if name in {"GoogleCloudLoggerOutput", "LoggerOutput"}:
        from codecarbon.handlers import logger

        return getattr(logger, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
