"""From the entries of ``DataSources`` to providers; what cannot be used becomes a problem, never an error at start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from codecarbon.carbon_aware.options import ConfigProblem, Options, SourceOptions
from codecarbon.carbon_aware.paths import find_data_file
from codecarbon.errors import ConfigError, IntensityError
from codecarbon.units import us_from_min, us_from_s

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from codecarbon.intensity.provider import Capability, IntensityProvider
    from codecarbon.model import IntensitySeries, Location, Signal, TimeSpan

KEY = "DataSources:Configurations"
# `Type`, without regard to case, to the name in the registry of providers.
TYPES = {
    "watttime": "watttime",
    "electricitymaps": "electricity_maps",
    "electricitymapsfree": "electricity_maps_free",
    "json": "json_file",
    "ukcarbonintensity": "uk_carbon_intensity",
    "energidataservice": "energi_data_service",
    "energycharts": "energy_charts",
    "sample": "sample",
    "static": "static",
}
# Sources that read memory or a file: keeping their answers would only cost.
LOCAL = frozenset({"json_file", "sample", "static", "constant"})
_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off", ""})


class Sources(NamedTuple):
    """The providers of a configuration, and what is wrong with it."""

    emissions: IntensityProvider | None
    forecast: IntensityProvider | None
    problems: tuple[ConfigProblem, ...]
    closers: tuple[Callable[[], None], ...] = ()


class _Making(NamedTuple):
    """What every provider is made with."""

    options: Options
    clock: Callable[[], float]
    adapter: requests.adapters.BaseAdapter | None
    problems: list[ConfigProblem]
    closers: list[Callable[[], None]]


def make_sources(
    options: Options, *, clock: Callable[[], float], adapter: requests.adapters.BaseAdapter | None = None
) -> Sources:
    """Make the providers that the settings name; two entries of one type are two providers.

    Args:
        options: The settings.
        clock: Seconds since 1970.
        adapter: Stands in for the network, in tests.
    """
    making = _Making(options, clock, adapter, [], [])
    made: dict[SourceOptions, IntensityProvider | None] = {}
    for source in (options.emissions, options.forecast):
        if source is not None and source not in made:
            made[source] = _chain(source, making)
    emissions = made.get(options.emissions) if options.emissions else None
    forecast = made.get(options.forecast) if options.forecast else None
    if forecast is not None and forecast.name == "json_file" and "forecast" not in forecast.capabilities:
        message = "JSON data source is not supported for forecast data: the file has no Forecasts"
        making.problems.append(ConfigProblem("DataSources:ForecastDataSource", message))
    return Sources(emissions, forecast, tuple(making.problems), tuple(making.closers))


def _chain(source: SourceOptions, making: _Making) -> IntensityProvider | None:
    """The provider of an entry, with those behind it that stand in when it has no answer."""
    providers = [provider for one in (source, *source.fallbacks) if (provider := _one(one, making)) is not None]
    if len(providers) < 2:  # noqa: PLR2004 (one needs no chain)
        return providers[0] if providers else None
    from codecarbon.intensity import Chain

    try:
        return Chain(providers)
    except ConfigError as error:
        making.problems.append(ConfigProblem(f"{KEY}:{source.name}:Fallback", str(error)))
        return providers[0]


def _one(source: SourceOptions, making: _Making) -> IntensityProvider | None:
    from codecarbon.intensity import Cached, get_provider_class

    key = f"{KEY}:{source.name}"
    name = TYPES.get(source.type.strip().casefold(), source.type.strip())
    try:
        arguments = _arguments(name, _Entry(source, making))
        provider = get_provider_class(name)(**arguments)
    except TypeError as error:
        # A source that is not ours was given keys that it does not take.
        making.problems.append(ConfigProblem(key, f"{source.type} does not take these keys: {error}"))
        return None
    except ConfigError as error:
        is_unknown = error.field == "intensity_providers"
        message = f"Unknown data source type: {source.type}. {error}" if is_unknown else str(error)
        making.problems.append(ConfigProblem(f"{key}:Type" if is_unknown else key, message))
        return None
    close = getattr(provider, "close", None)
    if close is not None:
        making.closers.append(close)
    if name == "json_file":
        _check_file(provider, key, making)
    if name in LOCAL:
        return provider
    if making.options.has_emissions_cache and making.options.emissions_cache_min > 0:
        provider = LongerValid(provider, making.options.emissions_cache_min, making.clock)
    return Cached(provider, clock=making.clock)


def _check_file(provider: IntensityProvider, key: str, making: _Making) -> None:
    """Read a data file at once, so that a fault in it is known before the first question."""
    from codecarbon.intensity.json_file import JsonFile

    try:
        if isinstance(provider, JsonFile):
            _ = provider.version
    except IntensityError as error:
        making.problems.append(ConfigProblem(f"{key}:DataFileLocation", str(error)))


def _arguments(name: str, entry: _Entry) -> dict[str, Any]:
    makers: dict[str, Callable[[_Entry], dict[str, Any]]] = {
        "watttime": _watttime,
        "electricity_maps": _electricity_maps,
        "electricity_maps_free": _electricity_maps_free,
        "json_file": _json_file,
        "sample": lambda entry: {"clock": entry.clock},
        "static": lambda _: {},
        "uk_carbon_intensity": _open_service,
        "energi_data_service": _open_service,
        "energy_charts": _open_service,
    }
    maker = makers.get(name)
    # Another distribution's source takes its settings as it finds them.
    return maker(entry) if maker else dict(entry.values)


class _Entry:
    """The values of one entry, read by type; a value of another kind is a ConfigError that names its key."""

    def __init__(self, source: SourceOptions, making: _Making) -> None:
        self.name = source.name
        self.values = dict(source.values)
        self.options = making.options
        self.clock = making.clock
        self._making = making

    def text(self, key: str, default: str = "") -> str:
        return self.values.get(key.casefold(), "").strip() or default

    def needed(self, key: str, message: str) -> str:
        value = self.text(key)
        if not value:
            raise ConfigError(f"{KEY}:{self.name}:{key}", "", "configuration", message)
        return value

    def truth(self, key: str, *, default: bool | None) -> bool | None:
        value = self.text(key).casefold()
        if not value:
            return default
        if value not in _TRUE | _FALSE:
            raise ConfigError(f"{KEY}:{self.name}:{key}", value, "configuration", "true or false")
        return value in _TRUE

    def whole(self, key: str, default: int) -> int:
        value = self.text(key)
        if value and not (value.isascii() and value.isdigit()):
            raise ConfigError(f"{KEY}:{self.name}:{key}", value, "configuration", "a whole number, 0 or more")
        return int(value) if value else default

    def address(self, key: str, default: str) -> str:
        value = self.text(key, default)
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            from codecarbon.transport import redact

            raise ConfigError(f"{KEY}:{self.name}:{key}", redact(value), "configuration", "an absolute http(s) address")
        return value

    def warn(self, key: str, message: str) -> None:
        self._making.problems.append(ConfigProblem(f"{KEY}:{self.name}:{key}", message, is_warning=True))

    def transport(self) -> dict[str, Any]:
        """What every provider that asks a network takes."""
        found: dict[str, Any] = {"clock": self.clock}
        if self._making.adapter is not None:
            found["adapter"] = self._making.adapter
        if self.truth("Proxy:UseProxy", default=False):
            from codecarbon.transport import Proxy

            url = self.needed("Proxy:Url", "Proxy Url is not configured.")
            found["proxy"] = Proxy(
                use_proxy=True, url=url, username=self.text("Proxy:Username"), password=self.text("Proxy:Password")
            )
        return found


def _watttime(entry: _Entry) -> dict[str, Any]:
    signal_type = entry.text("SignalType", "co2_moer")
    if signal_type not in {"co2_moer", "co2_aoer"}:
        raise ConfigError(f"{KEY}:{entry.name}:SignalType", signal_type, "configuration", "co2_moer or co2_aoer")
    region_key = "RegionCacheTTL" if entry.text("RegionCacheTTL") else "BalancingAuthorityCacheTTL"
    return {
        "username": entry.needed("Username", "a text: WattTimeClient:Username is required for WattTime."),
        "password": entry.needed("Password", "a text: WattTimeClient:Password is required for WattTime."),
        **_watttime_addresses(entry),
        "signal_type": signal_type,
        "region_ttl_s": float(entry.whole(region_key, 86400)),
        **entry.transport(),
    }


def _watttime_addresses(entry: _Entry) -> dict[str, Any]:
    """The addresses that are set; without one for logins, they go to the host of the data, never to another's."""
    found = {}
    for key, name in (("BaseUrl", "base_url"), ("AuthenticationBaseUrl", "login_url")):
        if not entry.text(key):
            continue
        url = entry.address(key, "")
        parts = urlsplit(url)
        if (parts.hostname or "").startswith("api2.") or parts.path.rstrip("/").endswith("/v2"):
            entry.warn(key, "version 2 of WattTime is switched off; version 3 is asked instead")
        else:
            found[name] = url
    return found


