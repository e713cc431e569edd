"""Old path of the handler interface."""

from codecarbon.handlers import BaseOutput, OutputMethod

__all__ = ["BaseOutput", "OutputMethod"]
