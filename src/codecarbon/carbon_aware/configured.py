"""Options, operations and planners as the configuration found here makes them."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from codecarbon.errors import InvalidParameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from codecarbon.carbon_aware.decision import Planner
    from codecarbon.carbon_aware.operations import Operations
    from codecarbon.carbon_aware.options import Options

SAMPLE = "sample"
_ENTRIES = "DataSources:Configurations:"


def get_options(
    *, config: str | None = None, profile: str | None = None, source: str | None = None, urls: str | None = None
) -> Options:
    """Read the configuration: files in the working folder or one that is named, the environment, then arguments.

    Args:
        config: A file like ``appsettings.json``; None for those in the working folder.
        profile: The profile; None for that of the configuration.
        source: The name of a configured data source, or a kind of source that needs no settings, such as ``sample``;
            None for the sources that are configured for each role.
        urls: Where a server listens; None for what the configuration says.

    Raises:
        ConfigError: The route prefix does not begin with a slash.
    """
    from codecarbon.carbon_aware.appsettings import load_options

    files = None if config is None else (os.path.abspath(config),)  # noqa: PTH100 (pathlib would change nothing)
    given = {"CarbonAwareVars:Profile": profile, "urls": urls}
    arguments = {key: value for key, value in given.items() if value is not None}
    options = load_options(files, arguments=arguments)
    if source is None:
        return options
    name = source.strip()
    arguments |= {"DataSources:EmissionsDataSource": name, "DataSources:ForecastDataSource": name}
    if not _has_entry(options, name):
        arguments[f"{_ENTRIES}{name}:Type"] = name
    if options.has_builtin_locations:
        arguments["LocationDataSourcesConfiguration:BuiltIn"] = "true"
    return load_options(files, arguments=arguments)


def is_known_source(source: str, *, config: str | None = None) -> bool:
    """Whether a source of this name is configured, or is a kind of source; one that is misspelt is neither."""
    from codecarbon.carbon_aware.sources import TYPES
    from codecarbon.intensity import is_provider

    name = source.strip()
    return name.casefold() in TYPES or is_provider(name) or _has_entry(get_options(config=config), name)


def _has_entry(options: Options, name: str) -> bool:
    entry = f"{_ENTRIES}{name}:".casefold()
    return any(key.casefold().startswith(entry) for key, _, _ in options.effective)


def make_planner(
    *, source: str | None = None, config: str | None = None, clock: Callable[[], float] = time.time
) -> Planner:
    """Make what decides when to start; files are read when it first decides.

    Args:
        source: As for ``get_options``.
        config: As for ``get_options``.
        clock: Seconds since 1970.
    """
    from codecarbon.carbon_aware.decision import Planner

    def make() -> Operations:
        from codecarbon.carbon_aware.context import build_context
        from codecarbon.carbon_aware.operations import Operations

        context = build_context(get_options(config=config, source=source), clock=clock)
        faults = [problem for problem in context.problems if not problem.is_warning]
        if faults and (context.forecast is None or context.options.is_embedded_default):
            raise InvalidParameters((("config", faults[0].sentence),))
        return Operations(context)

    return Planner(make, clock=clock, home=find_home)


def allows_synthetic(source: str | None) -> bool:
    """Whether made-up data may put a job off: only where they were asked for by name."""
    return source is not None and source.strip().casefold() == SAMPLE


def new_seed() -> str:
    """Make what tells this job from all others when starts are spread."""
    return os.urandom(8).hex()


def find_home() -> str:
    """Find where this machine is, as a tracker would, and return the text that stands for it in a question.

    Returns:
        For example ``gcp:europe-west1``, ``USA/california`` or ``FRA``; empty where not even the country is known.

    Raises:
        ConfigError: A setting cannot be used.
    """
    from codecarbon.config import resolve
    from codecarbon.tracker.wiring import locate

    where, _ = locate(resolve({}), offline=False)
    if where.cloud_provider and where.cloud_region:
        return f"{where.cloud_provider}:{where.cloud_region}"
    code = where.country_iso_code or ""
    return f"{code}/{where.region}" if code and where.region else code
