"""Whether the server lives, and whether it can answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import orjson
from fastapi import Request, Response

from codecarbon.carbon_aware.moments import write_time
from codecarbon.carbon_aware.web.counts import Counts, sources_of
from codecarbon.carbon_aware.web.front import IS_LOCKED_OUT
from codecarbon.web.problem import JSON_TYPE

if TYPE_CHECKING:
    from codecarbon.carbon_aware.context import Context
    from codecarbon.intensity.provider import IntensityProvider

Status = Literal["healthy", "degraded", "unhealthy"]
_NEVER_CACHED = {
    "cache-control": "no-store, no-cache",
    "pragma": "no-cache",
    "expires": "Thu, 01 Jan 1970 00:00:00 GMT",
}
_UNAVAILABLE = 503
_SYNTHETIC = frozenset({"sample"})


class Health:
    """Answers the health routes.

    Args:
        context: Sources and their problems.
        counts: What the sources did so far.
    """

    def __init__(self, context: Context, counts: Counts) -> None:
        self._context = context
        self._counts = counts

    async def live(self, request: Request) -> Response:  # noqa: ARG002 (the shape of a route)
        """Say that the process answers."""
        return Response(b"Healthy", headers={**_NEVER_CACHED, "content-type": "text/plain"})

    async def ready(self, request: Request) -> Response:
        """Say whether questions can be answered, and what is in the way."""
        sources = [self._source(role, provider) for role, provider in sources_of(self._context)]
        status = self._status(sources)
        document: dict[str, Any] = {"status": status}
        if not request.scope.get(IS_LOCKED_OUT):
            document["profile"] = self._context.options.profile
            document["sources"] = sources
            document["problems"] = [
                {"key": one.key, "message": one.message, "origin": one.origin or None, "isWarning": one.is_warning}
                for one in self._context.problems
            ]
        code = _UNAVAILABLE if status == "unhealthy" else 200
        return Response(orjson.dumps(document), code, {**_NEVER_CACHED, "content-type": JSON_TYPE})

    def _status(self, sources: list[dict[str, Any]]) -> Status:
        if any(not one.is_warning for one in self._context.problems):
            return "unhealthy"
        if self._context.problems or any(one["status"] != "healthy" for one in sources):
            return "degraded"
        return "healthy"

    def _source(self, role: str, provider: IntensityProvider | None) -> dict[str, Any]:
        if provider is None:
            return {"role": role, "name": None, "status": "degraded", "detail": "not configured"}
        success_us = self._counts.last_success_us.get(provider.name)
        failure = self._counts.last_failure.get(provider.name)
        is_failing = provider.name in self._counts.failing
        is_synthetic = provider.name in _SYNTHETIC
        detail = "synthetic values, for trying things out" if is_synthetic else None
        return {
            "role": role,
            "name": provider.name,
            "status": "degraded" if is_synthetic or is_failing else "healthy",
            "detail": failure[1] if is_failing and failure else detail,
            "signalType": provider.signal,
            "capabilities": sorted(provider.capabilities),
            "isSynthetic": is_synthetic,
            "lastSuccess": None if success_us is None else write_time(success_us),
            "lastFailure": None if failure is None else write_time(failure[0]),
        }
