"""Where the electricity is used, and how carbon-intensive it is there; from files only, never from the network."""

from codecarbon.intensity.place import GivenPlace, find_place, place_problems
from codecarbon.intensity.static import check_country, get_intensity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codecarbon.intensity.cloud_hints import CloudHint, find_cloud_hint
    from codecarbon.intensity.time_zone import find_time_zone_country

__all__ = [
    "CloudHint",
    "GivenPlace",
    "check_country",
    "find_cloud_hint",
    "find_place",
    "find_time_zone_country",
    "get_intensity",
    "place_problems",
]


def __getattr__(name: str) -> object:
    # A run whose place is given does not look for it.
    if name in {"CloudHint", "find_cloud_hint"}:
        from codecarbon.intensity import cloud_hints

        return getattr(cloud_hints, name)
    if name == "find_time_zone_country":
        from codecarbon.intensity.time_zone import find_time_zone_country

        return find_time_zone_country
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
