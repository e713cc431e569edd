"""Tracking by decoration: functions, coroutines, generators and asynchronous generators, measured while they run."""

from __future__ import annotations

import functools
import inspect
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from codecarbon.config import build_decorator_signature, hide_secrets
from codecarbon.errors import ConfigError
from codecarbon.tracker.facade import BaseEmissionsTracker, EmissionsTracker, OfflineEmissionsTracker

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from contextlib import AbstractContextManager
    from types import TracebackType

    from typing_extensions import Self, Unpack

    from codecarbon.tracker.options import DecoratorOptions

F = TypeVar("F", bound="Callable[..., Any]")

_SIGNATURE = build_decorator_signature()
_POSITIONAL = [
    name
    for name, parameter in _SIGNATURE.parameters.items()
    if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
][1:]


class TaskEmissionsTracker:
    """Measures a ``with`` block as a task.

    Args:
        task_name: Name of the task.
        tracker: The tracker it belongs to; without one, a tracker of its own runs for the length of the block.

    Attributes:
        tracker: The tracker.
    """

    def __init__(self, task_name: str, tracker: BaseEmissionsTracker | None = None) -> None:
        self.task_name = task_name
        self.is_default_tracker = tracker is None
        self.tracker = EmissionsTracker() if tracker is None else tracker

    def __enter__(self) -> Self:
        self.tracker.start_task(self.task_name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.tracker.stop_task(self.task_name)
        if self.is_default_tracker:
            self.tracker.stop()


@overload
def track_emissions(fn: F, /) -> F: ...
@overload
def track_emissions(fn: None = None, *args: Any, **options: Unpack[DecoratorOptions]) -> Callable[[F], F]: ...
def track_emissions(fn: Any = None, *args: Any, **options: Any) -> Any:
    """Measure every call of a function with a tracker of its own.

    Works bare and with arguments. A coroutine is measured until it returns, a generator until it is exhausted or
    closed. Values, exceptions and metadata pass through unchanged.

    Args:
        fn: The function.
        args: Settings in the order of this function's signature.
        options: Settings of the tracker, and ``offline``: True for the offline tracker, which needs a country or a
            cloud provider.
    """
    if fn is not None and not callable(fn):
        raise TypeError(f"track_emissions decorates a function, not {fn!r}: pass settings as keywords")
    if len(args) > len(_POSITIONAL):
        raise TypeError(f"at most {len(_POSITIONAL)} positional settings are accepted, {len(args)} were given")
    settings = dict(zip(_POSITIONAL, args, strict=False))
    if twice := settings.keys() & options.keys():
        raise TypeError(f"got multiple values for {', '.join(sorted(twice))}")
    settings.update(options)
    is_offline = bool(settings.pop("offline", False))
    make = functools.partial(_offline_tracker if is_offline else EmissionsTracker, **hide_secrets(settings))

    def decorate(function: F) -> F:
        return _measure(function, make)

    return decorate if fn is None else decorate(fn)


@overload
def track_task_emissions(fn: F, tracker: BaseEmissionsTracker | None = None, task_name: str = "") -> F: ...
@overload
def track_task_emissions(
    fn: None = None, tracker: BaseEmissionsTracker | None = None, task_name: str = ""
) -> Callable[[F], F]: ...
def track_task_emissions(fn: Any = None, tracker: BaseEmissionsTracker | None = None, task_name: str = "") -> Any:
    """Measure every call of a function as a task.

    Args:
        fn: The function.
        tracker: The tracker; without one each call gets its own, made when the call begins.
        task_name: Name of the task; the function's name when it is empty.
    """

    def decorate(function: F) -> F:
        name = task_name or getattr(function, "__name__", "")
        return _measure(function, lambda: TaskEmissionsTracker(name, tracker))

    return decorate if fn is None else decorate(fn)


track_emissions.__signature__ = _SIGNATURE  # type: ignore[attr-defined]


def _offline_tracker(**options: Any) -> OfflineEmissionsTracker:
    tracker = OfflineEmissionsTracker(**options)
    settings = tracker.settings
    if not (settings.country_iso_code or settings.country_2letter_iso_code or settings.cloud_provider):
        raise ConfigError(
            "country_iso_code",
            None,
            "decorator, environment and files",
            "an ISO country code, which is needed with offline=True unless there is a cloud_provider",
        )
    return tracker


def _measure(function: F, make: Callable[[], AbstractContextManager[Any]]) -> F:
    """Wrap a function of any kind so that a fresh context is open while its body runs."""
    if inspect.isasyncgenfunction(function):
        return cast("F", _measure_async_generator(function, make))
    wrapper: Any
    if inspect.iscoroutinefunction(function):

        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            with make():
                return await function(*args, **kwargs)

    elif inspect.isgeneratorfunction(function):

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with make():
                return (yield from function(*args, **kwargs))

    else:

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with make():
                return function(*args, **kwargs)

    return cast("F", functools.wraps(function)(wrapper))


def _measure_async_generator(function: Callable[..., Any], make: Callable[[], AbstractContextManager[Any]]) -> Any:
    """Wrap an asynchronous generator: what ``yield from`` does for a plain one has to be spelled out."""

    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        with make():
            async with aclosing(function(*args, **kwargs)) as inner:
                step = inner.asend(None)
                while True:
                    try:
                        value = await step
                    except StopAsyncIteration:
                        return
                    try:
                        sent = yield value
                    except GeneratorExit:
                        raise
                    except BaseException as error:  # noqa: BLE001 (it goes to the generator, which decides)
                        step = inner.athrow(error)
                    else:
                        step = inner.asend(sent)

    return wrapper
