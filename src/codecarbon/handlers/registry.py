"""From the names in ``output_methods`` to handler objects."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from codecarbon.config import PLUGIN_GROUP, OutputMethod, Settings
from codecarbon.errors import OutputPathError
from codecarbon.handlers.file import FileOutput

if TYPE_CHECKING:
    from collections.abc import Callable


def build_handlers(settings: Settings) -> list[Any]:
    """Make the handlers that the settings ask for.

    The user's own come first, then the named ones in their fixed order, then those of other distributions. The one that
    offsets is there if there is a key for it; it comes last, so that no purchase keeps another one waiting.

    Raises:
        ConfigError: What is said about offsets does not fit together.
        OutputPathError: A folder or file for results is the wrong kind of file.
    """
    named = [_BUILDERS[method](settings) for method in _BUILDERS if method in settings.output_methods]
    plugins = [_plugin(name, settings) for name in settings.output_methods if not isinstance(name, OutputMethod)]
    offsets = [_offset(settings)] if settings.offset_api_key else []
    return [*settings.output_handlers, *named, *plugins, *offsets]


def _csv(settings: Settings) -> FileOutput:
    try:
        return FileOutput(settings.output_file, settings.output_dir, settings.on_csv_write)
    except OutputPathError as error:
        raise OutputPathError(error.field, error.value, settings.origin(error.field), error.expected) from error


def _logger(settings: Settings) -> Any:
    from codecarbon.handlers.logger import as_output

    target = settings.logging_logger
    return as_output(logging.getLogger("codecarbon") if target is None else target)


def _offset(settings: Settings) -> Any:
    from codecarbon.handlers.offset.handler import OffsetOutput
    from codecarbon.handlers.offset.plan import make_plan

    return OffsetOutput(make_plan(settings))


def _plugin(name: str, settings: Settings) -> Any:
    """Make a handler of another distribution: its factory is called with the settings."""
    from codecarbon.config.plugins import announced

    return announced(PLUGIN_GROUP, name)[0].load()(settings)


_BUILDERS: dict[OutputMethod, Callable[[Settings], Any]] = {OutputMethod.CSV: _csv, OutputMethod.LOGGER: _logger}
