"""From settings as texts to options: types, defaults, and what does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecarbon.carbon_aware.options import ConfigProblem, Limits, LocationFile, Options, Profile, SourceOptions
from codecarbon.carbon_aware.web_settings import WebSettings
from codecarbon.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from codecarbon.carbon_aware.appsettings import Settings

VARS = "CarbonAwareVars"
SOURCES = "DataSources"
ENTRIES = f"{SOURCES}:Configurations"
LOCATIONS = "LocationDataSourcesConfiguration"
SAMPLE = SourceOptions("Sample", "Sample")
_MOST_BYTES = 2**40
_LONGEST_S = 86_400
_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})
# Old keys that are read by nobody, upstream included.
_UNUSED = (f"{VARS}:Proxy", f"{VARS}:EmissionsDataSource", f"{VARS}:ForecastDataSource")
KNOWN = frozenset(
    {
        "webapirouteprefix",
        "verboseapi",
        "telemetryprovider",
        "enabletelemetrylogging",
        "enablecarbonexporter",
        "profile",
        "lookbackhours",
        "rejectunknown",
        "mapproviderautherrors",
        "apikeys",
        "corsorigins",
        "maxbatchitems",
        "maxlocations",
        "maxrangedays",
        "maxconcurrentfetches",
        "workerthreads",
        "maxwaitingquestions",
        "answermemorybytes",
        "maxbodybytes",
        "maxeventclients",
        "heartbeatseconds",
        "eventperiodseconds",
        "shutdownseconds",
        "proxy",
        "emissionsdatasource",
        "forecastdatasource",
    }
)


def make_options(settings: Settings, problems: list[ConfigProblem], base: Path) -> Options:
    """Make options.

    Args:
        settings: All settings.
        problems: The files that cannot be read; what else is wrong is added.
        base: What relative folders start from.

    Raises:
        ConfigError: The route prefix does not begin with a slash.
    """
    rules = _Rules(settings, problems)
    profile = rules.profile()
    # A file that cannot be read may name sources: made-up values must not stand in for them.
    is_silent = not settings.below(SOURCES)
    is_embedded = is_silent and not problems
    usual = (SAMPLE, SAMPLE) if is_embedded else (None, None)
    emissions, forecast = usual if is_silent else rules.sources()
    files = rules.location_files()
    location_folder = base / "location-sources" / "json"
    has_files = bool(files) or (location_folder.is_dir() and any(location_folder.rglob("*.json")))
    cache_min = rules.whole("EmissionsDataCache:ExpirationMin", 0)
    has_cache = rules.truth("EmissionsDataCache:Enabled", default=False)
    if has_cache and cache_min <= 0:
        message = "Expiration period for data cache value must be greater than 0."
        rules.complain("EmissionsDataCache:ExpirationMin", message)
    rules.warn_of_unused()
    return Options(
        profile=profile,
        is_embedded_default=is_embedded,
        emissions=emissions,
        forecast=forecast,
        location_files=files,
        location_folder=str(location_folder),
        data_folder=str(base / "data-sources" / "json"),
        has_builtin_locations=rules.truth(
            f"{LOCATIONS}:BuiltIn", default=not has_files and (is_embedded or profile == "documented")
        ),
        lookback_h=rules.whole(f"{VARS}:LookbackHours", 24, least=1, most=8760),
        route_prefix=rules.route_prefix(),
        is_verbose=rules.truth(f"{VARS}:VerboseApi", default=False),
        has_exporter=rules.truth(f"{VARS}:EnableCarbonExporter", default=False),
        exporter_period_h=rules.whole("CarbonExporter:PeriodInHours", 24, least=1),
        exporter_locations=settings.entries("CarbonExporter:Locations"),
        exporter_refresh_s=rules.whole("CarbonExporter:RefreshSeconds", 300, least=1),
        reject_unknown=rules.truth(f"{VARS}:RejectUnknown", default=False),
        maps_provider_auth_errors=rules.truth(f"{VARS}:MapProviderAuthErrors", default=False),
        has_emissions_cache=has_cache,
        emissions_cache_min=cache_min,
        api_keys=settings.entries(f"{VARS}:ApiKeys"),
        cors_origins=settings.entries(f"{VARS}:CorsOrigins"),
        allowed_hosts=tuple(part for part in settings.text("AllowedHosts", "*").split(";") if part.strip()),
        limits=rules.limits(),
        web=rules.web(),
        urls=tuple(part.strip() for part in settings.text("urls").split(";") if part.strip()),
        log_level=settings.text("Logging:LogLevel:Default", "Information"),
        problems=tuple(problems),
        effective=settings.effective(),
    )


class _Rules:
    def __init__(self, settings: Settings, problems: list[ConfigProblem]) -> None:
        self._settings = settings
        self._problems = problems

    def complain(self, key: str, message: str, *, is_warning: bool = False) -> None:
        given = self._settings.find(key)
        self._problems.append(ConfigProblem(key, message, given.origin if given else "", is_warning))

    def truth(self, key: str, *, default: bool) -> bool:
        value = self._settings.text(key).casefold()
        if value and value not in _TRUE | _FALSE:
            self.complain(key, f"expected true or false, found {value!r}; {str(default).lower()} is used")
            return default
        return value in _TRUE if value else default

    def whole(self, key: str, default: int, *, least: int = 0, most: int = 1_000_000) -> int:
        value = self._settings.text(key)
        if not value:
            return default
        number = int(value) if value.isascii() and value.removeprefix("-").isdigit() else None
        if number is None or not least <= number <= most:
            self.complain(key, f"expected a whole number from {least} to {most}, found {value!r}; {default} is used")
            return default
        return number

    def profile(self) -> Profile:
        value = self._settings.text(f"{VARS}:Profile", "documented").casefold()
        if value == "strict":
            return "strict"
        if value != "documented":
            self.complain(f"{VARS}:Profile", f"expected documented or strict, found {value!r}; documented is used")
        return "documented"

    def route_prefix(self) -> str:
        key = f"{VARS}:WebApiRoutePrefix"
        value = self._settings.text(key)
        if value and not value.startswith("/"):
            given = self._settings.find(key)
            raise ConfigError(key, value, given.origin if given else "", "a path that begins with /")
        return value.rstrip("/")

    def limits(self) -> Limits:
        usual = Limits()
        return Limits(
            max_batch_items=self.whole(f"{VARS}:MaxBatchItems", usual.max_batch_items, least=1),
            max_locations=self.whole(f"{VARS}:MaxLocations", usual.max_locations, least=1),
            max_range_days=self.whole(f"{VARS}:MaxRangeDays", usual.max_range_days),
            max_concurrent_fetches=self.whole(
                f"{VARS}:MaxConcurrentFetches", usual.max_concurrent_fetches, least=1, most=256
            ),
        )

    def web(self) -> WebSettings:
        usual = WebSettings()
        return WebSettings(
            threads=self.whole(f"{VARS}:WorkerThreads", usual.threads, least=1, most=256),
            max_waiting=self.whole(f"{VARS}:MaxWaitingQuestions", usual.max_waiting),
            store_bytes=self.whole(f"{VARS}:AnswerMemoryBytes", usual.store_bytes, most=_MOST_BYTES),
            max_body_bytes=self.whole(f"{VARS}:MaxBodyBytes", usual.max_body_bytes, least=1, most=_MOST_BYTES),
            max_event_clients=self.whole(f"{VARS}:MaxEventClients", usual.max_event_clients),
            heartbeat_s=self.seconds("HeartbeatSeconds", usual.heartbeat_s),
            event_period_s=self.seconds("EventPeriodSeconds", usual.event_period_s),
            shutdown_s=self.seconds("ShutdownSeconds", usual.shutdown_s),
        )

    def seconds(self, name: str, default: float) -> float:
        return float(self.whole(f"{VARS}:{name}", round(default), least=1, most=_LONGEST_S))

    def warn_of_unused(self) -> None:
        for key in _UNUSED:
            if self._settings.text(key):
                self.complain(key, "this old key has no effect; see DataSources", is_warning=True)
        if self._settings.text(f"{VARS}:TelemetryProvider").casefold() == "applicationinsights":
            message = "nothing is sent to Application Insights; see /metrics"
            self.complain(f"{VARS}:TelemetryProvider", message, is_warning=True)
        if self.truth(f"{VARS}:EnableTelemetryLogging", default=False):
            message = "spans are not written to the log; see /metrics"
            self.complain(f"{VARS}:EnableTelemetryLogging", message, is_warning=True)
        for name, given in self._settings.below(VARS).items():
            parts = name.split(":")
            if parts[0] and parts[0] not in KNOWN:
                self.complain(given.key, "no setting has this name", is_warning=True)

    # --- sources -----------------------------------------------------------------------------------------------------

    def sources(self) -> tuple[SourceOptions | None, SourceOptions | None]:
        """The entries that answer; both None is a problem of its own."""
        found = tuple(self._source(f"{role}DataSource") for role in ("Emissions", "Forecast"))
        is_named = any(self._settings.text(f"{SOURCES}:{role}DataSource") for role in ("Emissions", "Forecast"))
        if not is_named:
            self.complain(f"{SOURCES}:EmissionsDataSource", "No data sources are configured")
        return found[0], found[1]

    def _source(self, role: str) -> SourceOptions | None:
        key = f"{SOURCES}:{role}"
        name = self._settings.text(key)
        if not name:
            return None
        source = self._entry(name)
        if source is None:
            label = "Emissions" if role.startswith("Emissions") else "Forecast"
            self.complain(key, f"{label} data source value '{name}' was not found in 'Configurations'")
        return source

    def _entry(self, name: str, *, with_fallbacks: bool = True) -> SourceOptions | None:
        """An entry by its exact name: the one place where case counts, as clients' files expect."""
        if self._settings.children(ENTRIES).get(name.casefold()) != name:
            return None
        key = f"{ENTRIES}:{name}"
        kind = self._settings.text(f"{key}:Type")
        if not kind:
            self.complain(f"{key}:Type", f"the entry {name} names no type")
            return None
        below = self._settings.below(key).items()
        values = tuple(sorted((inner, given.value) for inner, given in below if inner != "type"))
        fallbacks = []
        for other in self._settings.entries(f"{key}:Fallback") if with_fallbacks else ():
            found = self._entry(other, with_fallbacks=False)
            if found is None:
                self.complain(f"{key}:Fallback", f"'{other}' was not found in 'Configurations'")
            else:
                fallbacks.append(found)
        return SourceOptions(name, kind, values, tuple(fallbacks))

    def location_files(self) -> tuple[LocationFile, ...]:
        key = f"{LOCATIONS}:LocationSourceFiles"
        indexes = sorted((name for name in self._settings.children(key) if name.isdigit()), key=int)
        files = []
        for index in indexes:
            entry = {name: given.value for name, given in self._settings.below(f"{key}:{index}").items()}
            files.append(
                LocationFile(entry.get("datafilelocation", ""), entry.get("prefix", ""), entry.get("delimiter", ""))
            )
        return tuple(files)
