"""The command line: ``codecarbon monitor`` and ``codecarbon detect``."""
