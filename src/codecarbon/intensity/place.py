"""Put a place together from what was given, or from what the machine's files say."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from codecarbon import data
from codecarbon.errors import LocationError
from codecarbon.intensity.static import check_country
from codecarbon.model import Location

if TYPE_CHECKING:
    from collections.abc import Mapping


class GivenPlace(NamedTuple):
    """What somebody said about the place; None where nobody did.

    Attributes:
        country_iso_code: ISO 3166-1 alpha-3, in either case.
        region: State, province or bidding zone.
        cloud_provider: For example ``gcp``.
        cloud_region: For example ``europe-west1``.
        country_2letter_iso_code: ISO 3166-1 alpha-2, in either case.
        origins: Who said so, by attribute name, for example ``constructor``.
    """

    country_iso_code: str | None = None
    region: str | None = None
    cloud_provider: str | None = None
    cloud_region: str | None = None
    country_2letter_iso_code: str | None = None
    origins: Mapping[str, str] = {}

    def origin(self, *names: str) -> str:
        """Who said the named parts, without repetition."""
        found = [self.origins.get(name, "constructor") for name in names if getattr(self, name)]
        return ", ".join(dict.fromkeys(found)) or "unknown"


def find_place(
    given: GivenPlace | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    sysfs: str = "/sys",
    root: str = "/",
    may_guess: bool = True,
) -> Location:
    """Find the place whose electricity is used; reads files at most, never the network.

    What was given comes first: a cloud region, then a country. With neither, the cloud that the machine's files
    name, then the country of its time zone; both are marked as guesses. A region that was given without its country
    belongs to the guessed one.

    Args:
        given: What somebody said.
        environ: The environment; the process' own when None.
        sysfs: Root of sysfs.
        root: Folder that stands for ``/`` when files outside sysfs are read.
        may_guess: Whether to look at the machine at all when nothing was given.
    """
    given = given or GivenPlace()
    if given.cloud_provider and given.cloud_region:
        return _given_cloud(given)
    if given.country_iso_code or given.country_2letter_iso_code:
        return _given_country(given)
    environ = os.environ if environ is None else environ
    guess = _guess(environ, sysfs, root) if may_guess else None
    if guess is None:
        return Location(region=_lower(given.region), origin=given.origin("region"))
    if not given.region:
        return guess
    origin = f"{guess.origin}; region: {given.origin('region')}"
    return _at(guess.country_iso_code, _lower(given.region), origin, is_guess=True)


def place_problems(given: GivenPlace) -> tuple[str, ...]:
    """Say what is wrong with a given place, one sentence each; what to log before pricing with something else."""
    problems = []
    if given.country_iso_code:
        problems += _country_problems(given.country_iso_code)
    if given.cloud_provider and not given.cloud_region:
        problems.append(f"cloud_provider={given.cloud_provider!r} needs cloud_region as well: it is not used")
    if given.cloud_region and not given.cloud_provider:
        problems.append(f"cloud_region={given.cloud_region!r} needs cloud_provider as well: it is not used")
    if given.cloud_provider and given.cloud_region:
        cloud = data.find_cloud_region(given.cloud_provider, given.cloud_region)
        label = f"{given.cloud_provider}:{given.cloud_region}"
        if cloud is None:
            problems.append(f"the cloud region {label} is unknown: the country's figure is used")
        elif cloud.intensity is None:
            problems.append(f"no figure is published for the cloud region {label}: the country's figure is used")
    return tuple(problems)


def _country_problems(code: str) -> list[str]:
    try:
        check_country(code)
    except LocationError as error:
        country = data.find_country(code)
        if country is None:
            return [str(error)]
        return [f"country_iso_code={code!r} has two letters: it is taken for {country.iso3} ({country.name})"]
    return []


def _given_cloud(given: GivenPlace) -> Location:
    provider, region = _lower(given.cloud_provider) or "", _lower(given.cloud_region) or ""
    origin = given.origin("cloud_provider", "cloud_region")
    cloud = data.find_cloud_region(provider, region)
    said = given.country_iso_code or given.country_2letter_iso_code
    if cloud is None or (said and cloud.intensity is None):
        origin = given.origin("cloud_provider", "cloud_region", "country_iso_code", "country_2letter_iso_code")
        return _at(_iso3(given), _lower(given.region), origin, cloud=(provider, region))
    return _at(cloud.country_iso_code, _lower(cloud.state or cloud.city), origin, cloud=(provider, region))


def _given_country(given: GivenPlace) -> Location:
    origin = given.origin("country_iso_code", "country_2letter_iso_code", "region")
    return _at(_iso3(given), _lower(given.region), origin)


def _guess(environ: Mapping[str, str], sysfs: str, root: str) -> Location | None:
    # Only a run whose place nobody told reads the machine's files.
    from codecarbon.intensity.cloud_hints import find_cloud_hint
    from codecarbon.intensity.time_zone import find_time_zone_country

    hint = find_cloud_hint(environ, sysfs=sysfs, root=root)
    cloud = data.find_cloud_region(hint.provider, hint.region) if hint is not None and hint.region else None
    if hint is not None and hint.region and cloud is not None:
        region = _lower(cloud.state or cloud.city)
        origin = f"guessed from {hint.origin}: {hint.provider} {hint.region}"
        if cloud.intensity is None:
            # As codecarbon 3 did: clouds that publish no figure count as private machines in their country.
            return _at(cloud.country_iso_code, region, origin, is_guess=True)
        return _at(cloud.country_iso_code, region, origin, cloud=(cloud.provider, cloud.name), is_guess=True)
    found = find_time_zone_country(environ, root=root)
    if found is None:
        return None
    country = data.find_country(found[0])
    if country is None:
        return None
    return _at(country.iso3, None, f"guessed from the time zone {found[1]}", is_guess=True)


def _at(
    iso3: str | None,
    region: str | None,
    origin: str,
    *,
    cloud: tuple[str, str] = ("", ""),
    is_guess: bool = False,
) -> Location:
    country = data.find_country(iso3) if iso3 else None
    return Location(
        country_iso_code=country.iso3 if country else iso3,
        country_name=country.name if country else None,
        region=region,
        cloud_provider=cloud[0],
        cloud_region=cloud[1],
        country_2letter_iso_code=country.iso2 if country else None,
        origin=origin,
        is_guess=is_guess,
    )


def _iso3(given: GivenPlace) -> str | None:
    """The given country as alpha-3; a code that is unknown stays as it was given, so that it can be named."""
    code = (given.country_iso_code or "").strip().upper()
    if code:
        return code
    country = data.find_country(given.country_2letter_iso_code or "")
    return country.iso3 if country else None


def _lower(text: str | None) -> str | None:
    return text.strip().lower() or None if text else None
