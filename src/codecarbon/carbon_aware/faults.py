"""What an error is to somebody who asks over HTTP or the command line: status, title, detail and field messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from codecarbon.carbon_aware.names import BINDING_DETAIL, Endpoint, get_names
from codecarbon.errors import (
    CapabilityError,
    CarbonAwareError,
    CodeCarbonError,
    DiscontinuousData,
    InvalidParameters,
    NoIntensityData,
    NotConfigured,
    NotCovered,
    ProviderRejected,
    ProviderUnavailable,
    UnknownLocation,
    WindowInfeasible,
)

if TYPE_CHECKING:
    from codecarbon.carbon_aware.options import Options, Profile

BINDING_TYPE = "https://tools.ietf.org/html/rfc9110#section-15.5.1"
_ARGUMENT = "ArgumentException"
_OPERATION = "InvalidOperationException"
_NOT_IMPLEMENTED = "NotImplementedException"
_INTERNAL = "InternalServerError"
_BAD_REQUEST, _SERVER_ERROR, _NOT_IMPLEMENTED_STATUS, _BAD_GATEWAY = 400, 500, 501, 502
_AUTH = (401, 403)
_ERRORS_FROM = 400
_ERRORS_UPTO = 599
# What asks for something that cannot be; everything else is a fault of ours or of a provider.
_KINDS: tuple[tuple[tuple[type[CodeCarbonError], ...], tuple[int, str]], ...] = (
    ((DiscontinuousData,), (_BAD_REQUEST, _OPERATION)),
    ((UnknownLocation, NotCovered, NotConfigured, WindowInfeasible, NoIntensityData), (_BAD_REQUEST, _ARGUMENT)),
    ((CapabilityError,), (_NOT_IMPLEMENTED_STATUS, _NOT_IMPLEMENTED)),
)
# The field that an error is about.
_FIELDS: dict[type[CodeCarbonError], str] = {
    UnknownLocation: "location",
    NoIntensityData: "location",
    NotCovered: "start",
    DiscontinuousData: "start",
    WindowInfeasible: "duration",
}
# Titles that clients know; other sources are titled in the same manner.
_TITLES = {
    "watttime": "WattTimeClientHttpException",
    "electricity_maps": "ElectricityMapsClientHttpException",
    "electricity_maps_free": "ElectricityMapsFreeClientHttpException",
}


class Fault(NamedTuple):
    """One error, as it is answered.

    Attributes:
        status: The HTTP status.
        title: What kind of error it is.
        detail: What happened; None when that is not for everybody to read.
        errors: Sentences by field, in the words of the interface.
        type_uri: The ``type`` of the problem document; None where it has none.
        retry_after_s: When to come back, seconds; None when that is unknown.
        is_provider: Whether a provider answered with an error.
    """

    status: int
    title: str
    detail: str | None
    errors: dict[str, list[str]]
    type_uri: str | None = None
    retry_after_s: float | None = None
    is_provider: bool = False


def describe_fault(error: CodeCarbonError, endpoint: Endpoint, options: Options) -> Fault:
    """Return what to answer when an operation raised an error.

    Args:
        error: What it raised.
        endpoint: Whose question it was.
        options: The settings; profile, verbosity and what becomes of a provider's 401 count.
    """
    if isinstance(error, InvalidParameters):
        if error.detail == BINDING_DETAIL:
            # The framework's own complaints have always used the names on the wire.
            wire = get_names(endpoint, "documented").render(error.problems)
            return Fault(_BAD_REQUEST, BINDING_DETAIL, None, wire, BINDING_TYPE)
        errors = get_names(endpoint, options.profile).render(error.problems)
        return Fault(_BAD_REQUEST, _ARGUMENT, error.detail, errors)
    if isinstance(error, ProviderRejected):
        return _rejected(error, options)
    kind = next((kind for classes, kind in _KINDS if isinstance(error, classes)), None)
    if kind is not None:
        status, title = kind
        return Fault(status, title, str(error), _field_errors(error, endpoint, options.profile))
    retry_after_s = error.retry_after_s if isinstance(error, ProviderUnavailable) else None
    title, detail = (type(error).__name__, str(error)) if options.is_verbose else (_INTERNAL, None)
    return Fault(_SERVER_ERROR, title, detail, {}, retry_after_s=retry_after_s)


def _field_errors(error: CodeCarbonError, endpoint: Endpoint, profile: Profile) -> dict[str, list[str]]:
    """The field that an error is about; `strict` and the command line leave it to the detail, as upstream does."""
    field = _FIELDS.get(type(error))
    if field is None or profile == "strict" or endpoint == "command_line":
        return {}
    index = error.item_index if isinstance(error, CarbonAwareError) else None
    prefix = "" if index is None else f"[{index}]."
    return get_names(endpoint, profile).render(((f"{prefix}{field}", str(error)),))


def _rejected(error: ProviderRejected, options: Options) -> Fault:
    title = _TITLES.get(error.provider) or f"{error.provider.title().replace('_', '')}ClientHttpException"
    status = error.status if _ERRORS_FROM <= error.status <= _ERRORS_UPTO else _BAD_GATEWAY
    if options.maps_provider_auth_errors and status in _AUTH:
        status = _BAD_GATEWAY
    detail = f"{error}: {error.detail}" if error.detail and error.detail not in str(error) else str(error)
    return Fault(status, title, detail, {}, retry_after_s=error.retry_after_s, is_provider=True)
