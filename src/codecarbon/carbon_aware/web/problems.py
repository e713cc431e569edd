"""Errors as the problem bodies of the Carbon Aware WebApi."""

from __future__ import annotations

import logging
import math
import traceback
from typing import TYPE_CHECKING

from fastapi import Response

from codecarbon.carbon_aware.faults import describe_fault
from codecarbon.errors import RequestRejected, RequestTooLarge, ServerBusy
from codecarbon.web.problem import Problem
from codecarbon.web.trace import trace_id

if TYPE_CHECKING:
    from codecarbon.carbon_aware.names import Endpoint
    from codecarbon.carbon_aware.options import Options
    from codecarbon.errors import CodeCarbonError

_log = logging.getLogger(__name__)
_SERVER_ERROR = 500
_BUSY_S = 1.0


def problem_of(error: CodeCarbonError, endpoint: Endpoint, options: Options) -> Problem:
    """Say why a request failed.

    Args:
        error: What was raised.
        endpoint: Whose question it was; decides the names of fields.
        options: The settings.
    """
    if isinstance(error, RequestRejected):
        return Problem(error.status, error.title, errors=error.errors, has_type=True)
    if isinstance(error, RequestTooLarge):
        return Problem(413, "Content Too Large", f"{error}", has_type=True)
    if isinstance(error, ServerBusy):
        return Problem(503, "Service Unavailable", f"{error}", retry_after_s=_BUSY_S)
    fault = describe_fault(error, endpoint, options)
    if fault.status == _SERVER_ERROR and not fault.is_provider:  # 501 is no failure of the server
        _log.warning("A request failed: %s: %s", type(error).__name__, _one_line(str(error)))
    errors = [(name, message) for name, messages in fault.errors.items() for message in messages]
    if options.is_verbose and not fault.is_provider and fault.type_uri is None:
        errors.append(("stackTrace", "".join(traceback.format_exception(error))))
    return Problem(
        fault.status,
        fault.title,
        fault.detail,
        tuple(errors),
        has_type=fault.type_uri is not None,
        retry_after_s=fault.retry_after_s,
    )


def _one_line(text: str) -> str:
    """Return a text that adds no lines to a log and moves no cursor, though clients may have chosen parts of it."""
    return "".join(each if each.isprintable() else " " for each in text)


def unforeseen(error: Exception, options: Options) -> Problem:
    """Say that something failed that nobody thought of; what it was is for the log, unless the server is verbose."""
    if not options.is_verbose:
        return Problem(_SERVER_ERROR, "InternalServerError")
    trace = "".join(traceback.format_exception(error))
    return Problem(_SERVER_ERROR, type(error).__name__, str(error), (("stackTrace", trace),))


def headers_of(problem: Problem) -> dict[str, str]:
    """Return the headers of a problem body."""
    headers = {"content-type": problem.media_type, "cache-control": "no-store"}
    if problem.retry_after_s is not None:
        headers["retry-after"] = str(max(0, math.ceil(problem.retry_after_s)))
    return headers


def response_of(problem: Problem, traceparent: bytes | None) -> Response:
    """Make the answer of a problem.

    Args:
        problem: The problem.
        traceparent: The request's header of that name.
    """
    return Response(problem.body(trace_id(traceparent)), problem.status, headers_of(problem))
