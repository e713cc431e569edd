"""The one table of settings.

Each field of ``Settings`` is a row: its order is the positional order of the tracker's constructor, and its row says
everything that the constructor's signature, the environment, the files, the command line and the documentation need.
To add an option, add a field.
"""

# The rows are written like a table, a default first:
# ruff: noqa: FBT001, FBT003, RUF009
from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from codecarbon.config import parsers
from codecarbon.config.methods import OutputMethod
from codecarbon.config.values import Secret
from codecarbon.units import SECONDS_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["text", "path", "number", "integer", "boolean", "choice", "list", "object", "secret"]
ENV_PREFIX = "CODECARBON_"
DEFAULT_EXPERIMENT_ID = "5b0fa12a-3dd7-45bb-9766-cc326314d9f1"


class Setting(NamedTuple):
    """One row of the table.

    Attributes:
        name: Its name as a keyword and in files.
        default: The value when nobody says anything.
        parse: Turns what was given into the value.
        kind: What sort of value it is, for documents and the command line.
        help: What it does, in a sentence.
        choices: The words accepted, when they are few.
        is_nullable: Whether ``None`` is a value ("off"); otherwise ``None`` asks for the default.
        is_positional: Whether it has a place among the constructor's positional arguments.
        is_offline: Whether it belongs to the offline tracker's signature only.
        is_secret: Whether it must never be shown.
        is_code_only: Whether only a constructor can give it, since it is an object.
        allowed_files: Which files may give it: ``all``, only the ``personal`` one in the home folder, since any other
            may be somebody else's, or ``none``.
        is_explicit: Whether an empty text or ``None`` is a mistake rather than a wish for the default.
        alias_of: The setting that this name stands for.
        deprecated: Why it should no longer be used, empty when it may.
        unbuilt: What will not happen, while the feature behind it does not exist.
        cli: Its command line option, empty when it has none.
    """

    name: str
    default: object
    parse: parsers.Parser
    kind: Kind
    help: str
    choices: tuple[str, ...] = ()
    is_nullable: bool = False
    is_positional: bool = True
    is_offline: bool = False
    is_secret: bool = False
    is_code_only: bool = False
    allowed_files: Literal["all", "personal", "none"] = "all"
    is_explicit: bool = False
    alias_of: str = ""
    deprecated: str = ""
    unbuilt: str = ""
    cli: str = ""

    @property
    def env(self) -> str:
        """Name of its environment variable."""
        return ENV_PREFIX + self.name.upper()


def _row(default: Any, parse: parsers.Parser, kind: Kind, help: str, **more: Any) -> Any:  # noqa: A002
    return field(default=default, metadata={"parse": parse, "kind": kind, "help": help, **more})


def _text(default: str, help: str, **more: Any) -> Any:  # noqa: A002
    return _row(default, parsers.text, "text", help, **more)


def _flag(default: bool, help: str, **more: Any) -> Any:  # noqa: A002
    return _row(default, parsers.boolean, "boolean", help, **more)


def _save_to(method: OutputMethod, default: bool) -> Any:
    return _flag(
        default,
        f"Whether `output_methods` has `{method.value}`, when `output_methods` is not given.",
        deprecated=f"use output_methods with {method.value!r} in it",
    )


_OWN = {"is_positional": False}
# A hundred thousand tonnes: beyond it a figure is a slip, and whole micrograms would outgrow 64 bits soon.
_MOST_KG = 1e8
# What the native power models take.
_MOST_W = 1e6
_OFFLINE = {"is_positional": False, "is_offline": True, "is_nullable": True}


