"""The Carbon Aware WebApi: ``create_app`` for any ASGI server, ``serve`` for one that is ready. Needs the extra."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from codecarbon.errors import MissingExtraError

if TYPE_CHECKING:
    from codecarbon.carbon_aware.web.app import create_app
    from codecarbon.carbon_aware.web.serving import serve
    from codecarbon.carbon_aware.web_settings import WebSettings

__all__ = ["WebSettings", "create_app", "serve"]

_HOMES = {
    "WebSettings": "codecarbon.carbon_aware.web_settings",
    "create_app": "codecarbon.carbon_aware.web.app",
    "serve": "codecarbon.carbon_aware.web.serving",
}
_NEEDED = ("fastapi", "uvicorn", "orjson", "yaml", "prometheus_client", "swagger_ui_bundle")


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if any(find_spec(module) is None for module in _NEEDED):
        raise MissingExtraError("carbon-aware", "The Carbon Aware WebApi")
    return getattr(__import__(home, fromlist=(name,)), name)
