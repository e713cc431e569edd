"""The emission engine, the place classes and the cloud lookup of codecarbon 3."""

from __future__ import annotations

import json
import logging

import pytest

from codecarbon.config.log import forget_warnings
from codecarbon.core.cloud import get_env_cloud_details
from codecarbon.core.emissions import Emissions
from codecarbon.core.units import Energy
from codecarbon.errors import LocationError
from codecarbon.external.geography import CloudMetadata, GeoMetadata
from codecarbon.input import DataSource


@pytest.fixture
def engine():
    return Emissions(DataSource())


@pytest.fixture
def said(caplog, monkeypatch):
    """What was logged, with every warning still unsaid."""
    forget_warnings()
    monkeypatch.setattr(logging.getLogger("codecarbon"), "propagate", True)
    caplog.set_level(logging.DEBUG, "codecarbon")
    yield caplog
    forget_warnings()


@pytest.mark.parametrize(("provider", "region"), [("aws", "us-east-1"), ("azure", "eastus")])
def test_clouds_without_figures_fall_back(engine, provider, region, said):
    kg = engine.get_cloud_emissions(Energy.from_energy(kWh=0.6), CloudMetadata(provider, region))
    assert kg == pytest.approx(0.285)
    assert f"no figure for {provider}:{region}" in said.text
    geo = GeoMetadata("FRA", "France")
    kg = engine.get_cloud_emissions(Energy(1.0), CloudMetadata(provider, region), geo)
    assert kg == pytest.approx(0.056, abs=5e-4)


def test_google_region_uses_its_row(engine, said):
    assert engine.get_cloud_emissions(Energy(2.0), CloudMetadata("gcp", "us-central1")) == pytest.approx(0.86)
    assert engine.get_cloud_emissions(Energy(1.0), CloudMetadata("gcp", "europe-west1")) == pytest.approx(0.122)
    assert not said.records


@pytest.mark.parametrize(
    ("geo", "kwh", "kg"),
    [
        (GeoMetadata("FRA", "France"), 1, 0.056),
        (GeoMetadata("usa"), 1, 0.369),
        (GeoMetadata("USA", "United States", "Illinois"), 1, 0.368),
        (GeoMetadata("USA", None, "California"), 1, 0.2053),
        (GeoMetadata("CAN", "Canada", "ontario"), 3, 0.194),
        (GeoMetadata("CAN", "Canada"), 3, 0.510),
        (GeoMetadata("SWE", "Sweden", "SE2"), 1, 0.018),
        (GeoMetadata("FIN", "Finland", "FI"), 2.5, 0.18),
        (GeoMetadata("SWE", "Sweden", "Uppsala County"), 1, 0.041),
        (GeoMetadata("AAA", "Nowhere"), 1, 0.475),
        (GeoMetadata(None), 1, 0.475),
    ],
)
def test_private_infrastructure(engine, geo, kwh, kg):
    assert engine.get_private_infra_emissions(Energy(kwh), geo) == pytest.approx(kg, abs=1e-3)


def test_county_of_a_nordic_country_is_no_reason_to_warn(engine, said):
    engine.get_private_infra_emissions(Energy(1.0), GeoMetadata("SWE", "Sweden", "Uppsala County"))
    assert not said.records


def test_unknown_place_is_warned_about_once(engine, said):
    for _ in range(3):
        engine.get_private_infra_emissions(Energy(1.0), GeoMetadata(None))
        engine.get_private_infra_emissions(Energy(1.0), GeoMetadata("USA", None, "100% Atlantis"))
    assert len(said.records) == 2
    assert "unknown place, world average" in said.text
    assert "'100% atlantis'" in said.text


def test_region_and_country_on_their_own(engine):
    assert engine.get_region_emissions(Energy(1.0), GeoMetadata("CAN", None, "quebec")) == pytest.approx(
        0.0039, abs=1e-4
    )
    assert engine.get_country_emissions(Energy(1.0), GeoMetadata("CAN", None, "quebec")) == pytest.approx(
        0.170, abs=1e-3
    )
    with pytest.raises(LocationError, match="Region 'atlantis' not found for country 'USA'"):
        engine.get_region_emissions(Energy(1.0), GeoMetadata("USA", None, "Atlantis"))


@pytest.mark.parametrize("forced", [0.0, 50.0])
def test_forced_intensity_replaces_everything(forced, said):
    engine = Emissions(DataSource(), force_carbon_intensity_g_co2e_kwh=forced)
    kg = pytest.approx(forced / 1000)
    assert engine.get_cloud_emissions(Energy(1.0), CloudMetadata("gcp", "us-central1")) == kg
    assert engine.get_private_infra_emissions(Energy(1.0), GeoMetadata(None)) == kg
    assert engine.get_region_emissions(Energy(1.0), GeoMetadata("CAN", None, "quebec")) == kg
    assert not said.records


