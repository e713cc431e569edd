"""urllib3 logs whole addresses, and each further try as a warning: this takes out the secrets, and the noise."""

from __future__ import annotations

import logging

from codecarbon.transport.redact import redact
from codecarbon.transport.retry import PacedRetry

logger = logging.getLogger(__name__)


class _Hush(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Drop what tells of a try of ours, which the caller hears of when none is left; redact the rest."""
        arguments = record.args if isinstance(record.args, tuple) else ()
        text = redact(record.getMessage())
        if any(isinstance(argument, PacedRetry) for argument in arguments):
            logger.debug("%s", text)
            return False
        record.msg, record.args = text, ()
        return True


_hush = _Hush()


def hush_urllib3() -> None:
    """Put the filter in place; a second time does nothing."""
    for name in ("urllib3.connectionpool", "urllib3.util.retry"):
        logging.getLogger(name).addFilter(_hush)
