"""Everything that operations work with, made once from the settings."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codecarbon.carbon_aware.locations import LocationTable
from codecarbon.carbon_aware.options import ConfigProblem, Options
from codecarbon.intensity.provider import IntensityProvider
from codecarbon.record import FrozenRecord

if TYPE_CHECKING:
    import requests

    from codecarbon.carbon_aware.sources import Sources


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Context(FrozenRecord):
    """Settings, places, sources and clock.

    Attributes:
        options: The settings.
        locations: The places.
        emissions: Where observed values come from, or None.
        forecast: Where forecasts come from, or None; often the same object.
        clock: Seconds since 1970.
        problems: What cannot be used, of the settings and of everything they name.
        closers: What ends the connections of the sources.
    """

    options: Options
    locations: LocationTable
    emissions: IntensityProvider | None
    forecast: IntensityProvider | None
    clock: Callable[[], float] = time.time
    problems: tuple[ConfigProblem, ...] = ()
    closers: tuple[Callable[[], None], ...] = ()


def build_context(
    options: Options,
    *,
    clock: Callable[[], float] = time.time,
    adapter: requests.adapters.BaseAdapter | None = None,
) -> Context:
    """Read the location files and make the sources that the settings name.

    Nothing is asked of a network. Whatever cannot be used is left out and named in ``problems``.

    Args:
        options: The settings.
        clock: Seconds since 1970.
        adapter: Stands in for the network, in tests.
    """
    from codecarbon.carbon_aware.locations import load_locations
    from codecarbon.carbon_aware.sources import make_sources

    table, location_problems = load_locations(options)
    sources = make_sources(options, clock=clock, adapter=adapter)
    problems = (*options.problems, *location_problems, *sources.problems, *_no_places(table, sources))
    return Context(options, table, sources.emissions, sources.forecast, clock, problems, sources.closers)


def _no_places(table: LocationTable, sources: Sources) -> tuple[ConfigProblem, ...]:
    """Warn when no key of a place can be asked for; data files have keys of their own."""
    from codecarbon.carbon_aware.locations import FILES_KEY

    configured = [source for source in (sources.emissions, sources.forecast) if source is not None]
    if table.by_key or all(source.name == "json_file" for source in configured):
        return ()
    message = "no location is known, so that every key is refused: name a file of locations that has some"
    return (ConfigProblem(FILES_KEY, message, is_warning=True),)
