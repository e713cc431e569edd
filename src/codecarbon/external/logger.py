"""Old path of the logger."""

from codecarbon.config import logger, set_logger_format, set_logger_level

__all__ = ["logger", "set_logger_format", "set_logger_level"]
