"""How Electricity Maps is asked: its addresses, the header each of them wants, and how a place is named."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from codecarbon.errors import ConfigError
from codecarbon.intensity.zones import coordinates_deg, country_code, named_zone, outside

if TYPE_CHECKING:
    from codecarbon.model import Location

BASE_URL = "https://api.electricitymaps.com/v3/"
# All of these want the header `auth-token`; the second is the service's older name, the third retired.
TOKEN_HEADER = "auth-token"  # noqa: S105 (a header's name)
TOKEN_BASES = frozenset({BASE_URL, "https://api.electricitymap.org/v3/"})
TRIAL_BASE, TRIAL_HEADER = "https://api-access.electricitymaps.com/", "X-BLOBR-KEY"
# Countries that have several zones and, as a whole, often none.
_SPLIT = frozenset(
    {"AU", "BR", "CA", "DK", "ES", "GB", "ID", "IN", "IT", "JP", "MY", "NO", "NZ", "PH", "RU", "SE", "US"}
)
# Which of our regions are zones of theirs: the price areas of the north, and Canada's provinces.
_AREAS = frozenset({"DK1", "DK2", "NO1", "NO2", "NO3", "NO4", "NO5", "SE1", "SE2", "SE3", "SE4"})
_PROVINCES = {
    "alberta": "AB",
    "british columbia": "BC",
    "manitoba": "MB",
    "new brunswick": "NB",
    "nova scotia": "NS",
    "ontario": "ON",
    "prince edward island": "PE",
    "quebec": "QC",
    "québec": "QC",
    "saskatchewan": "SK",
}


class Place(NamedTuple):
    """How a place is asked for.

    Attributes:
        params: The query that names it.
        zone: The zone that the answer must be for; empty when only the answer tells.
        country: Else the country in which that zone must be, alpha-2; empty when it is not known.
        label: For messages.
        otherwise: The query that names it by coordinates, for when the service does not know the cloud region.
    """

    params: tuple[tuple[str, str], ...]
    zone: str
    country: str
    label: str
    otherwise: tuple[tuple[str, str], ...] = ()


def check_auth(base_url: str, header: str, token: str, *, origin: str = "constructor") -> None:
    """Check that address, header and token go together.

    The service's own address wants ``auth-token`` and that of its trial ``X-BLOBR-KEY``; any other address, such as
    that of a trial with the user's own path, takes any header.

    Args:
        base_url: The service's address.
        header: Name of the header that carries the token.
        token: The token; it is not repeated in errors.
        origin: Where the three come from.

    Raises:
        ConfigError: They do not.
    """
    parts = urlsplit(base_url.strip())
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ConfigError("BaseUrl", base_url, origin, "an absolute address, for example " + BASE_URL)
    if not header.strip() or not token.strip():
        missing = "APITokenHeader" if not header.strip() else "APIToken"
        raise ConfigError(missing, "", origin, "both a header and a token")
    base = base_url.strip().rstrip("/") + "/"
    wanted = TOKEN_HEADER if base in TOKEN_BASES else TRIAL_HEADER if base == TRIAL_BASE else header
    if header.strip().casefold() != wanted.casefold():
        raise ConfigError("APITokenHeader", header, origin, f"{wanted!r} for {base}")


def find_place(where: Location, provider: str, *others: str) -> Place:
    """Choose how to ask for a place.

    In this order: a zone, known for the service or named; a cloud region; coordinates; a country, where that is one
    zone or the region tells which; the name under which the place was asked for.

    Args:
        where: The place.
        provider: Who asks; a name under which the zone may be known.
        others: Further such names.

    Raises:
        NoIntensityData: Nothing tells which zone it is.
    """
    country = country_code(where)
    zone = named_zone(where, provider, *others)
    if zone:
        return _zone(zone, where)
    at = coordinates_deg(where)
    coordinates = (("lat", _plain(at[0])), ("lon", _plain(at[1]))) if at else ()
    if where.cloud_provider and where.cloud_region:
        cloud = where.cloud_provider.strip().lower(), where.cloud_region.strip().lower()
        names = ("dataCenterProvider", cloud[0]), ("dataCenterRegion", cloud[1])
        return Place(names, "", country, where.label, coordinates)
    if coordinates:
        return Place(coordinates, "", country, where.label)
    if country:
        return _zone(_country_zone(country, where, provider), where)
    if where.key.strip():
        return _zone(where.key.strip(), where)
    raise outside(provider, where, "nothing tells where it is")


def _zone(zone: str, where: Location) -> Place:
    return Place((("zone", zone),), zone, "", where.label)


def _country_zone(country: str, where: Location, provider: str) -> str:
    if not where.region or country not in _SPLIT:
        return country
    region = where.region.strip()
    part = _PROVINCES.get(region.lower(), "") if country == "CA" else region.upper()
    if part in _AREAS or (part and country == "CA"):
        return f"{country}-{part}"
    why = f"{country} has several zones: name the one of {region!r}, for example US-CAL-CISO"
    raise outside(provider, where, why)


def _plain(number_deg: float) -> str:
    """All its digits, with a point in every locale, and never an exponent."""
    return format(Decimal(repr(float(number_deg))), "f").removesuffix(".0")