def _electricity_maps(entry: _Entry) -> dict[str, Any]:
    header, token = entry.text("APITokenHeader"), entry.text("APIToken")
    if not header or not token:
        message = "both: Incomplete auth config: must set both APITokenHeader and APIToken."
        raise ConfigError(f"{KEY}:{entry.name}:APIToken", "", "configuration", message)
    return {
        "token": token,
        "header": header,
        "base_url": entry.address("BaseUrl", "https://api.electricitymap.org/v3/"),
        "emission_factor_type": entry.text("EmissionFactorType") or None,
        "disable_estimations": entry.truth("DisableEstimations", default=None),
        **entry.transport(),
    }


def _electricity_maps_free(entry: _Entry) -> dict[str, Any]:
    given = {"base_url": entry.address("BaseUrl", "")} if entry.text("BaseUrl") else {}
    return {"token": entry.needed("Token", "a text: the free token"), **given, **entry.transport()}


def _json_file(entry: _Entry) -> dict[str, Any]:
    path = find_data_file(entry.text("DataFileLocation"), Path(entry.options.data_folder))
    if not path.is_file():
        raise ConfigError(f"{KEY}:{entry.name}:DataFileLocation", str(path), "configuration", "a file that exists")
    return {
        "path": path,
        "reload": not entry.truth("CacheJsonData", default=True),
        "match_case": entry.options.profile == "strict",
        "clock": entry.clock,
    }


