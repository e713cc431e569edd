"""Places: files, prefixes, collisions, look-ups, and the built-in table."""

from __future__ import annotations

import json
import logging
import re
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from codecarbon.carbon_aware.appsettings import load_options
from codecarbon.carbon_aware.context import build_context
from codecarbon.carbon_aware.locations import NEAR_KM, builtin_regions, load_locations, with_nearest_country
from codecarbon.carbon_aware.operations import Operations
from codecarbon.carbon_aware.paths import find_data_file, find_location_file
from codecarbon.data import read_rows
from codecarbon.errors import ConfigError, UnknownLocation
from codecarbon.model import Location
from tests.support.carbon_aware import Clock, document_l, write_json
from tests.support.logger_state import KeptLog, restored_logger

EASTUS = {"Latitude": "37.3719", "Longitude": "-79.8164", "Name": "eastus"}
TEMPLATE = {"northeurope": {"Name": "NL"}}


@contextmanager
def kept_log():
    with restored_logger() as logger:
        log = KeptLog()
        logger.addHandler(log)
        logger.setLevel(logging.WARNING)
        yield log


def load(folder, *files, **arguments):
    """Read location files: documents, or pairs of a document and its settings."""
    entries = []
    for at, entry in enumerate(files):
        document, more = entry if isinstance(entry, tuple) else (entry, {})
        path = folder / "location-sources" / "json" / f"file{at}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
        entries.append({"DataFileLocation": path.name, **more})
    given = {"LocationDataSourcesConfiguration": {"LocationSourceFiles": entries, **arguments}}
    return load_locations(load_options((), {}, given, folder=folder))


def test_case_07_regions_of_azure(tmp_path):
    table, problems = load(tmp_path, document_l())
    where = table.by_key["eastus"]
    assert (where.latitude_deg, where.longitude_deg, where.name) == (37.3719, -79.8164, "eastus")
    assert len(table.by_key) == 55
    assert "northeurope" in table.by_key
    assert problems == ()


def test_case_08_no_files_and_no_table(tmp_path):
    for given in ({"LocationDataSourcesConfiguration": {"BuiltIn": False}}, {"CarbonAwareVars": {"Profile": "strict"}}):
        options = load_options((), {}, {"DataSources": {"Configurations": {}}, **given}, folder=tmp_path)
        assert len(load_locations(options)[0].by_key) == 0


def test_built_in_places_serve_whoever_lists_none(tmp_path):
    options = load_options((), {}, {"DataSources": {"Configurations": {}}}, folder=tmp_path)
    assert len(load_locations(options)[0].by_key) == 131
    table, _ = load(tmp_path, {"home": {"Name": "DE"}})
    assert list(table.by_key) == ["home"]


def test_built_in_places_stand_behind_the_files_when_they_are_wanted(tmp_path):
    table, _ = load(tmp_path, {"eastus": {"Name": "mine"}}, BuiltIn=True)
    assert len(table.by_key) == 132
    assert table.by_key["eastus"].name == "mine"
    assert table.by_key["eastus_1"].cloud_region == "eastus"


def test_case_09_zone_with_prefix_and_delimiter(tmp_path):
    table, _ = load(tmp_path, (TEMPLATE, {"Prefix": "zone", "Delimiter": "."}))
    where = table.by_key["zone.northeurope"]
    assert (where.latitude_deg, where.longitude_deg, where.name, where.zone) == (None, None, "NL", "NL")


def test_case_10_colliding_keys_are_renamed_and_told(tmp_path):
    places = [{"swedencentral": {"Name": name}} for name in ("A", "B", "C")]
    with kept_log() as log:
        table, _ = load(tmp_path, *places)
    names = {key: where.name for key, where in table.by_key.items()}
    assert names == {"swedencentral": "A", "swedencentral_1": "B", "swedencentral_2": "C"}
    assert table.find("swedencentral_3") is None
    assert [record.message for record in log.records] == [
        "Location key swedencentral from file1.json already exists. Creating new key.",
        "New key swedencentral_1 generated from swedencentral",
        "Location key swedencentral from file2.json already exists. Creating new key.",
        "New key swedencentral_2 generated from swedencentral",
    ]


