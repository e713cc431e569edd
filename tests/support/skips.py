"""The only reasons for which a test may be skipped, and where each is expected."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

import pytest

NO_HARDWARE = "no hardware: "
NO_SYSTEM = "not on this system: "
NO_PERMISSION = "no permission: "


def skip_without_hardware(what: str) -> NoReturn:
    """Skip because a device is not in this machine, for example ``an NVIDIA card``."""
    pytest.skip(NO_HARDWARE + what)


def skip_on_system(what: str) -> NoReturn:
    """Skip because the kernel or architecture has no such thing, for example ``user namespaces``."""
    pytest.skip(NO_SYSTEM + what)


def skip_without_permission(what: str) -> NoReturn:
    """Skip because this user may not; never in CI, for example ``perf_event_open needs root here``."""
    pytest.skip(NO_PERMISSION + what)


def unexpected_skips(skips: Iterable[tuple[str, str]], *, in_ci: bool) -> list[str]:
    """Return one line per skip that is not expected.

    Args:
        skips: Test id and reason of every skipped test.
        in_ci: Whether lack of permission is unexpected too.
    """
    expected = (NO_HARDWARE, NO_SYSTEM) if in_ci else (NO_HARDWARE, NO_SYSTEM, NO_PERMISSION)
    return [
        f"unexpected skip of {test}: {reason}"
        for test, reason in skips
        if not reason.removeprefix("Skipped: ").startswith(expected)
    ]
