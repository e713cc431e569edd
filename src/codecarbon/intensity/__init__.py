"""Where the electricity is used, and how carbon-intensive it is there; from files only, never from the network."""

from codecarbon.intensity.cloud_hints import CloudHint, find_cloud_hint
from codecarbon.intensity.place import GivenPlace, find_place, place_problems
from codecarbon.intensity.static import check_country, get_intensity
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