def test_case_11_and_12_prefixes_and_case(tmp_path):
    document = {"test-eastus": EASTUS, "test-westus": {"Name": "w"}}
    table, _ = load(
        tmp_path,
        (document, {"Prefix": "prefix1", "Delimiter": "-"}),
        (document, {"Prefix": "prefix2", "Delimiter": "_"}),
    )
    assert table.find("PREFIX1-teST-EAstus").key == "prefix1-test-eastus"
    assert table.find("prefix2_test-westus").name == "w"
    assert table.find("test-eastus") is None


def test_delimiter_without_a_prefix_is_put_in(tmp_path):
    table, _ = load(tmp_path, (TEMPLATE, {"Delimiter": "/"}))
    assert list(table.by_key) == ["/northeurope"]


@pytest.mark.parametrize(
    "entry",
    [
        {"Longitude": "1"},
        {},
        {"Name": "  "},
        {"Name": "", "Latitude": "1"},
        {"Latitude": "91", "Longitude": "1"},
        {"Latitude": "1", "Longitude": "-180.5"},
        {"Latitude": "37,4", "Longitude": "1"},
        {"Latitude": "nan", "Longitude": "1"},
        {"Latitude": True, "Longitude": "1"},
        {"Name": 7},
        [],
        None,
    ],
)
def test_case_13_entry_that_says_not_where_it_is(tmp_path, entry):
    table, problems = load(tmp_path, {"good": EASTUS, "bad": entry})
    assert len(table.by_key) == 0, "no half of a file is served"
    assert len(problems) == 1
    assert "bad" in problems[0].message
    assert "file0.json" in problems[0].message
    assert not problems[0].is_warning


@pytest.mark.parametrize(
    "entry",
    [
        {"Name": "DE"},
        {"Name": "DE", "Latitude": "1"},
        {"latitude": 1, "LONGITUDE": 2.5},
        {"Latitude": "1.50", "Longitude": "-2", "Other": []},
        {"Latitude": None, "Longitude": None, "Name": "DE"},
    ],
)
def test_case_13_entry_that_does(tmp_path, entry):
    table, problems = load(tmp_path, {"good": entry})
    assert problems == ()
    assert list(table.by_key) == ["good"]


@pytest.mark.parametrize("path", ["../x.json", "~/x.json", "", " ", "a/../x.json", "a/", "a?/x.json", "..\\x.json"])
def test_case_14_paths_that_are_refused(tmp_path, path):
    for find in (find_data_file, find_location_file):
        with pytest.raises(ConfigError, match="contains not supported characters"):
            find(path, tmp_path)
    table, problems = load(tmp_path, ({}, {"DataFileLocation": path}))
    assert len(problems) == 1
    assert len(table.by_key) == 0


def test_case_14_paths_that_are_accepted(tmp_path):
    for find in (find_data_file, find_location_file):
        assert str(find("/x.json", tmp_path)) == "/x.json"
        assert find("new-dir 123/Sub_Dir/x.json", tmp_path) == tmp_path / "new-dir 123/Sub_Dir/x.json"
        assert find("x.json", tmp_path) == tmp_path / "x.json"
    assert find_data_file("a.b/x.json", tmp_path) == tmp_path / "a.b/x.json"
    with pytest.raises(ConfigError):
        find_location_file("a.b/x.json", tmp_path)


def test_all_files_of_the_folder_are_read_when_none_is_listed(tmp_path):
    folder = tmp_path / "location-sources" / "json"
    write_json(folder / "b.json", {"k": {"Name": "b"}})
    write_json(folder / "a" / "z.json", {"k": {"Name": "a"}})
    write_json(folder / "c.json.template", {"k": {"Name": "c"}})
    table, problems = load_locations(load_options((), {}, {}, folder=tmp_path))
    assert {key: where.name for key, where in table.by_key.items()} == {"k": "a", "k_1": "b"}
    assert problems == ()


def test_missing_file_is_a_warning_and_the_others_are_read(tmp_path):
    with kept_log() as log:
        table, problems = load(tmp_path, TEMPLATE, ("{}", {"DataFileLocation": "none.json"}))
    assert list(table.by_key) == ["northeurope"]
    assert [problem.is_warning for problem in problems] == [True]
    assert any("none.json" in text for text in [record.message for record in log.records])


def test_defect_18_keys_that_differ_in_case_collide(tmp_path):
    table, problems = load(tmp_path, '{"A": {"Name": "1"}, "a": {"Name": "2"}, "a": {"Name": "3"}}')
    assert {key: where.name for key, where in table.by_key.items()} == {"A": "1", "a_1": "2", "a_2": "3"}
    assert problems == ()


