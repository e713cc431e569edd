"""The ways of writing results that have a name."""

from __future__ import annotations

from enum import Enum

PLUGIN_GROUP = "codecarbon.handlers"
"""Entry point group in which other distributions announce handlers by name."""


LOCAL_PROVIDERS = frozenset({"static", "json_file"})
"""The sources of carbon intensity that ask no network, so that an offline tracker may use them."""


class OutputMethod(str, Enum):
    """Where results go; the values are the names used in ``output_methods``."""

    CSV = "csv"
    API = "api"
    LOGGER = "logger"
    PROMETHEUS = "prometheus"
    LOGFIRE = "logfire"
    BOAMPS = "boamps"


# What a run must be told when it asks for a method that this version does not have yet.
UNBUILT_METHODS = {
    OutputMethod.API: "nothing will be uploaded to the CodeCarbon API",
    OutputMethod.PROMETHEUS: "nothing will be pushed to Prometheus",
    OutputMethod.LOGFIRE: "nothing will be sent to Logfire",
    OutputMethod.BOAMPS: "no BoAmps report will be written",
}

SAVE_TO_FLAGS = {
    "save_to_file": OutputMethod.CSV,
    "save_to_api": OutputMethod.API,
    "save_to_logger": OutputMethod.LOGGER,
    "save_to_prometheus": OutputMethod.PROMETHEUS,
    "save_to_logfire": OutputMethod.LOGFIRE,
}


def is_plugin(name: str) -> bool:
    """Whether an installed distribution announces a handler of this name."""
    from codecarbon.config.plugins import announced

    return bool(announced(PLUGIN_GROUP, name))
