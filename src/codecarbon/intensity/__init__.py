"""Where the electricity is used, and how carbon-intensive it is there.

Places and yearly means come from files and never from the network; the sources that ask a network are imported when
they are named.
"""

from codecarbon.intensity.place import GivenPlace, find_place, place_problems
from codecarbon.intensity.static import check_country, get_intensity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codecarbon.intensity.cached import Cached
    from codecarbon.intensity.chain import Chain, check_signals
    from codecarbon.intensity.cloud_hints import CloudHint, find_cloud_hint
    from codecarbon.intensity.provider import Capability, IntensityProvider
    from codecarbon.intensity.registry import BUILT_IN_PROVIDERS, get_provider_class, get_signal, is_provider
    from codecarbon.intensity.time_zone import find_time_zone_country

__all__ = [
    "BUILT_IN_PROVIDERS",
    "Cached",
    "Capability",
    "Chain",
    "CloudHint",
    "GivenPlace",
    "IntensityProvider",
    "check_country",
    "check_signals",
    "find_cloud_hint",
    "find_place",
    "find_time_zone_country",
    "get_intensity",
    "get_provider_class",
    "get_signal",
    "is_provider",
    "place_problems",
]


_LATE = {
    "Cached": "cached",
    "Chain": "chain",
    "BUILT_IN_PROVIDERS": "registry",
    "Capability": "provider",
    "IntensityProvider": "provider",
    "check_signals": "chain",
    "get_provider_class": "registry",
    "get_signal": "registry",
    "is_provider": "registry",
}


def __getattr__(name: str) -> object:
    if name in _LATE:
        import importlib

        return getattr(importlib.import_module(f"codecarbon.intensity.{_LATE[name]}"), name)
    # A run whose place is given does not look for it.
    if name in {"CloudHint", "find_cloud_hint"}:
        from codecarbon.intensity import cloud_hints

        return getattr(cloud_hints, name)
    if name == "find_time_zone_country":
        from codecarbon.intensity.time_zone import find_time_zone_country

        return find_time_zone_country
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
