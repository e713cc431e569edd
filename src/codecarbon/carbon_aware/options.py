"""The settings of the Carbon Aware service, as they hold after files, environment and arguments are merged.

``codecarbon.carbon_aware.appsettings`` makes them; docs/how-to/carbon-aware-configure.md says what each key means.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from codecarbon.carbon_aware.web_settings import WebSettings
from codecarbon.record import FrozenRecord

Profile = Literal["documented", "strict"]
SECRET_WORDS = ("password", "token", "secret", "apikey", "connectionstring", "connection_string", "instrumentationkey")


class ConfigProblem(NamedTuple):
    """A setting that cannot be used; the service starts all the same and says so.

    Attributes:
        key: The setting, for example ``DataSources:EmissionsDataSource``.
        message: What is wrong, and what would be right.
        origin: Where it was set: a file's path, ``environment``, ``arguments``, or empty.
        is_warning: Whether the service works in spite of it.
    """

    key: str
    message: str
    origin: str = ""
    is_warning: bool = False

    @property
    def sentence(self) -> str:
        """The message behind its key, which is not said twice, and without a full stop."""
        message = self.message.rstrip(".")
        return message if self.key in message else f"{self.key}: {message}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SourceOptions(FrozenRecord):
    """One entry of ``DataSources:Configurations``; its values are kept out of its text, since some are secrets.

    Attributes:
        name: Its name there.
        type: Its ``Type``, as it was written.
        values: Its other keys in lower case, levels joined by ``:``, for example ``proxy:url``, each with its value.
        fallbacks: The entries that are asked, in order, when this one has no answer.
    """

    name: str
    type: str
    values: tuple[tuple[str, str], ...] = ()
    fallbacks: tuple[SourceOptions, ...] = ()

    def __repr__(self) -> str:
        return f"SourceOptions(name={self.name!r}, type={self.type!r})"


class LocationFile(NamedTuple):
    """One entry of ``LocationDataSourcesConfiguration:LocationSourceFiles``."""

    path: str
    prefix: str = ""
    delimiter: str = ""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Limits(FrozenRecord):
    """How much one request may ask for.

    Attributes:
        max_batch_items: Items of a batch.
        max_locations: Places of one question.
        max_range_days: Length of a period, days; 0 for any.
        max_concurrent_fetches: Questions to providers at the same time.
    """

    max_batch_items: int = 1000
    max_locations: int = 256
    max_range_days: int = 366
    max_concurrent_fetches: int = 8


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Options(FrozenRecord):
    """All settings of the service.

    Attributes:
        profile: ``documented`` follows the documentation of the WebApi, ``strict`` the SDK's release 1.8.
        is_embedded_default: Whether nothing says where data come from, so that the built-in sample answers.
        emissions: The source of observed values, or None.
        forecast: The source of forecasts, or None.
        location_files: The files of places, in order; empty for those below ``location_folder``.
        location_folder: Where relative location files, and those nobody lists, are found.
        data_folder: Where relative data files are found.
        has_builtin_locations: Whether the own table of Azure, AWS and GCP regions is served.
        lookback_h: How far back a question without times reaches where the source has a history, hours.
        route_prefix: A path below which everything answers as well; empty for none.
        is_verbose: Whether errors carry their cause.
        has_exporter: Whether ``/metrics`` answers.
        exporter_period_h: How far back its values may lie, hours.
        exporter_locations: Whose values it shows; empty for all places.
        exporter_refresh_s: How often it asks for them, seconds.
        reject_unknown: Whether unknown query names are errors.
        maps_provider_auth_errors: Whether a provider's 401 and 403 are answered as 502.
        has_emissions_cache: Whether observed values are kept for ``emissions_cache_min``.
        emissions_cache_min: For how long, minutes.
        api_keys: Accepted keys; empty for none needed.
        cors_origins: Origins that browsers may ask from.
        allowed_hosts: Host names that are answered; ``*`` for any.
        limits: How much one request may ask for.
        web: What the server itself may spend.
        urls: Where the server listens, for example ``http://127.0.0.1:8080``.
        log_level: The level of the log, as the configuration names it.
        problems: What cannot be used.
        effective: Every setting that was given: key, value (secrets hidden) and origin.
    """

    profile: Profile = "documented"
    is_embedded_default: bool = True
    emissions: SourceOptions | None = None
    forecast: SourceOptions | None = None
    location_files: tuple[LocationFile, ...] = ()
    location_folder: str = "location-sources/json"
    data_folder: str = "data-sources/json"
    has_builtin_locations: bool = True
    lookback_h: int = 24
    route_prefix: str = ""
    is_verbose: bool = False
    has_exporter: bool = False
    exporter_period_h: int = 24
    exporter_locations: tuple[str, ...] = ()
    exporter_refresh_s: int = 300
    reject_unknown: bool = False
    maps_provider_auth_errors: bool = False
    has_emissions_cache: bool = False
    emissions_cache_min: int = 0
    api_keys: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ("*",)
    limits: Limits = Limits()
    web: WebSettings = field(default_factory=WebSettings)
    urls: tuple[str, ...] = ()
    log_level: str = "Information"
    problems: tuple[ConfigProblem, ...] = ()
    effective: tuple[tuple[str, str, str], ...] = ()

    def __repr__(self) -> str:
        return f"Options(profile={self.profile!r}, emissions={self.emissions!r}, forecast={self.forecast!r})"
