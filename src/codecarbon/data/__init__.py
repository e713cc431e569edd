"""Shipped tables: thermal design power of processors, and carbon intensity of electricity by place.

``tables.json`` beside the tables says what each holds, whose figures they are, of which year, and under which terms.
``tools/build_tables.py`` makes them; they are not edited by hand.
"""

from codecarbon.data.cpu import find_tdp_w
from codecarbon.data.places import (
    CloudRegion,
    Country,
    Region,
    find_cloud_region,
    find_country,
    find_factor,
    find_region,
    regions_of,
    world_average,
)
from codecarbon.data.tables import find_row, read_rows, table_path

__all__ = [
    "CloudRegion",
    "Country",
    "Region",
    "find_cloud_region",
    "find_country",
    "find_factor",
    "find_region",
    "find_row",
    "find_tdp_w",
    "read_rows",
    "regions_of",
    "table_path",
    "world_average",
]
