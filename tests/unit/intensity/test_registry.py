"""Names of sources, and what they lead to."""

from __future__ import annotations

import sys

import pytest

from codecarbon.errors import ConfigError
from codecarbon.intensity import BUILT_IN_PROVIDERS, get_provider_class, is_provider
from codecarbon.intensity.constant import Constant
from tests.support.fresh_python import run_python


@pytest.mark.parametrize("name", BUILT_IN_PROVIDERS)
def test_a_name_leads_to_its_class(name):
    assert get_provider_class(name).name == name
    assert is_provider(name)


def test_the_built_in_names_are_pinned():
    assert set(BUILT_IN_PROVIDERS) == {
        "watttime",
        "electricity_maps",
        "electricity_maps_free",
        "uk_carbon_intensity",
        "energi_data_service",
        "energy_charts",
        "json_file",
        "constant",
        "static",
        "sample",
    }


def test_an_unknown_name_is_refused_with_the_known_ones():
    assert not is_provider("ElectricityMaps")
    with pytest.raises(ConfigError, match=r"one of watttime, electricity_maps.*codecarbon\.intensity_providers"):
        get_provider_class("ElectricityMaps")


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """An installed distribution that announces a source, and one that cannot be imported."""
    folder = tmp_path / "own_source-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: own-source\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(
        "[codecarbon.intensity_providers]\nown = own_source:Own\nlost = no_such_module:Lost\n"
    )
    (tmp_path / "own_source.py").write_text(
        "from codecarbon.intensity.constant import Constant\n\n\nclass Own(Constant):\n    name = 'own'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("own_source", None)


@pytest.mark.usefixtures("plugin")
def test_another_distribution_may_announce_a_source():
    assert is_provider("own")
    found = get_provider_class("own")
    assert issubclass(found, Constant)
    assert found.name == "own"


@pytest.mark.usefixtures("plugin")
def test_an_announced_source_that_cannot_be_imported_is_named():
    with pytest.raises(ConfigError, match="no_such_module:Lost"):
        get_provider_class("lost")


def test_no_source_is_imported_until_it_is_named():
    code = (
        "import sys\nfrom codecarbon.intensity import get_provider_class\nget_provider_class('constant')\n"
        "print(sorted(name for name in sys.modules if name.startswith('codecarbon.intensity.') or "
        "name in ('requests', 'codecarbon.transport')))"
    )
    loaded = run_python(code)
    assert "codecarbon.intensity.constant" in loaded
    assert "json_file" not in loaded
    assert "watttime" not in loaded
    assert "transport" not in loaded
    assert "requests" not in loaded
