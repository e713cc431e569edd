"""Old path of the CSV handler."""

from codecarbon.handlers import FileOutput

__all__ = ["FileOutput"]
