from __future__ import annotations

import pytest

from tests.support.logger_state import restored_logger


@pytest.fixture(autouse=True)
def logger_as_before():
    with restored_logger():
        yield
