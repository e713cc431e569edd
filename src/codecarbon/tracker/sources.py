"""From settings to the live sources of carbon intensity of a run; only loaded when the settings name one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from codecarbon.config import LOCAL_PROVIDERS, file_paths
from codecarbon.errors import ConfigError
from codecarbon.intensity import BUILT_IN_PROVIDERS, check_signals, get_provider_class, get_signal, is_provider
from codecarbon.tracker.live import LiveIntensity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from codecarbon.config import Settings
    from codecarbon.intensity import IntensityProvider
    from codecarbon.model import Intensity, Location

_NOT_FOR_RUNS = {
    "constant": "force_carbon_intensity_g_co2e_kwh in its place, for a constant value",
    "sample": "another source: its values are made up and price no run",
}
_NEEDS = {
    "electricity_maps": ("electricitymaps_api_token",),
    "electricity_maps_free": ("electricitymaps_api_token",),
    "watttime": ("watttime_username", "watttime_password"),
    "json_file": ("intensity_file",),
}


def source_names(settings: Settings, *, offline: bool) -> tuple[str, ...]:
    """List the live sources that a run asks, in order; none when the yearly averages or a forced value price it."""
    if settings.force_carbon_intensity_g_co2e_kwh is not None:
        return ()
    names = settings.intensity_providers
    if names is None:
        names = ("electricity_maps",) if settings.electricitymaps_api_token else ()
    if "static" in names:
        names = names[: names.index("static")]  # it always has an answer, so nobody behind it is asked
    return tuple(name for name in names if not offline or name in LOCAL_PROVIDERS)


def check_sources(settings: Settings, *, offline: bool) -> None:
    """Check what the settings say about sources.

    Raises:
        ConfigError: A source is unknown or not for runs, lacks what it needs, its address cannot be used, or two
            sources mean different things.
    """
    origin = settings.origin("intensity_providers")
    for name in settings.intensity_providers or ():
        _check_name(name, origin)
    for name in dict([*settings.intensity_zones, *settings.intensity_urls]):
        if name and not is_provider(name):
            field = "intensity_zones" if name in dict(settings.intensity_zones) else "intensity_urls"
            raise ConfigError(field, name, settings.origin(field), "names of sources: " + ", ".join(BUILT_IN_PROVIDERS))
    _check_urls(settings)
    names = source_names(settings, offline=offline)
    for name in names:
        for field in _NEEDS.get(name, ()):
            if not getattr(settings, field):
                raise ConfigError(field, None, settings.origin(field), f"a value, since the source {name} needs it")
    zones = dict(settings.intensity_zones)
    if "watttime" in names and not (zones.get("watttime") or zones.get("")):
        # It finds regions by coordinates, and a run knows a country or a cloud region at best.
        field, example = "intensity_zones", "watttime=CAISO_NORTH"
        raise ConfigError(field, dict(zones), settings.origin(field), f"the region at WattTime, for example {example}")
    check_signals([(name, get_signal(name)) for name in names], origin=origin)


def make_live(settings: Settings, location: Location, fallback: Intensity, *, offline: bool) -> LiveIntensity | None:
    """Make what prices a run over time, or None when nothing live does.

    Args:
        settings: The settings, which were checked.
        location: The place.
        fallback: What prices slots for which no source has a value.
        offline: Whether no network may be used.
    """
    names = source_names(settings, offline=offline)
    if not names:
        return None
    zones = dict(settings.intensity_zones)
    place = replace(location, zone=zones.pop("", location.zone), zones=(*location.zones, *zones.items()))
    return LiveIntensity(_maker(settings, names), place, fallback, signal=get_signal(names[0]))


def _check_name(name: str, origin: str) -> None:
    if name in _NOT_FOR_RUNS:
        raise ConfigError("intensity_providers", name, origin, _NOT_FOR_RUNS[name])
    if not is_provider(name):
        known = [entry for entry in BUILT_IN_PROVIDERS if entry not in _NOT_FOR_RUNS]
        raise ConfigError("intensity_providers", name, origin, "names of sources: " + ", ".join(known))


def _check_urls(settings: Settings) -> None:
    """Refuse addresses that would send a token where its owner did not mean it to go."""
    if not settings.intensity_urls:
        return
    origin = settings.origin("intensity_urls")
    project_file, *home_file = file_paths()
    if origin == project_file and home_file:
        raise ConfigError(
            "intensity_urls",
            dict(settings.intensity_urls),
            origin,
            "the constructor, the environment or the file in the home folder to give it: credentials go there",
        )
    for name, url in settings.intensity_urls:
        parts = urlsplit(url)
        if not name or parts.scheme not in {"http", "https"} or not parts.netloc:
            raise ConfigError("intensity_urls", f"{name}={url}", origin, "pairs such as electricity_maps=https://host/")


def _maker(settings: Settings, names: tuple[str, ...]) -> Callable[[], list[IntensityProvider]]:
    def make() -> list[IntensityProvider]:
        urls = dict(settings.intensity_urls)
        return [_provider(name, settings, urls) for name in names]

    return make


def _provider(name: str, settings: Settings, urls: Mapping[str, str]) -> IntensityProvider:
    options: dict[str, Any] = {"base_url": urls[name]} if name in urls else {}
    make = get_provider_class(name)
    if name == "json_file":
        return make(settings.intensity_file)
    if name not in BUILT_IN_PROVIDERS:
        return make()
    from codecarbon.transport import DiskCache

    options["cache"] = DiskCache()
    token, password = settings.electricitymaps_api_token, settings.watttime_password
    if name in {"electricity_maps", "electricity_maps_free"} and token:
        return make(token.reveal(), **options)
    if name == "watttime" and password:
        return make(settings.watttime_username, password.reveal(), **options)
    return make(**options)
