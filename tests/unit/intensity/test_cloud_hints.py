"""Clouds that a machine's files give away."""

from __future__ import annotations

import json

import pytest

from codecarbon.intensity import CloudHint, GivenPlace, find_cloud_hint, find_place, get_intensity
from codecarbon.intensity.cloud_hints import region_of_zone

GOOGLE = {"sys_vendor": "Google\n", "product_name": "Google Compute Engine\n"}
AMAZON = {"sys_vendor": "Amazon EC2\n", "product_name": "m5.large\n"}
AZURE = {"sys_vendor": "Microsoft Corporation\n", "chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77\n"}


class Machine:
    """A tree of files that stands for / and /sys."""

    def __init__(self, folder):
        self.root = folder / "root"
        self.sysfs = folder / "sys"

    def write(self, name: str, text: str) -> Machine:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return self

    def dmi(self, **files: str) -> Machine:
        folder = self.sysfs / "class/dmi/id"
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        return self

    def cloud_init(self, **v1: object) -> Machine:
        return self.write("run/cloud-init/instance-data.json", json.dumps({"v1": v1, "ds": {}}))

    def hint(self, **environ: str) -> CloudHint | None:
        return find_cloud_hint(environ, sysfs=str(self.sysfs), root=str(self.root))

    def place(self, **environ: str):
        return find_place(GivenPlace(), environ=environ, sysfs=str(self.sysfs), root=str(self.root))


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_bare_machine_says_nothing(machine):
    assert machine.hint() is None
    assert machine.dmi(sys_vendor="Dell Inc.\n", product_name="PowerEdge\n").hint() is None
    assert machine.place().label == "unknown place"


@pytest.mark.parametrize(("dmi", "provider"), [(GOOGLE, "gcp"), (AMAZON, "aws"), (AZURE, "azure")])
def test_firmware_names_the_provider_but_no_region(machine, dmi, provider):
    assert machine.dmi(**dmi).hint() == CloudHint(provider, None, "firmware (DMI)")
    assert machine.place().country_iso_code is None


def test_old_amazon_machines_are_known_by_their_firmware_version(machine):
    hint = machine.dmi(sys_vendor="Xen\n", bios_version="4.11.amazon\n").hint()
    assert hint is not None
    assert hint.provider == "aws"


def test_hyper_v_guests_outside_azure_are_not_azure(machine):
    assert machine.dmi(sys_vendor="Microsoft Corporation\n", product_name="Virtual Machine\n").hint() is None


@pytest.mark.parametrize(
    ("v1", "expected"),
    [
        ({"cloud_name": "aws", "region": "eu-west-3"}, ("aws", "eu-west-3")),
        ({"cloud_name": "azure", "region": "westeurope"}, ("azure", "westeurope")),
        ({"cloud_name": "gce", "region": "europe-west1"}, ("gcp", "europe-west1")),
        ({"platform": "gce", "region": None, "availability_zone": "europe-west10-a"}, ("gcp", "europe-west10")),
    ],
)
def test_cloud_init_names_provider_and_region(machine, v1, expected):
    hint = machine.cloud_init(**v1).hint()
    assert hint is not None
    assert (hint.provider, hint.region) == expected
    assert hint.origin == "cloud-init"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"v1": 3}', '{"v1": {}}', '{"v1": {"platform": "lxd"}}'])
def test_useless_cloud_init_file_says_nothing(machine, text):
    assert machine.write("run/cloud-init/instance-data.json", text).hint() is None


@pytest.mark.parametrize(
    ("text", "provider"),
    [
        ("DataSourceEc2Local\n", "aws"),
        ("DataSourceAzure [seed=/dev/sr0]\n", "azure"),
        ("DataSourceGCELocal\n", "gcp"),
    ],
)
def test_data_source_of_cloud_init_names_the_provider(machine, text, provider):
    assert machine.write("var/lib/cloud/instance/datasource", text).hint() == CloudHint(provider, None, "cloud-init")


def test_other_data_sources_say_nothing(machine):
    assert machine.write("var/lib/cloud/instance/datasource", "DataSourceNoCloud [seed=/dev/vda]\n").hint() is None


