"""Every error codecarbon raises.

::

    CodeCarbonError
    ├─ ConfigError (ValueError)          a setting has a bad value: field, value, origin
    │  └─ OutputPathError (OSError)      a folder or file for results can never be written
    ├─ TrackerStateError (RuntimeError)  a call that the object's state does not allow
    ├─ MissingExtraError (ImportError)   an optional dependency is not installed: extra
    ├─ LocationError (LookupError)       a place is not in the tables
    ├─ SensorError                       channel, path
    │  ├─ SensorUnavailable              it is not there
    │  ├─ SensorPermissionError          it is there, and the message says what to grant
    │  ├─ SensorReadError                a read failed; it may work again
    │  └─ SensorLost                     it went away for good
    ├─ IntensityError                    provider, location
    │  ├─ NoIntensityData                no table or provider has a value
    │  ├─ ProviderUnavailable            no answer, for now: retry_after_s
    │  ├─ ProviderRejected               it answered with an error: status, detail, retry_after_s
    │  ├─ ProviderDataError              its answer cannot be used
    │  └─ CapabilityError                this provider never has that: capability
    ├─ WindowInfeasible (ValueError)     no start fits the time that is allowed
    ├─ CarbonAwareError                  a question about carbon intensity cannot be answered
    │  ├─ InvalidParameters (ValueError) problems, one for each field
    │  ├─ UnknownLocation (LookupError)  location, reason
    │  ├─ NotConfigured                  role
    │  ├─ NotCovered                     the data do not cover the period
    │  └─ DiscontinuousData              the data have a gap or overlap
    ├─ RequestError                      a server does not serve a request
    │  ├─ RequestRejected                it is not what the route takes: errors, status, title
    │  ├─ RequestTooLarge                its body is too long
    │  └─ ServerBusy                     too many are being served already
    ├─ OffsetError                       emissions cannot be offset
    │  └─ LedgerError                    the file of accruals and purchases cannot be used
    └─ HandlerError                      handler, retryable
"""

from __future__ import annotations


class CodeCarbonError(Exception):
    """Base of all errors of this package."""


class ConfigError(CodeCarbonError, ValueError):
    """A setting has a value that cannot be used.

    Args:
        field: Name of the setting.
        value: The value as it was given.
        origin: Where it came from, for example ``constructor`` or a file's path.
        expected: What would have been accepted.
    """

    def __init__(self, field: str, value: object, origin: str, expected: str) -> None:
        self.field = field
        self.value = value
        self.origin = origin
        self.expected = expected
        super().__init__(f"{field}={value!r} (from {origin}) cannot be used: expected {expected}")

    def __reduce__(self) -> tuple[type[ConfigError], tuple[str, object, str, str]]:
        return type(self), (self.field, self.value, self.origin, self.expected)


class OutputPathError(ConfigError, OSError):
    """A path for results is the wrong kind of file; also an ``OSError``, as in version 3."""


class TrackerStateError(CodeCarbonError, RuntimeError):
    """The call does not fit the object's state; the message names the call that does."""


class MissingExtraError(CodeCarbonError, ImportError):
    """An optional dependency is missing.

    Args:
        extra: The extra that installs it.
        feature: What needs it.
    """

    def __init__(self, extra: str, feature: str) -> None:
        self.extra = extra
        self.feature = feature
        super().__init__(f"{feature} needs an optional dependency: pip install 'codecarbon[{extra}]'")

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        return type(self), (self.extra, self.feature)


class LocationError(CodeCarbonError, LookupError):
    """A place is unknown to the tables."""


class SensorError(CodeCarbonError):
    """A sensor cannot be used.

    Args:
        message: What happened and what to do.
        channel: Name of the channel, or of the interface.
        path: The file, device or library concerned.
    """

    def __init__(self, message: str, channel: str = "", path: str = "") -> None:
        self.message = message
        self.channel = channel
        self.path = path
        super().__init__(message)

    def __reduce__(self) -> tuple[type[SensorError], tuple[str, str, str]]:
        return type(self), (self.message, self.channel, self.path)


class SensorUnavailable(SensorError):
    """The sensor does not exist on this machine."""


class SensorPermissionError(SensorError):
    """The sensor exists and may not be read; the message says what to grant."""


class SensorReadError(SensorError):
    """A read failed; a later one may succeed."""


class SensorLost(SensorError):
    """The sensor went away for good."""


class IntensityError(CodeCarbonError):
    """A carbon intensity cannot be given.

    Args:
        message: What happened.
        provider: Name of the provider.
        location: The place asked for.
    """

    def __init__(self, message: str, provider: str = "", location: str = "") -> None:
        self.message = message
        self.provider = provider
        self.location = location
        super().__init__(message)

    def __reduce__(self) -> tuple[type[IntensityError], tuple[object, ...]]:
        return type(self), (self.message, self.provider, self.location)


class NoIntensityData(IntensityError):
    """Neither a table nor a provider has a value for the place and time."""


class ProviderUnavailable(IntensityError):
    """A provider gave no answer, or none within its limits; a later call may succeed.

    Args:
        message: What happened.
        provider: Name of the provider.
        location: The place asked for.
        retry_after_s: When to come back, if that is known.
    """

    def __init__(
        self, message: str, provider: str = "", location: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, provider, location)
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[type[IntensityError], tuple[object, ...]]:
        return type(self), (self.message, self.provider, self.location, self.retry_after_s)


