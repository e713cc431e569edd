"""The cloud this machine is in, in the shape of codecarbon 3; read from files, never from the metadata service."""

from __future__ import annotations

import os
from typing import Any

from codecarbon.intensity import CloudHint, find_cloud_hint

__all__ = ["get_env_cloud_details"]

_NAMES = {"aws": "AWS", "azure": "Azure", "gcp": "GCP"}


def find_cloud(*, sysfs: str | None = None, root: str = "/") -> CloudHint | None:
    """Find the cloud, with sysfs where ``CODECARBON_SYSFS_ROOT`` says when it is None."""
    sysfs = sysfs or os.environ.get("CODECARBON_SYSFS_ROOT", "/sys")
    return find_cloud_hint(os.environ, sysfs=sysfs, root=root)


def get_env_cloud_details(
    timeout: float = 1,  # noqa: ARG001 (nothing is waited for any more)
    *,
    sysfs: str | None = None,
    root: str = "/",
) -> dict[str, Any] | None:
    """Return ``{"provider": …, "metadata": …}`` of this machine's cloud, or None.

    The metadata hold what the provider's own service calls the region: ``region`` (AWS), ``compute.location`` (Azure)
    or ``zone`` (Google; here the region, since the files need not name the zone). Without a known region they are
    empty.

    Args:
        timeout: Without effect; codecarbon 3 asked the network.
        sysfs: Root of sysfs; None for the configured one.
        root: Folder that stands for ``/`` when files outside sysfs are read.
    """
    hint = find_cloud(sysfs=sysfs, root=root)
    if hint is None:
        return None
    shapes: dict[str, dict[str, Any]] = {
        "aws": {"region": hint.region},
        "azure": {"compute": {"location": hint.region}},
        "gcp": {"zone": hint.region},
    }
    return {"provider": _NAMES[hint.provider], "metadata": shapes[hint.provider] if hint.region else {}}
