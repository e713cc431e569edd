"""Which cloud this machine is in, as far as its files say; nothing is asked over the network.

Read are: the firmware's identity (DMI), what cloud-init left behind, the resolver's search domains, and the few
environment variables that a cloud's own runtime sets. AWS_REGION alone is not one of them: people set it on laptops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from codecarbon.intensity.files import read_or_empty

if TYPE_CHECKING:
    from collections.abc import Mapping

_DMI = "class/dmi/id"
# Azure machines carry this chassis tag in every region; other Hyper-V guests do not.
# https://github.com/canonical/cloud-init/blob/main/cloudinit/sources/azure/identity.py
_AZURE_TAG = "7783-7084-3265-9085-8269-3286-77"
_DATA_SOURCES = {"DataSourceEc2": "aws", "DataSourceAzure": "azure", "DataSourceGCE": "gcp"}
_CLOUD_NAMES = {"aws": "aws", "ec2": "aws", "azure": "azure", "gce": "gcp", "gcp": "gcp"}


class CloudHint(NamedTuple):
    """A cloud provider, its region if that is known too, and where both were read."""

    provider: str
    region: str | None
    origin: str


def find_cloud_hint(environ: Mapping[str, str], *, sysfs: str = "/sys", root: str = "/") -> CloudHint | None:
    """Find the cloud this machine runs in, or None.

    Args:
        environ: The environment.
        sysfs: Root of sysfs.
        root: Folder that stands for ``/`` when files outside sysfs are read.
    """
    hint = _from_environment(environ) or _from_cloud_init(root)
    if hint is not None and hint.region:
        return hint
    provider = hint.provider if hint is not None else _dmi_provider(sysfs)
    if provider is None:
        return hint
    origin = hint.origin if hint is not None else "firmware (DMI)"
    region = _resolver_region(provider, root)
    return CloudHint(provider, region, f"{origin} and resolv.conf" if region else origin)


def region_of_zone(zone: str) -> str | None:
    """Return the region of a Google zone: ``europe-west12-a`` -> ``europe-west12``."""
    import re

    match = re.match(r"[a-z]+-[a-z]+[0-9]+(?![0-9])", zone.rpartition("/")[2])
    return match[0] if match else None


def _from_environment(environ: Mapping[str, str]) -> CloudHint | None:
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html (set by Lambda, Fargate, CloudShell)
    if environ.get("AWS_EXECUTION_ENV") and environ.get("AWS_REGION"):
        return CloudHint("aws", environ["AWS_REGION"].lower(), "AWS_REGION beside AWS_EXECUTION_ENV")
    # https://learn.microsoft.com/azure/app-service/reference-app-settings; the region is a display name
    if environ.get("WEBSITE_INSTANCE_ID") and environ.get("REGION_NAME"):
        region = environ["REGION_NAME"].replace(" ", "").lower()
        return CloudHint("azure", region, "REGION_NAME beside WEBSITE_INSTANCE_ID")
    return None


def _from_cloud_init(root: str) -> CloudHint | None:
    """What cloud-init wrote for everybody to read; its own names are in `v1`, the same for all clouds.

    https://docs.cloud-init.io/en/latest/explanation/instancedata.html
    """
    text = read_or_empty(f"{root}/run/cloud-init/instance-data.json")
    hint = _from_instance_data(text) if text else None
    if hint is not None:
        return hint
    # For example "DataSourceEc2Local"; says nothing about the region.
    source = read_or_empty(f"{root}/var/lib/cloud/instance/datasource")
    provider = next((name for prefix, name in _DATA_SOURCES.items() if source.startswith(prefix)), None)
    return CloudHint(provider, None, "cloud-init") if provider else None


def _from_instance_data(text: str) -> CloudHint | None:
    import json

    try:
        standard = json.loads(text)["v1"]
        names = [str(standard.get(key)).lower() for key in ("cloud_name", "platform")]
        region, zone = standard.get("region"), standard.get("availability_zone")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # cut off, or not cloud-init's
    provider = next((_CLOUD_NAMES[name] for name in names if name in _CLOUD_NAMES), None)
    if provider is None:
        return None
    if not isinstance(region, str) or not region:
        region = region_of_zone(zone) if provider == "gcp" and isinstance(zone, str) else None
    return CloudHint(provider, region.lower() if region else None, "cloud-init")


def _dmi_provider(sysfs: str) -> str | None:
    def dmi(name: str) -> str:
        return read_or_empty(f"{sysfs}/{_DMI}/{name}").strip()

    vendor = dmi("sys_vendor")
    if vendor == "Amazon EC2" or "amazon" in dmi("bios_version").lower():
        return "aws"
    if vendor == "Google" and dmi("product_name").startswith("Google Compute Engine"):
        return "gcp"
    if dmi("chassis_asset_tag") == _AZURE_TAG:
        return "azure"
    return None


def _resolver_region(provider: str, root: str) -> str | None:
    """The region in a search domain: ``us-central1-a.c.PROJECT.internal``, ``eu-west-1.compute.internal``."""
    for line in read_or_empty(f"{root}/etc/resolv.conf").splitlines():
        keyword, *domains = line.split()[:16] or [""]
        if keyword not in ("search", "domain"):
            continue
        for domain in domains:
            head, _, tail = domain.lower().rstrip(".").partition(".")
            if provider == "aws" and tail == "compute.internal":
                return head
            if provider == "aws" and (head, tail) == ("ec2", "internal"):
                return "us-east-1"  # the one region whose domain does not name it
            if provider == "gcp" and tail.startswith("c.") and tail.endswith(".internal"):
                return region_of_zone(head)
    return None
