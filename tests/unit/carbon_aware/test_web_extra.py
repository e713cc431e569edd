"""The WebApi without the extra that it needs."""

from __future__ import annotations

import sys

import pytest

from codecarbon.carbon_aware import web
from codecarbon.errors import MissingExtraError


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn", "orjson", "yaml", "prometheus_client", "swagger_ui_bundle"])
@pytest.mark.parametrize("name", ["serve", "create_app", "WebSettings"])
def test_without_the_extra_the_error_says_what_to_install(monkeypatch, missing, name):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'codecarbon\[carbon-aware\]'"):
        getattr(web, name)


def test_other_names_are_no_attributes():
    assert not hasattr(web, "nothing")