def test_defect_18_generated_key_that_a_later_file_has(tmp_path):
    table, _ = load(tmp_path, {"k": {"Name": "1"}}, {"k": {"Name": "2"}}, {"k_1": {"Name": "3"}})
    assert {key: where.name for key, where in table.by_key.items()} == {"k": "1", "k_1": "2", "k_1_1": "3"}


def test_defect_18_broken_file_is_told_and_the_others_are_served(tmp_path):
    table, problems = load(tmp_path, TEMPLATE, '{"x": ', "[]")
    assert list(table.by_key) == ["northeurope"]
    assert ["file1.json" in problems[0].message, "file2.json" in problems[1].message] == [True, True]


def test_defect_18_first_questions_at_once_see_all_places(tmp_path):
    write_json(tmp_path / "location-sources/json/l.json", document_l())
    operations = Operations(build_context(load_options((), {}, {}, folder=tmp_path)))
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(len(operations.locations()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [55] * 8


def test_coordinates_keep_their_digits(tmp_path):
    table, _ = load(tmp_path, {"k": {"Latitude": "47.4515424", "Longitude": 8.564572}})
    assert (repr(table.by_key["k"].latitude_deg), repr(table.by_key["k"].longitude_deg)) == ("47.4515424", "8.564572")


def test_file_of_known_regions_learns_their_country(tmp_path):
    far = {"Latitude": "0", "Longitude": "0", "Name": "uksouth"}
    near = {"Latitude": "50.941", "Longitude": "-0.799", "Name": "uksouth"}
    table, _ = load(tmp_path, {"near": near, "far": far})
    assert table.by_key["near"].country_iso_code == "GBR"
    assert dict(table.by_key["near"].zones)["uk_carbon_intensity"] == "GB"
    assert table.by_key["far"].country_iso_code is None


# --- look-ups ---


@pytest.fixture(scope="module")
def table():
    return load_locations(load_options((), {}, {}))[0]


def test_coordinates_name_a_place(table):
    where = table.find("52.5, -13.25")
    assert (where.latitude_deg, where.longitude_deg, where.key) == (52.5, -13.25, "52.5, -13.25")
    for text in ("91,0", "0,181", "1,2,3", "1;2", "north,south"):
        assert table.find(text) is None


def test_zone_of_a_provider_names_a_place(table):
    assert table.find("ZONE:DK-DK1").zone == "DK-DK1"
    assert table.find("zone: ") is None


def test_cloud_region_by_its_provider(table):
    assert table.find("AWS:us-east-1") == table.find("us-east-1")
    assert table.find("gcp:us-east4").country_iso_code == "USA"
    assert table.find("azure:eastus").region == "virginia"
    assert table.find("aws:eastus") is None
    assert table.find("coal:eastus") is None


def test_nearest_place(table):
    near = table.nearest(50.11, 8.68)
    assert near.location.key in {"germanywestcentral", "eu-central-1", "europe-west3"}
    assert near.distance_km < 10
    west, east = table.nearest(-17.0, 179.9), table.nearest(-17.0, -179.9)
    assert west.location == east.location, "the date line is no border"
    assert west.distance_km == pytest.approx(east.distance_km, rel=0.02)


def test_coordinates_alone_take_the_country_of_a_region_that_is_near(table):
    near = with_nearest_country(table.find("50.0,9.5"))
    assert (near.country_iso_code, near.country_2letter_iso_code, near.is_guess) == ("DEU", "DE", True)
    assert re.fullmatch(r"nearest known region \w+:[\w-]+, \d+ km away", near.origin)
    assert (near.key, near.latitude_deg, near.longitude_deg) == ("50.0,9.5", 50.0, 9.5)
    assert with_nearest_country(table.find("37.4,-79.8")).region == "virginia"


@pytest.mark.parametrize("text", ["0,-30", "zone:DE", "FRA", "eastus", "FR"])
def test_other_places_keep_what_they_say(table, text):
    where = table.find(text)
    assert with_nearest_country(where) is where


def test_near_ends_at_the_documented_distance(table):
    region = table.find("aws:ap-northeast-3")
    degrees = NEAR_KM / 111.195  # of latitude, on the sphere of the distances
    assert table.nearest(region.latitude_deg - degrees, region.longitude_deg).location.country_iso_code == "JPN"
    for factor, country in ((0.99, "JPN"), (1.01, None)):
        point = Location(latitude_deg=region.latitude_deg - factor * degrees, longitude_deg=region.longitude_deg)
        assert with_nearest_country(point).country_iso_code == country
    document = (Path(__file__).parents[3] / "docs/method/intensity.md").read_text(encoding="utf-8")
    assert f"within {NEAR_KM:.0f} km" in document


def test_the_sample_says_whose_country_stands_behind_a_point():
    operations = Operations(build_context(load_options((), {}, {}), clock=Clock()))
    for text, zone, said in (
        ("50.1,8.7", "DEU UTC+1", "nearest known region azure:germanywestcentral, 0 km away"),
        ("0,-30", "world UTC-2", "world average"),
    ):
        (answer,) = operations.forecasts([text])
        (notice,) = answer.meta.notices
        assert notice.startswith(f"made up: yearly mean of {zone.partition(' ')[0]} (")
        assert said in notice
        assert {row.location for row in answer.points} == {text}
    near, far = (operations.forecasts([text])[0].points[0].rating_g_per_kwh for text in ("50.1,8.7", "FRA"))
    assert near > far


@pytest.mark.parametrize("kind", ["Sample", "Static"])
@pytest.mark.parametrize(("zone", "iso3"), [("FR", "FRA"), ("DK-DK1", "DNK"), ("us-cal-ciso", "USA")])
def test_a_zone_is_answered_by_its_country_where_only_countries_are_known(kind, zone, iso3):
    operations = by_country(kind)
    found = operations.emissions([f"zone:{zone}"], None, None, plural=False)
    same = operations.emissions([iso3], None, None, plural=False)
    assert [row.rating_g_per_kwh for row in found.rows] == [row.rating_g_per_kwh for row in same.rows] != []
    assert f"zone {zone} taken for its country {iso3}" in found.meta.notices[0]


@pytest.mark.parametrize("kind", ["Sample", "Static"])
@pytest.mark.parametrize("zone", ["ANYTHING", "CAISO_NORTH", "DK1", "XX", "XX-1", "FR-", "FRA", "-FR"])
def test_a_zone_in_no_known_country_gets_no_mean_of_the_world(kind, zone):
    with pytest.raises(UnknownLocation, match="does not begin with a country's code"):
        by_country(kind).emissions([f"zone:{zone}"], None, None, plural=False)


def by_country(kind):
    settings = {
        "DataSources:EmissionsDataSource": "tables",
        "DataSources:Configurations:tables:Type": kind,
    }
    environ = {key.replace(":", "__"): value for key, value in settings.items()}
    return Operations(build_context(load_options((), environ, {}), clock=Clock()))


def test_no_place_is_near_to_nothing(tmp_path):
    assert load(tmp_path, TEMPLATE)[0].nearest(0, 0) is None


# --- the built-in table ---


def test_all_regions_of_three_clouds_are_there(table):
    clouds = [where.cloud_provider for where in builtin_regions().values()]
    assert [clouds.count(cloud) for cloud in ("azure", "aws", "gcp")] == [55, 36, 40]
    assert len(table.by_key) == 131, "no key collides"
    for key in ("eastus", "us-east-1", "europe-west10"):
        assert table.by_key[key].key == key


def test_rows_are_whole_and_their_source_is_named():
    sources = {row["source"] for row in read_rows("sources")}
    countries = {row["iso3"] for row in read_rows("countries")}
    for row in read_rows("locations"):
        assert row["source"] in sources
        if row["region"] == "azure/brazilus":
            assert row["latitude_deg"] == row["iso3"] == ""
            continue
        assert row["iso3"] in countries
        for member, limit in (("latitude_deg", 90), ("longitude_deg", 180)):
            assert abs(float(row[member])) <= limit
            assert round(float(row[member]), 1) == float(row[member])


def test_places_lie_where_they_should():
    for key, at in {
        "aws/eu-west-2": (51.5, -0.1),
        "gcp/australia-southeast1": (-33.9, 151.2),
        "azure/eastus": (37.4, -79.8),
        "aws/sa-east-1": (-23.5, -46.6),
    }.items():
        where = builtin_regions()[key]
        assert (where.latitude_deg, where.longitude_deg) == pytest.approx(at, abs=0.11)
