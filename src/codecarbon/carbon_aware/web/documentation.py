"""The routes of the documentation: the OpenAPI document, and Swagger UI from an installed package."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import orjson
import swagger_ui_bundle
import yaml
from fastapi import Request, Response
from fastapi.responses import FileResponse

from codecarbon.carbon_aware.web.front import ORIGINAL_PATH
from codecarbon.carbon_aware.web.openapi import make_document
from codecarbon.web.problem import JSON_TYPE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from codecarbon.carbon_aware.options import Profile

    Handler = Callable[[Request], Awaitable[Response]]

_ASSETS = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui-standalone-preset.js": "text/javascript; charset=utf-8",
    "favicon-16x16.png": "image/png",
    "favicon-32x32.png": "image/png",
}
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Carbon Aware WebApi</title>
  <link rel="stylesheet" href="./swagger-ui.css">
  <link rel="icon" type="image/png" href="./favicon-32x32.png" sizes="32x32">
  <link rel="icon" type="image/png" href="./favicon-16x16.png" sizes="16x16">
</head>
<body>
  <div id="swagger-ui"></div>
  <script src="./swagger-ui-bundle.js"></script>
  <script src="./swagger-ui-standalone-preset.js"></script>
  <script src="./swagger-initializer.js"></script>
</body>
</html>
"""
# No validator: it would send the document to a server on the internet.
_INITIALIZER = """window.onload = () => {
  window.ui = SwaggerUIBundle({
    url: "./v1/swagger.json",
    dom_id: "#swagger-ui",
    validatorUrl: null,
    deepLinking: true,
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    layout: "StandaloneLayout",
  });
};
"""
# The browser itself refuses anything from elsewhere.
_OWN_ONLY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def _fixed(body: bytes, media_type: str, **headers: str) -> Handler:
    async def answer(request: Request) -> Response:  # noqa: ARG001 (the shape of a route)
        return Response(body, headers={"content-type": media_type, **headers})

    return answer


def _asset(name: str, media_type: str) -> Handler:
    path = Path(str(swagger_ui_bundle.swagger_ui_path)) / name

    async def answer(request: Request) -> Response:  # noqa: ARG001 (the shape of a route)
        return FileResponse(path, headers={"content-type": media_type, "cache-control": "max-age=86400"})

    return answer


async def _to_page(request: Request) -> Response:
    folder: str = request.scope[ORIGINAL_PATH].rstrip("/")
    return Response(status_code=301, headers={"location": f"{quote(folder)}/index.html"})


class _Plain(yaml.SafeDumper):
    """Writes shared schemas out each time: readers of YAML limit how many aliases they follow."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


@cache
def document_texts(profile: Profile) -> tuple[bytes, bytes]:
    """Return the document as JSON and as YAML."""
    document = make_document(profile)
    text = yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True)
    return orjson.dumps(document, option=orjson.OPT_INDENT_2), text.encode()


def documentation_routes(profile: Profile) -> list[tuple[str, Handler]]:
    """Return path and handler of every documentation route; all are GET."""
    json_text, yaml_text = document_texts(profile)
    as_json, as_yaml = _fixed(json_text, JSON_TYPE), _fixed(yaml_text, "application/x-yaml")
    return [
        ("/swagger/v1/swagger.json", as_json),
        ("/openapi.json", as_json),
        ("/swagger/v1/swagger.yaml", as_yaml),
        ("/api/v1/swagger.yaml", as_yaml),
        ("/swagger", _to_page),
        (
            "/swagger/index.html",
            _fixed(_PAGE.encode(), "text/html; charset=utf-8", **{"content-security-policy": _OWN_ONLY}),
        ),
        ("/swagger/swagger-initializer.js", _fixed(_INITIALIZER.encode(), "text/javascript; charset=utf-8")),
        *((f"/swagger/{name}", _asset(name, media_type)) for name, media_type in _ASSETS.items()),
    ]