def test_cloud_init_without_a_region_is_completed_by_the_resolver(machine):
    machine.cloud_init(cloud_name="aws", region=None)
    assert machine.hint() == CloudHint("aws", None, "cloud-init")
    machine.write("etc/resolv.conf", "nameserver 10.0.0.2\nsearch eu-west-1.compute.internal\n")
    assert machine.hint() == CloudHint("aws", "eu-west-1", "cloud-init and resolv.conf")


@pytest.mark.parametrize(
    ("dmi", "search", "region"),
    [
        (GOOGLE, "default.svc.cluster.local us-central1-c.c.my-project.internal google.internal", "us-central1"),
        (GOOGLE, "c.my-project.internal google.internal", None),
        (AMAZON, "ec2.internal", "us-east-1"),
        (AMAZON, "ap-south-1.compute.internal.", "ap-south-1"),
        (AMAZON, "corp.example", None),
        (AZURE, "abc.internal.cloudapp.net", None),
    ],
)
def test_search_domain_names_the_region(machine, dmi, search, region):
    hint = machine.dmi(**dmi).write("etc/resolv.conf", f"# comment\n\nsearch {search}\noptions ndots:5\n").hint()
    assert hint is not None
    assert hint.region == region


def test_search_domain_alone_is_no_evidence_of_a_cloud(machine):
    assert machine.write("etc/resolv.conf", "search eu-west-1.compute.internal\n").hint() is None


def test_aws_region_counts_only_inside_a_runtime_of_aws(machine):
    assert machine.hint(AWS_REGION="eu-west-3") is None
    hint = machine.hint(AWS_REGION="eu-west-3", AWS_EXECUTION_ENV="AWS_ECS_FARGATE")
    assert hint is not None
    assert (hint.provider, hint.region) == ("aws", "eu-west-3")


def test_azure_app_service_names_its_region(machine):
    hint = machine.hint(REGION_NAME="France Central", WEBSITE_INSTANCE_ID="0a1b")
    assert hint is not None
    assert (hint.provider, hint.region) == ("azure", "francecentral")
    assert machine.hint(REGION_NAME="France Central") is None


@pytest.mark.parametrize(
    ("zone", "region"),
    [
        ("us-central1-a", "us-central1"),
        ("europe-west1-b", "europe-west1"),
        ("europe-west10-a", "europe-west10"),
        ("europe-west12-c", "europe-west12"),
        ("projects/123456/zones/europe-west12-a", "europe-west12"),
        ("us-south1-ai1b", "us-south1"),
        ("northamerica-northeast2", "northamerica-northeast2"),
        ("nonsense", None),
        ("", None),
    ],
)
def test_d15_google_zones_with_two_digits_keep_both(zone, region):
    assert region_of_zone(zone) == region


def test_d15_berlin_is_not_priced_as_belgium(machine):
    place = machine.cloud_init(platform="gce", availability_zone="europe-west10-a").place()
    assert (place.country_iso_code, place.region) == ("DEU", "berlin")
    assert get_intensity(place).intensity_g_per_kwh == 345.0


def test_google_machine_is_a_cloud_place_and_a_guess(machine):
    place = machine.cloud_init(cloud_name="gce", region="us-central1").place()
    assert (place.cloud_provider, place.cloud_region) == ("gcp", "us-central1")
    assert (place.country_iso_code, place.country_name, place.region) == ("USA", "United States", "iowa")
    assert place.is_guess
    assert place.origin == "guessed from cloud-init: gcp us-central1"
    assert get_intensity(place).intensity_g_per_kwh == 430.0


def test_clouds_without_figures_count_as_private_machines_in_their_country(machine):
    place = machine.cloud_init(cloud_name="aws", region="us-west-2").place()
    assert (place.cloud_provider, place.cloud_region) == ("", "")
    assert (place.country_iso_code, place.region) == ("USA", "oregon")
    assert place.is_guess
    assert "aws us-west-2" in place.origin


def test_region_that_the_tables_do_not_hold_leaves_the_time_zone(machine):
    machine.cloud_init(cloud_name="aws", region="mars-north-1")
    machine.write("usr/share/zoneinfo/zone.tab", "FR\t+4852+00220\tEurope/Paris\n")
    assert machine.place(TZ="Europe/Paris").origin == "guessed from the time zone Europe/Paris"
