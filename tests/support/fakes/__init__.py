"""Services of other people, played on this machine; ``python -m tests.support.fakes`` runs one by hand."""

from __future__ import annotations

from importlib import import_module

from tests.support.fakes.base import FakeServer

# Name by which a fake is started by hand: "module:class".
FAKES = {
    "electricity_maps": "tests.support.fakes.electricity_maps:FakeElectricityMaps",
    "energi_data_service": "tests.support.fakes.energi_data_service:FakeEnergiDataService",
    "energy_charts": "tests.support.fakes.energy_charts:FakeEnergyCharts",
    "oneclickimpact": "tests.support.fakes.oneclickimpact:FakeOneClickImpact",
    "uk_carbon_intensity": "tests.support.fakes.uk_carbon_intensity:FakeUkCarbonIntensity",
    "echo": "tests.support.fakes.base:EchoServer",
    "watttime": "tests.support.fakes.watttime:FakeWattTime",
}


def get_fake(name: str) -> type[FakeServer]:
    """Find a fake's class by its name."""
    module, _, attribute = FAKES[name].partition(":")
    return getattr(import_module(module), attribute)