class ProviderRejected(IntensityError):
    """A provider answered with an error status.

    Args:
        message: What happened.
        provider: Name of the provider.
        location: The place asked for.
        status: The HTTP status.
        detail: What the provider said, without secrets.
        retry_after_s: When to come back, if the provider said so.
    """

    def __init__(
        self,
        message: str,
        provider: str = "",
        location: str = "",
        status: int = 0,
        detail: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, provider, location)
        self.status = status
        self.detail = detail
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[type[IntensityError], tuple[object, ...]]:
        return type(self), (
            *(self.message, self.provider, self.location),
            *(self.status, self.detail, self.retry_after_s),
        )


class ProviderDataError(IntensityError):
    """A provider's answer cannot be used: cut off, of another shape, for another zone, or beyond belief."""


class CapabilityError(IntensityError):
    """A provider never has what was asked for.

    Args:
        message: What happened.
        provider: Name of the provider.
        location: The place asked for.
        capability: What it lacks, for example ``forecast``.
    """

    def __init__(self, message: str, provider: str = "", location: str = "", capability: str = "") -> None:
        super().__init__(message, provider, location)
        self.capability = capability

    def __reduce__(self) -> tuple[type[IntensityError], tuple[object, ...]]:
        return type(self), (self.message, self.provider, self.location, self.capability)


class WindowInfeasible(CodeCarbonError, ValueError):
    """No start fits: the run is longer than the data, or than the time that is allowed."""


class CarbonAwareError(CodeCarbonError):
    """A question about carbon intensity cannot be answered.

    Attributes:
        item_index: The item of a batch that it is about, from 0; None outside of batches.
    """

    item_index: int | None = None

    def _reduced(self, *arguments: object) -> tuple[type[CarbonAwareError], tuple[object, ...], dict[str, object]]:
        """What ``__reduce__`` returns: how to make it again, and what was added to it since."""
        return type(self), arguments, {"item_index": self.item_index}


class InvalidParameters(CarbonAwareError, ValueError):
    """Parameters are missing or contradict each other.

    Args:
        problems: Pairs of a neutral field name, for example ``start``, and a sentence in which ``{start}`` stands
            for the name that the caller's interface has for a field.
        detail: What is wrong as a whole.
    """

    def __init__(self, problems: tuple[tuple[str, str], ...], detail: str = "Invalid parameters") -> None:
        self.problems = problems
        self.detail = detail
        import re  # not before an error needs it

        # Whoever sees the text of the error itself calls fields by their neutral names.
        sentences = (re.sub(r"\{(\w+)\}", r"\1", text) for _, text in problems)
        super().__init__(": ".join(filter(None, (detail, "; ".join(sentences)))))

    def __reduce__(self) -> tuple[type[CarbonAwareError], tuple[object, ...], dict[str, object]]:
        return self._reduced(self.problems, self.detail)


class UnknownLocation(CarbonAwareError, LookupError):
    """A place is in no location file, or outside a source's area.

    Args:
        location: The place as it was asked for.
        reason: Why it is not known, if that is more than a missing key.
    """

    def __init__(self, location: str, reason: str = "") -> None:
        self.location = location
        self.reason = reason
        super().__init__(f"Unknown Location: '{location}' not found" + (f": {reason}" if reason else ""))

    def __reduce__(self) -> tuple[type[CarbonAwareError], tuple[object, ...], dict[str, object]]:
        return self._reduced(self.location, self.reason)


class NotConfigured(CarbonAwareError):
    """No data source is configured for a role, for example ``EmissionsDataSource``."""

    def __init__(self, role: str) -> None:
        self.role = role
        super().__init__(f"{role} is not configured")

    def __reduce__(self) -> tuple[type[CarbonAwareError], tuple[object, ...], dict[str, object]]:
        return self._reduced(self.role)


class NotCovered(CarbonAwareError):
    """The data do not cover the whole period that was asked for."""


class DiscontinuousData(CarbonAwareError):
    """The data have a gap, an overlap or no order where an average needs neighbours that touch."""


class RequestError(CodeCarbonError):
    """A server of this package does not serve a request."""


class RequestRejected(RequestError):
    """A query or a body is not what the route takes.

    Args:
        errors: Pairs of a wire name, or of a path in the body, and what is wrong.
        status: The HTTP status.
        title: The kind of failure.
    """

    def __init__(
        self,
        errors: tuple[tuple[str, str], ...],
        status: int = 400,
        title: str = "One or more validation errors occurred.",
    ) -> None:
        self.errors = errors
        self.status = status
        self.title = title
        super().__init__(title)

    def __reduce__(self) -> tuple[type[RequestRejected], tuple[object, ...]]:
        return type(self), (self.errors, self.status, self.title)


class RequestTooLarge(RequestError):
    """The body of a request is longer than it may be."""


class ServerBusy(RequestError):
    """As many requests as may be are being served already; a later one may succeed."""


class OffsetError(CodeCarbonError):
    """Emissions cannot be offset, or what was bought cannot be kept account of."""


class LedgerError(OffsetError):
    """The file of what was accrued and bought cannot be used; the message says why and what to do."""


class HandlerError(CodeCarbonError):
    """An output handler failed.

    Args:
        message: What happened and what to do.
        handler: Name of the handler.
        retryable: Whether the same call may succeed later.
    """

    def __init__(self, message: str, handler: str = "", retryable: bool = False) -> None:
        self.message = message
        self.handler = handler
        self.retryable = retryable
        super().__init__(message)

    def __reduce__(self) -> tuple[type[HandlerError], tuple[str, str, bool]]:
        return type(self), (self.message, self.handler, self.retryable)
