"""From settings to the parts of a tracker: what to measure, where it is, and what that costs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from codecarbon._version import __version__
from codecarbon.errors import SensorError
from codecarbon.intensity import GivenPlace, find_place, place_problems
from codecarbon.tracker.pricing import Pricer
from codecarbon.tracker.rows import gpu_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codecarbon.config import Settings
    from codecarbon.measure import Session
    from codecarbon.model import GpuFacts, Location

logger = logging.getLogger("codecarbon")
_PLACE = ("country_iso_code", "region", "cloud_provider", "cloud_region", "country_2letter_iso_code")


def open_session(settings: Settings) -> Session:
    """A session that measures what a tracker with these settings wants."""
    from codecarbon.hardware import make_request
    from codecarbon.measure import Session

    return Session(make_request(settings))


def locate(settings: Settings, *, offline: bool) -> tuple[Location, tuple[str, ...]]:
    """Find the place.

    Args:
        settings: The settings.
        offline: Whether the user must name the place; then nothing is guessed.

    Returns:
        The place, and what is wrong with how it was given, one sentence each.
    """
    named = {name: getattr(settings, name) for name in _PLACE}
    given = GivenPlace(**named, origins={name: settings.origin(name) for name in _PLACE})
    return find_place(given, sysfs=settings.sysfs_root, may_guess=not offline), place_problems(given)


def make_pricer(settings: Settings, *, offline: bool) -> Pricer:
    """Find the place and its intensity, and say what is odd about them; arguments as for ``locate``."""
    location, problems = locate(settings, offline=offline)
    for problem in problems:
        logger.error("%s", problem)
    forced = settings.force_carbon_intensity_g_co2e_kwh
    pricer = Pricer(location, force_g_per_kwh=forced, pue_ratio=settings.pue, wue_l_per_kwh=settings.wue)
    if forced is None:
        _tell_place(location, pricer)
    if names_sources(settings):
        from codecarbon.tracker.sources import make_live

        pricer.live = make_live(settings, location, pricer.intensity, offline=offline)
    return pricer


def names_sources(settings: Settings) -> bool:
    """Whether the settings say anything about live carbon intensity; when not, nothing about it is loaded."""
    return bool(settings.intensity_providers or settings.electricitymaps_api_token or settings.intensity_urls)


def check_sources(settings: Settings, *, offline: bool) -> None:
    """Check what the settings say about live carbon intensity.

    Raises:
        ConfigError: It cannot be used.
    """
    if names_sources(settings) or settings.intensity_zones:
        from codecarbon.tracker import sources

        sources.check_sources(settings, offline=offline)


def _tell_place(location: Location, pricer: Pricer) -> None:
    intensity = pricer.intensity
    if location.is_guess:
        logger.info("Place %s was %s; give country_iso_code to be sure", location.label, location.origin)
    if intensity.note:
        logger.warning("Carbon intensity %g g/kWh: %s", intensity.intensity_g_per_kwh, intensity.note)


def find_gpus(settings: Settings) -> tuple[GpuFacts, ...]:
    """The graphics cards that a run would count. Waits for their library, so this is not for a run itself."""
    from codecarbon.hardware.gpu import gpu_facts, open_library, select_gpus

    try:
        library = open_library(settings.nvml_library)
    except SensorError as error:
        logger.debug("No graphics cards: %s", error)
        return ()
    return tuple(gpu_facts(device) for device in select_gpus(library.devices(), settings.gpu_ids).devices)


def gpu_conf(gpus: Sequence[GpuFacts]) -> dict[str, Any]:
    """What ``tracker._conf`` says about graphics cards."""
    return {"gpu_count": len(gpus), "gpu_model": gpu_label(gpus)}


def conf_of(settings: Settings) -> dict[str, Any]:
    """The dictionary that users know as ``tracker._conf``."""
    return {**settings.as_dict(), "codecarbon_version": __version__}


def hardware_conf(session: Session, location: Location) -> dict[str, Any]:
    """What ``tracker._conf`` holds beside the settings once the machine is known."""
    facts = session.facts
    conf: dict[str, Any] = {
        "os": facts.os,
        "python_version": facts.python_version,
        "cpu_count": facts.cpu_count,
        "cpu_physical_count": facts.cpu_physical_count,
        "cpu_model": facts.cpu_model,
        **gpu_conf(session.gpus),
        "ram_total_size": facts.ram_total_gib,
        "hardware": [
            f"{finding.name} ({finding.interface})"
            for finding in session.findings()
            if finding.state in ("live", "dormant", "model")
        ],
    }
    if location.cloud_provider:
        conf.update(region=location.cloud_region, provider=location.cloud_provider)
    elif location.longitude_deg is not None and location.latitude_deg is not None:
        conf.update(longitude=location.longitude_deg, latitude=location.latitude_deg)
    return conf
