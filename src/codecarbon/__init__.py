"""Energy and carbon measurement that can be trusted inside a hot training loop.

Importing this package loads nothing heavy: every public name is resolved when it is first used (PEP 562).
"""

from codecarbon._version import __version__

# Spelled out instead of imported: `typing` alone would take longer than everything else here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from codecarbon.carbon_aware import CarbonAware
    from codecarbon.carbon_aware.decorator import carbon_aware as carbon_aware
    from codecarbon.config import OutputMethod
    from codecarbon.measure import EnergyMeter
    from codecarbon.model import EmissionsData, EmissionsRecord
    from codecarbon.tracker import (
        EmissionsTracker,
        OfflineEmissionsTracker,
        TaskEmissionsTracker,
        track_emissions,
        track_task_emissions,
    )

__app_name__ = "codecarbon"

__all__ = [
    "CarbonAware",
    "EmissionsData",
    "EmissionsRecord",
    "EmissionsTracker",
    "EnergyMeter",
    "OfflineEmissionsTracker",
    "OutputMethod",
    "TaskEmissionsTracker",
    "__app_name__",
    "__version__",
    "track_emissions",
    "track_task_emissions",
]

_HOMES = {
    "CarbonAware": "codecarbon.carbon_aware",
    "EmissionsData": "codecarbon.model",
    "EmissionsRecord": "codecarbon.model",
    "EmissionsTracker": "codecarbon.tracker",
    "EnergyMeter": "codecarbon.measure",
    "OfflineEmissionsTracker": "codecarbon.tracker",
    "OutputMethod": "codecarbon.config",
    "TaskEmissionsTracker": "codecarbon.tracker",
    "track_emissions": "codecarbon.tracker",
    "track_task_emissions": "codecarbon.tracker",
}
# codecarbon 3 had these loaded as a side effect, so `codecarbon.output.EmissionsData` worked after a bare import.
_MODULES = (
    "carbon_aware",
    "core",
    "emissions_tracker",
    "errors",
    "external",
    "input",
    "lock",
    "output",
    "output_methods",
)


def __getattr__(name: str) -> object:
    if home := _HOMES.get(name):
        value = getattr(__import__(home, fromlist=(name,)), name)
    elif name in _MODULES:
        try:
            value = __import__(f"codecarbon.{name}", fromlist=("_",))
        except ModuleNotFoundError as error:
            raise AttributeError(f"module 'codecarbon' has no attribute {name!r}") from error
    else:
        raise AttributeError(f"module 'codecarbon' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
