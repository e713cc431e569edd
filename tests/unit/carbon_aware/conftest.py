"""What tests of carbon aware questions share."""

from __future__ import annotations

import pytest

from tests.support.carbon_aware import PROFILES


@pytest.fixture(params=PROFILES)
def profile(request) -> str:
    """Each of the two profiles in turn."""
    return request.param