def test_the_old_name_of_the_token_costs_one_warning(said):
    for _ in range(2):
        Emissions(DataSource(), co2_signal_api_token="abc")
    assert len(said.records) == 1
    assert "deprecated" in said.text


def test_facts_of_a_cloud_region(engine):
    iowa, belgium = CloudMetadata("gcp", "us-central1"), CloudMetadata("gcp", "europe-west1")
    assert engine.get_cloud_country_name(iowa) == "United States"
    assert engine.get_cloud_country_iso_code(iowa) == "USA"
    assert engine.get_cloud_geo_region(iowa) == "Iowa"
    assert engine.get_cloud_geo_region(belgium) == "St. Ghislain"


def test_unknown_cloud_region_is_an_error_with_the_old_text(engine):
    nowhere = CloudMetadata("foo", "bar")
    with pytest.raises(ValueError, match=r"^Unable to find country name"):
        engine.get_cloud_country_name(nowhere)
    with pytest.raises(ValueError, match=r"^Unable to find country ISO Code"):
        engine.get_cloud_country_iso_code(nowhere)
    with pytest.raises(ValueError, match=r"^Unable to find State/City name"):
        engine.get_cloud_geo_region(nowhere)
    with pytest.raises(ValueError, match=r"^Unable to find State/City name"):
        engine.get_cloud_geo_region(CloudMetadata("azure", "westeurope"))


def test_geo_metadata_normalises_case():
    geo = GeoMetadata("fra", "France", "Bretagne", 48.1, -1.7, "fr")
    assert (geo.country_iso_code, geo.country_2letter_iso_code, geo.region) == ("FRA", "FR", "bretagne")
    assert (geo.latitude, geo.longitude, geo.country_name) == (48.1, -1.7, "France")
    assert "country_iso_code='FRA'" in repr(geo)


def test_cloud_metadata_knows_private_machines():
    assert CloudMetadata(None, None).is_on_private_infra
    assert not CloudMetadata("gcp", "us-central1").is_on_private_infra


def _machine(folder, **v1):
    path = folder / "run/cloud-init"
    path.mkdir(parents=True)
    (path / "instance-data.json").write_text(json.dumps({"v1": v1}), encoding="utf-8")
    return {"sysfs": str(folder / "sys"), "root": str(folder)}


@pytest.mark.parametrize(
    ("v1", "details"),
    [
        ({"cloud_name": "aws", "region": "eu-west-3"}, {"provider": "AWS", "metadata": {"region": "eu-west-3"}}),
        (
            {"cloud_name": "azure", "region": "westeurope"},
            {"provider": "Azure", "metadata": {"compute": {"location": "westeurope"}}},
        ),
        ({"cloud_name": "gce", "region": "us-east5"}, {"provider": "GCP", "metadata": {"zone": "us-east5"}}),
        ({"cloud_name": "gce"}, {"provider": "GCP", "metadata": {}}),
        ({"cloud_name": "lxd"}, None),
    ],
)
def test_cloud_details_keep_their_shape(tmp_path, v1, details):
    assert get_env_cloud_details(**_machine(tmp_path, **v1)) == details


def test_sysfs_root_is_honoured(tmp_path, monkeypatch):
    folder = tmp_path / "sys/class/dmi/id"
    folder.mkdir(parents=True)
    (folder / "sys_vendor").write_text("Amazon EC2\n", encoding="utf-8")
    monkeypatch.setenv("CODECARBON_SYSFS_ROOT", str(tmp_path / "sys"))
    assert get_env_cloud_details(root=str(tmp_path)) == {"provider": "AWS", "metadata": {}}


def test_google_machine_is_a_cloud_region(tmp_path):
    cloud = CloudMetadata.from_utils(**_machine(tmp_path, platform="gce", availability_zone="europe-west12-a"))
    assert cloud == CloudMetadata("gcp", "europe-west12")


@pytest.mark.parametrize("v1", [{"cloud_name": "aws", "region": "eu-west-3"}, {"cloud_name": "gce"}])
def test_clouds_without_figures_become_private_machines(tmp_path, v1, said):
    cloud = CloudMetadata.from_utils(**_machine(tmp_path, **v1))
    assert cloud.is_on_private_infra
    assert "counts as private" in said.text


def test_machine_outside_clouds_is_private(tmp_path, said):
    assert CloudMetadata.from_utils(sysfs=str(tmp_path / "sys"), root=str(tmp_path)).is_on_private_infra
    assert not said.records
