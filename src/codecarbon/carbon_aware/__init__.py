"""When and where electricity is cleanest: the operations behind the WebApi, the command lines and the library.

The module itself is the decorator ``codecarbon.carbon_aware(duration=…, deadline=…)``.
"""

from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codecarbon.carbon_aware.context import Context, build_context
    from codecarbon.carbon_aware.library import CarbonAware
    from codecarbon.carbon_aware.operations import Operations
    from codecarbon.carbon_aware.options import Options

__all__ = ["CarbonAware", "Context", "Operations", "Options", "build_context"]

_HOMES = {
    "CarbonAware": "library",
    "Context": "context",
    "Operations": "operations",
    "Options": "options",
    "build_context": "context",
}


def __getattr__(name: str) -> object:
    if home := _HOMES.get(name):
        return getattr(__import__(f"{__name__}.{home}", fromlist=(name,)), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _CallableModule(ModuleType):
    def __call__(self, *args: object, **kwargs: object) -> object:
        """Decorate a function; see ``codecarbon.carbon_aware.decorator.carbon_aware``."""
        import importlib

        return importlib.import_module(f"{__name__}.decorator").carbon_aware(*args, **kwargs)


sys.modules[__name__].__class__ = _CallableModule
