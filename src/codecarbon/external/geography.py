"""The place classes of codecarbon 3. Nothing here asks the network: a cloud is known from files only."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from codecarbon.core.cloud import find_cloud

__all__ = ["CloudMetadata", "GeoMetadata"]

logger = logging.getLogger(__name__)
# Clouds that publish no figures count as private machines, as they did in codecarbon 3.
_WITH_FIGURES = "gcp"


@dataclass
class CloudMetadata:
    """A cloud region; both parts are None on a private machine."""

    provider: str | None
    region: str | None

    @property
    def is_on_private_infra(self) -> bool:
        """Whether this is no cloud region."""
        return self.provider is None and self.region is None

    @classmethod
    def from_utils(cls, *, sysfs: str | None = None, root: str = "/") -> CloudMetadata:
        """Find the cloud region of this machine from its files.

        Args:
            sysfs: Root of sysfs; None for the configured one.
            root: Folder that stands for ``/`` when files outside sysfs are read.
        """
        hint = find_cloud(sysfs=sysfs, root=root)
        if hint is None:
            return cls(None, None)
        if hint.provider != _WITH_FIGURES or hint.region is None:
            what = f"{hint.provider} {hint.region or 'in an unknown region'}"
            logger.warning("This machine is in the cloud (%s), which publishes no figure: it counts as private", what)
            return cls(None, None)
        return cls(hint.provider, hint.region)


class GeoMetadata:
    """A country, and what else is known of a place; codes are upper case, the region lower case."""

    def __init__(  # noqa: PLR0917 (the order of codecarbon 3)
        self,
        country_iso_code: str | None,
        country_name: str | None = None,
        region: str | None = None,
        latitude: float | None = None,
        longitude: float | None = None,
        country_2letter_iso_code: str | None = None,
    ) -> None:
        self.country_iso_code = country_iso_code.upper() if country_iso_code is not None else None
        self.country_2letter_iso_code = country_2letter_iso_code.upper() if country_2letter_iso_code else None
        self.country_name = country_name
        self.region = region.lower() if region is not None else None
        self.latitude = latitude
        self.longitude = longitude

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"GeoMetadata({fields})"