# Without a generated __init__, which alone would take as long to make as the rest of this module.
@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class Settings:
    """The settings of one tracker, typed and complete; made by ``resolve``.

    The fields without a row, which come last, are not settings: ``origins`` says who gave each value that is not the
    default, ``notices`` what the user should be told about them.
    """

    project_name: str = _text("codecarbon", "Label of the run.", cli="--project-name")
    measure_power_secs: float = _row(
        15.0,
        parsers.number(above=0),
        "number",
        "Seconds between live reports; sensors are read at `sampling_hz`, whatever this says.",
        cli="--measure-power-secs",
    )
    api_call_interval: int = _row(
        8,
        parsers.live_interval,
        "integer",
        "Call `live_out` of every handler after this many live reports; -1 for never.",
        cli="--api-call-interval",
    )
    api_endpoint: str = _text("https://api.codecarbon.io", "Base address of the CodeCarbon API.", cli="--api-endpoint")
    api_key: Secret | None = _row(
        Secret("api_key"),
        parsers.secret,
        "secret",
        "Token for the CodeCarbon API.",
        is_secret=True,
        is_nullable=True,
    )
    output_dir: str = _row(
        ".",
        parsers.path,
        "path",
        "Folder for files; it is made at the first write when it does not exist.",
        cli="--output-dir",
    )
    output_file: str = _row(
        "emissions.csv",
        parsers.path,
        "path",
        "Name of the CSV file, inside `output_dir` unless it is an absolute path.",
        cli="--output-file",
    )
    output_methods: tuple[str, ...] = _row(
        (OutputMethod.CSV,),
        parsers.output_methods,
        "list",
        "Where results go: names in a list or separated by commas; an empty list for nowhere.",
        choices=tuple(method.value for method in OutputMethod),
        cli="--output-methods",
    )
    save_to_file: bool = _save_to(OutputMethod.CSV, True)
    save_to_api: bool = _save_to(OutputMethod.API, False)
    save_to_logger: bool = _save_to(OutputMethod.LOGGER, False)
    logging_logger: object = _row(
        None,
        parsers.logger_object,
        "object",
        "Logger or `LoggerOutput` for the method `logger`; the logger `codecarbon` when it is not given.",
        is_nullable=True,
        is_code_only=True,
    )
    save_to_prometheus: bool = _save_to(OutputMethod.PROMETHEUS, False)
    save_to_logfire: bool = _save_to(OutputMethod.LOGFIRE, False)
    prometheus_url: str = _text("localhost:9091", "Address of the Prometheus push gateway.")
    output_handlers: tuple[Any, ...] = _row(
        (),
        parsers.handler_list,
        "object",
        "Own output handlers; they run before the built-in ones.",
        is_code_only=True,
    )
    gpu_ids: tuple[int | str, ...] | None = _row(
        None,
        parsers.gpu_ids,
        "list",
        "The GPUs to measure, by index or by the start of their UUID; without it CUDA_VISIBLE_DEVICES, then "
        "ROCR_VISIBLE_DEVICES, then all.",
        is_nullable=True,
        cli="--gpu-ids",
    )
    emissions_endpoint: str | None = _row(
        None,
        parsers.address,
        "text",
        "Address to which every result is posted as JSON; False switches off one that a file sets.",
        is_nullable=True,
        unbuilt="nothing will be posted to it",
    )
    experiment_id: str | None = _text(
        DEFAULT_EXPERIMENT_ID, "Experiment the run belongs to.", is_nullable=True, cli="--experiment-id"
    )
    experiment_name: str = _text("base", "Part of the name of the task file.", cli="--experiment-name")
    electricitymaps_api_token: Secret | None = _row(
        None,
        parsers.secret,
        "secret",
        "Token for live grid intensity from Electricity Maps; with it `intensity_providers` is `electricity_maps` "
        "unless it is given.",
        is_secret=True,
        is_nullable=True,
    )
    co2_signal_api_token: Secret | None = _row(
        None,
        parsers.secret,
        "secret",
        "Old name of `electricitymaps_api_token`.",
        is_secret=True,
        is_nullable=True,
        alias_of="electricitymaps_api_token",
        deprecated="use electricitymaps_api_token",
    )
    tracking_mode: str = _row(
        "machine",
        parsers.choice("machine", "process"),
        "choice",
        "Measure the whole machine, or attribute to this process and its children what can be attributed.",
        choices=("machine", "process"),
        cli="--tracking-mode",
    )
    log_level: str | int = _row(
        "info", parsers.log_level, "text", "Level of the logger `codecarbon`: a name or a number.", cli="--log-level"
    )
    on_csv_write: str = _row(
        "append",
        parsers.choice("append", "update"),
        "choice",
        "Add a row at each flush and stop, or replace the run's earlier row; a row holds totals since the start.",
        choices=("append", "update"),
        cli="--on-csv-write",
    )
    logger_preamble: str = _text("", "Text in front of every log message.", cli="--logger-preamble")
    force_cpu_power: float | None = _row(
        None,
        parsers.number(at_least=0, at_most=_MOST_W),
        "number",
        "Power of all processors at full load, W; counters are not used then.",
        is_nullable=True,
        cli="--force-cpu-power",
    )
    force_ram_power: float | None = _row(
        None,
        parsers.number(at_least=0, at_most=_MOST_W),
        "number",
        "Constant power of the memory, W.",
        is_nullable=True,
        cli="--force-ram-power",
    )
    pue: float = _row(
        1.0, parsers.pue, "number", "Power usage effectiveness: every energy is multiplied by it.", cli="--pue"
    )
    wue: float = _row(
        0.0, parsers.number(at_least=0), "number", "Water usage effectiveness, litres per kWh after PUE.", cli="--wue"
    )
    force_carbon_intensity_g_co2e_kwh: float | None = _row(
        None,
        parsers.number(at_least=0),
        "number",
        "Carbon intensity, g CO2e per kWh, in place of every other source; 0 is a value.",
        is_nullable=True,
        cli="--force-carbon-intensity",
    )
    force_mode_cpu_load: bool = _flag(
        False, "Model processor power by load even where counters exist.", cli="--force-mode-cpu-load"
    )
    allow_multiple_runs: bool = _flag(
        True, "False lets only one such run measure on this machine at a time.", cli="--allow-multiple-runs"
    )
    rapl_include_dram: bool = _flag(
        False, "Count memory energy that RAPL reports as processor energy.", cli="--rapl-include-dram"
    )
    rapl_prefer_psys: bool = _flag(
        False, "Take the energy of the whole platform where RAPL reports it.", cli="--rapl-prefer-psys"
    )

    country_iso_code: str | None = _row(
        None, parsers.upper, "text", "Country, three letters of ISO 3166-1.", cli="--country-iso-code", **_OFFLINE
    )
    region: str | None = _row(
        None, parsers.lower, "text", "State, province or bidding zone.", cli="--region", **_OFFLINE
    )
    cloud_provider: str | None = _row(
        None, parsers.lower, "text", "Cloud, for example gcp; needs `cloud_region`.", cli="--cloud-provider", **_OFFLINE
    )
    cloud_region: str | None = _row(
        None, parsers.lower, "text", "Region of the cloud provider.", cli="--cloud-region", **_OFFLINE
    )
    country_2letter_iso_code: str | None = _row(
        None,
        parsers.upper,
        "text",
        "Country, two letters of ISO 3166-1, for Electricity Maps.",
        cli="--country-2letter-iso-code",
        **_OFFLINE,
    )

    sampling_hz: float | str = _row(
        "auto",
        parsers.sampling_hz,
        "number",
        "How often sensors are read, up to 10000 a second; `auto` is 1000 while a task is open and 10 otherwise.",
        choices=("auto",),
        cli="--sampling-hz",
        **_OWN,
    )
    sysfs_root: str = _row("/sys", parsers.path, "path", "Where sysfs is mounted.", cli="--sysfs-root", **_OWN)
    procfs_root: str = _row("/proc", parsers.path, "path", "Where procfs is mounted.", cli="--procfs-root", **_OWN)
    dev_root: str = _row("/dev", parsers.path, "path", "Where device files are.", cli="--dev-root", **_OWN)
    nvml_library: str = _row(
        "libnvidia-ml.so.1", parsers.path, "path", "NVIDIA's management library.", cli="--nvml-library", **_OWN
    )
    project_id: str | None = _text(
        None,  # type: ignore[arg-type]
        "Project whose experiment the run belongs to.",
        is_nullable=True,
        unbuilt="no experiment will be created in it",
        cli="--project-id",
        **_OWN,
    )
    project_token: Secret | None = _row(
        None,
        parsers.secret,
        "secret",
        "Another name of `api_key`.",
        is_secret=True,
        is_nullable=True,
        alias_of="api_key",
        **_OWN,
    )

    intensity_providers: tuple[str, ...] | None = _row(
        None,
        parsers.names,
        "list",
        "Sources of live carbon intensity, in the order in which they are asked: names in a list or separated by "
        "commas; `static`, the yearly averages, when there is no token.",
        is_nullable=True,
        cli="--intensity-providers",
        **_OWN,
    )
    intensity_zones: tuple[tuple[str, str], ...] = _row(
        (),
        parsers.pairs,
        "list",
        "The place as a source names it, for example `electricity_maps=DK-DK1`, separated by commas; a zone alone is "
        "for all of them.",
        cli="--intensity-zones",
        **_OWN,
    )
    intensity_file: str | None = _row(
        None,
        parsers.path,
        "path",
        "File of the source `json_file`.",
        is_nullable=True,
        cli="--intensity-file",
        **_OWN,
    )
    intensity_urls: tuple[tuple[str, str], ...] = _row(
        (),
        parsers.pairs,
        "list",
        "Base addresses of sources in place of their own, for example `electricity_maps=http://localhost:8080/v3/`; "
        "not accepted from the working folder's file, which may be somebody else's.",
        **_OWN,
    )
    watttime_username: str | None = _text(
        None,  # type: ignore[arg-type]
        "Account at WattTime; WATTTIME_USER serves as well.",
        is_nullable=True,
        **_OWN,
    )
    watttime_password: Secret | None = _row(
        None,
        parsers.secret,
        "secret",
        "Password of the account at WattTime; WATTTIME_PASSWORD serves as well.",
        is_secret=True,
        is_nullable=True,
        **_OWN,
    )

    offset_api_key: Secret | None = _row(
        None,
        parsers.secret,
        "secret",
        "Key for OneClickImpact, or for `offset_provider`; with it, emissions are added up and offset with real "
        "money, unless `offset_environment` is `sandbox`.",
        is_secret=True,
        is_nullable=True,
        **_OWN,
    )
    offset_provider: str = _text(
        "oneclickimpact",
        "Who sells offsets and gets the key: `oneclickimpact`, or a name that another distribution announces; of all "
        "files, only the one in the home folder may say so.",
        allowed_files="personal",
        **_OWN,
    )
    offset_environment: str = _row(
        "production",
        parsers.choice("production", "sandbox"),
        "choice",
        "Where offsets are bought: `production` for real ones, `sandbox` for tests.",
        choices=("production", "sandbox"),
        is_explicit=True,
        **_OWN,
    )
    offset_threshold: float = _row(
        0.5,
        parsers.number(at_least=0.5, at_most=_MOST_KG),
        "number",
        "Emissions, kg CO2e, from which on an offset is bought by itself; at least 0.5, since whole pounds are bought.",
        **_OWN,
    )
    auto_offset: bool = _flag(
        True, "Whether offsets are bought by themselves; otherwise emissions are only added up.", **_OWN
    )
    offset_max_per_run_kg: float = _row(
        50.0,
        parsers.number(above=0, at_most=_MOST_KG),
        "number",
        "The most that one run may buy, kg CO2e; `codecarbon offset now` buys what is left.",
        **_OWN,
    )
    offset_dry_run: bool = _flag(
        False, "Whether to do everything but buy; what a dry run counts is kept apart.", **_OWN
    )
    offset_stop_wait_s: float = _row(
        10.0,
        parsers.number(at_least=0, at_most=SECONDS_PER_HOUR),
        "number",
        "How long the end of a run waits for a purchase that is under way, seconds.",
        **_OWN,
    )
    offset_base_url: str | None = _row(
        None,
        parsers.strict_text,
        "text",
        "Base address of the offset service in place of its own, for tests; not accepted from files, which may be "
        "somebody else's.",
        is_nullable=True,
        allowed_files="none",
        **_OWN,
    )
    offset_auto_release: str = _row(
        "never",
        parsers.choice("never", "sandbox", "always"),
        "choice",
        "Where a purchase of unknown outcome may be taken for not made, after two full looks at the service's records.",
        choices=("never", "sandbox", "always"),
        **_OWN,
    )

    origins: dict[str, str] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()

    @classmethod
    def of(cls, values: Mapping[str, object], origins: dict[str, str], notices: tuple[Notice, ...]) -> Settings:
        """Make the record of one value per row, already parsed."""
        settings = cls.__new__(cls)
        for row in SETTINGS:
            object.__setattr__(settings, row.name, values[row.name])
        object.__setattr__(settings, "origins", origins)
        object.__setattr__(settings, "notices", notices)
        return settings

    def origin(self, name: str) -> str:
        """Say where a setting's value came from: ``constructor``, a variable, a file's path or ``default``.

        Raises:
            KeyError: There is no setting of this name.
        """
        return self.origins.get(BY_NAME[name].name, "default")

    def as_dict(self) -> dict[str, object]:
        """All settings by name, in the table's order; secrets stay hidden in their type."""
        return {row.name: getattr(self, row.name) for row in SETTINGS}

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={getattr(self, name)!r} ({origin})" for name, origin in self.origins.items())
        return f"Settings({given})"


class Notice(NamedTuple):
    """Something to tell the user about the settings.

    Attributes:
        key: Notices of one key are given once per process; empty for each time.
        text: What to say.
        level: Level of the log message; 0 for a ``DeprecationWarning`` instead.
    """

    key: str
    text: str
    level: int


SETTINGS: tuple[Setting, ...] = tuple(
    Setting(name=entry.name, default=entry.default, **entry.metadata) for entry in fields(Settings) if entry.metadata
)
BY_NAME: dict[str, Setting] = {row.name: row for row in SETTINGS}
POSITIONAL: tuple[str, ...] = tuple(row.name for row in SETTINGS if row.is_positional)

RETIRED: dict[str, str] = {
    "misfire_grace_time": "the sampler has no job queue whose jobs could be late",
    "max_instances": "the sampler never overlaps itself",
    "default_cpu_power": "use force_cpu_power",
}
"""Keywords of older versions that no longer do anything, and why."""
