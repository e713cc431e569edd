"""The logger ``codecarbon``: what the library says, and how loudly.

Modules log to ``logging.getLogger(__name__)``. Importing the package prints nothing; a tracker attaches one handler
for standard error to the logger ``codecarbon``. The root logger is never touched, nor a handler of the user's.
"""

from __future__ import annotations

import logging
import math
import sys
import time
import warnings
from typing import TYPE_CHECKING, NamedTuple

from codecarbon.config import parsers

if TYPE_CHECKING:
    from codecarbon.config.table import Settings

LOGGER_NAME = "codecarbon"
DATE_FORMAT = "%H:%M:%S"

logger = logging.getLogger(LOGGER_NAME)
logger.addHandler(logging.NullHandler())


class _Moment(NamedTuple):
    monotonic_s: float


_said: dict[str, _Moment] = {}


class ConsoleHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to whatever ``sys.stderr`` is at that moment, so that replacing it keeps working."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self):  # type: ignore[no-untyped-def]  # noqa: ANN201 (the base class has it as an attribute)
        """The present standard error."""
        return sys.stderr


def set_up_logging(settings: Settings) -> None:
    """Apply a tracker's log settings.

    A level that was given anywhere is set. The default is set only while the logger has none, so that neither a level
    that the program chose nor that of an earlier tracker is reset.
    """
    set_logger_format(settings.logger_preamble)
    if settings.origin("log_level") != "default" or logger.level == logging.NOTSET:
        set_logger_level(settings.log_level)


def set_logger_format(custom_preamble: str | None = "") -> None:
    """Attach the console handler if none is there, and give it the format with this preamble."""
    ours = [handler for handler in logger.handlers if isinstance(handler, ConsoleHandler)]
    if not ours:
        if any(_writes_to_console(handler) for handler in logger.handlers):
            return  # the user has arranged for a console already; a second one would say everything twice
        ours = [ConsoleHandler()]
        logger.addHandler(ours[0])
        logger.propagate = False
    preamble = f"[{custom_preamble}]".replace("%", "%%") if custom_preamble else ""
    formatter = logging.Formatter(f"[codecarbon %(levelname)s @ %(asctime)s]{preamble} %(message)s", DATE_FORMAT)
    for handler in ours:
        handler.setFormatter(formatter)


def set_logger_level(level: str | int | None = None) -> None:
    """Set the level by name, in any case, or by number; an unknown one is logged and changes nothing."""
    if level is None:
        return
    try:
        known = parsers.log_level(level)
    except ValueError as error:
        logger.error("Unknown log level %r: expected %s", level, error)  # noqa: TRY400 (the text says it all)
        return
    logger.setLevel(known if isinstance(known, int) else known.upper())


def announce(settings: Settings) -> None:
    """Tell the user what ``resolve`` noticed; once per process for each thing."""
    for notice in settings.notices:
        if not notice.level:
            warnings.warn(notice.text, DeprecationWarning, stacklevel=_depth_of_caller())
        elif not notice.key or _is_news(notice.key):
            logger.log(notice.level, notice.text.replace("%", "%%"))


def warn_once(
    key: str,
    message: str,
    *args: object,
    level: int = logging.WARNING,
    again_after_s: float = math.inf,
    log: logging.Logger = logger,
) -> bool:
    """Log a message unless one of the same cause was logged before.

    Args:
        key: The cause; process-wide.
        message: Text with ``%`` placeholders for ``args``.
        args: What fills them.
        level: Level of the message.
        again_after_s: From when on it is news again, seconds.
        log: Whose level decides whether it shows.

    Returns:
        Whether it was logged now.
    """
    if not _is_news(key, again_after_s):
        return False
    log.log(level, message, *args)
    return True


def forget_warnings() -> None:
    """Let everything be said once more; for tests and long-lived hosts."""
    _said.clear()


def _is_news(key: str, again_after_s: float = math.inf) -> bool:
    now = _Moment(time.monotonic())
    said = _said.setdefault(key, now)  # atomic: one of two threads wins
    if said is now:
        return True
    is_old = now.monotonic_s - said.monotonic_s >= again_after_s
    if is_old:
        _said[key] = now
    return is_old


def _writes_to_console(handler: logging.Handler) -> bool:
    return isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler)


def _depth_of_caller() -> int:
    """Count the frames up to the first one outside this package, for the line a warning names."""
    depth = 1
    frame = sys._getframe(1)  # noqa: SLF001 (CPython only, like this package)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).split(".")[0] == LOGGER_NAME:
        frame = frame.f_back
        depth += 1
    return depth