def _open_service(entry: _Entry) -> dict[str, Any]:
    given = {"base_url": entry.address("BaseUrl", "")} if entry.text("BaseUrl") else {}
    return {**given, **entry.transport()}


class LongerValid:
    """A source whose observed values count as new for a while, as ``EmissionsDataCache`` asks.

    Args:
        provider: The source.
        valid_min: For how long at least, minutes.
        clock: Seconds since 1970.
    """

    def __init__(self, provider: IntensityProvider, valid_min: int, clock: Callable[[], float]) -> None:
        self._provider = provider
        self.name = provider.name
        self.signal: Signal = provider.signal
        self.capabilities: frozenset[Capability] = provider.capabilities
        self._valid_us = us_from_min(valid_min)
        self._clock = clock

    def zone_of(self, where: Location) -> str:
        """Find the source's zone of a place."""
        return self._provider.zone_of(where)

    def observed(self, where: Location, span: TimeSpan) -> IntensitySeries:
        """Get the points of a span, and say that they hold for longer."""
        series = self._provider.observed(where, span)
        at_least_us = us_from_s(self._clock()) + self._valid_us
        return replace(series, valid_until_us=max(series.valid_until_us or 0, at_least_us))

    def forecast(self, where: Location) -> IntensitySeries:
        """Get the newest forecast; forecasts are kept as the source says."""
        return self._provider.forecast(where)

    def forecast_at(self, where: Location, requested_us: int, *, look_back_us: int = 0) -> IntensitySeries:
        """Get an old forecast."""
        return self._provider.forecast_at(where, requested_us, look_back_us=look_back_us)
