"""The shipped tables are what tools/build_tables.py made, and hold what the lookups rely on."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codecarbon.data import find_row, read_rows, table_path
from codecarbon.data.tables import get_row, read_text

FOLDER = Path(table_path("countries")).parent
ABOUT = json.loads((FOLDER / "tables.json").read_text(encoding="utf-8"))
ROOT = Path(__file__).parents[3]


def test_every_table_is_described_and_every_description_has_its_table():
    assert {path.stem for path in FOLDER.glob("*.tsv")} == set(ABOUT)


@pytest.mark.parametrize("name", ABOUT)
def test_table_is_as_built(name):
    content = Path(table_path(name)).read_bytes()
    assert hashlib.sha256(content).hexdigest() == ABOUT[name]["sha256"], "edited by hand"
    assert content.count(b"\n") == ABOUT[name]["rows"] + 1
    assert content.endswith(b"\n")
    assert ABOUT[name]["source"]
    assert ABOUT[name]["licence"]
    assert ABOUT[name]["date"]


@pytest.mark.parametrize("name", set(ABOUT) - {"sources", "cpu_tdp"})
def test_keys_are_unique_and_sorted(name):
    keys = [line.partition("\t")[0] for line in read_text(name).splitlines()[1:]]
    assert keys == sorted(set(keys))


def test_processors_are_sorted_by_an_anchor_out_of_their_own_words():
    rows = read_rows("cpu_tdp")
    assert [row["anchor"] for row in rows] == sorted(row["anchor"] for row in rows)
    assert len({row["words"] for row in rows}) == len(rows) > 4800
    for row in rows:
        assert row["anchor"] in row["words"].split()
        assert row["words"] == f" {' '.join(row['words'].split())} "
        assert 0 < float(row["tdp_w"]) <= 500


@pytest.mark.parametrize("name", ["countries", "regions", "cloud_regions", "factors"])
def test_every_figure_has_a_known_source(name):
    sources = {row["source"] for row in read_rows("sources")}
    figures = [row for row in read_rows(name) if row["g_per_kwh"]]
    assert figures
    for row in figures:
        assert row["source"] in sources
        assert 0 < float(row["g_per_kwh"]) < 2000
        assert not row["year"] or 2000 < int(row["year"]) < 2030


def test_yearly_means_name_their_year():
    assert all(row["year"] for name in ("countries", "regions") for row in read_rows(name) if row["g_per_kwh"])


def test_all_iso_countries_are_there_and_most_have_a_figure():
    rows = read_rows("countries")
    assert len(rows) == len({row["iso2"] for row in rows}) == 249
    assert sum(bool(row["g_per_kwh"]) for row in rows) == 213


def test_every_cloud_region_lies_in_a_country_and_its_state_is_known():
    countries = {row["iso3"] for row in read_rows("countries")}
    regions = {row["place"] for row in read_rows("regions")}
    for row in read_rows("cloud_regions"):
        assert row["iso3"] in countries
        if row["state"] and not row["g_per_kwh"]:
            assert f"{row['iso3']}/{row['state']}" in regions


def test_sources_name_publisher_address_and_terms():
    for row in read_rows("sources"):
        assert row["text"]
        assert row["url"].startswith("http")
        assert row["licence"]


def test_key_with_a_separator_finds_nothing():
    assert find_row("countries", "FRA") is not None
    assert find_row("countries", "FRA\tFR") is None
    assert find_row("countries", "FRA\nGBR") is None
    assert find_row("countries", "") is None


def test_get_row_names_the_missing_row():
    with pytest.raises(KeyError, match=r"no row 'ZZZ' in the shipped table 'countries'"):
        get_row("countries", "ZZZ")


def test_every_publisher_is_named_in_the_notice():
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    for row in read_rows("sources"):
        assert row["url"] in notice, row["url"]


if "BUILD_TABLES_INPUT" in os.environ:

    def test_builder_reproduces_the_shipped_tables():
        command = [sys.executable, str(ROOT / "tools/build_tables.py"), os.environ["BUILD_TABLES_INPUT"], "--check"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
