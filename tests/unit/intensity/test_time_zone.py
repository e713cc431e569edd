"""The country of the machine's time zone."""

from __future__ import annotations

import pytest

from codecarbon.intensity import GivenPlace, find_place, find_time_zone_country

ZONE_TAB = """\
# tzdb zone descriptions
FR\t+4852+00220\tEurope/Paris
IN\t+2232+08822\tAsia/Kolkata
US\t+404251-0740023\tAmerica/New_York\tEastern (most areas)
US\t+394606-0860929\tAmerica/Indiana/Indianapolis\tEastern - IN (most areas)
DK\t+5540+01235\tEurope/Copenhagen
JP\t+353916+1394441\tAsia/Tokyo
PA\t+0858-07932\tAmerica/Panama
"""
TZDATA_ZI = """\
# version 2025b
R d 1916 o - Jun 14 23s 1 S
Z Europe/Berlin 0:53:28 - LMT 1893 Ap
L Asia/Kolkata Asia/Calcutta
L Asia/Tokyo Japan
L Etc/UTC UTC
L Etc/UTC Zulu
L America/Panama EST
L America/New_York US/Eastern
L US/Eastern US/Old
L Loop/A Loop/B
L Loop/B Loop/A
"""


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "usr/share/zoneinfo"
    folder.mkdir(parents=True)
    (folder / "zone.tab").write_text(ZONE_TAB, encoding="utf-8")
    (folder / "tzdata.zi").write_text(TZDATA_ZI, encoding="utf-8")
    (tmp_path / "etc").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("zone", "country"),
    [
        ("Europe/Paris", "FR"),
        (":Europe/Paris", "FR"),
        ("/usr/share/zoneinfo/Europe/Paris", "FR"),
        ("posix/Europe/Paris", "FR"),
        ("America/New_York", "US"),
        ("America/Indiana/Indianapolis", "US"),
        ("Asia/Calcutta", "IN"),
        ("Japan", "JP"),
        ("US/Eastern", "US"),
        ("US/Old", "US"),
    ],
)
def test_zone_names_its_country(root, zone, country):
    found = find_time_zone_country({"TZ": zone}, root=str(root))
    assert found is not None
    assert found[0] == country


@pytest.mark.parametrize(
    "zone",
    ["UTC", "Etc/UTC", "Etc/GMT+5", "Zulu", "EST", "CET-1CEST", "Europe/Atlantis", "Loop/A", "", "Europe", "FR\t+48"],
)
def test_offset_or_unknown_zone_says_nothing(root, zone):
    assert find_time_zone_country({"TZ": zone}, root=str(root)) is None


def test_link_of_localtime_names_the_zone(root):
    (root / "etc/localtime").symlink_to("../usr/share/zoneinfo/Asia/Tokyo")
    assert find_time_zone_country({}, root=str(root)) == ("JP", "Asia/Tokyo")


def test_copy_of_a_zone_says_nothing(root):
    (root / "etc/localtime").write_bytes(b"TZif2")
    assert find_time_zone_country({}, root=str(root)) is None


def test_timezone_file_names_the_zone(root):
    (root / "etc/timezone").write_text("Europe/Copenhagen\n", encoding="utf-8")
    assert find_time_zone_country({}, root=str(root)) == ("DK", "Europe/Copenhagen")


def test_environment_wins_over_files_and_utc_in_it_does_not(root):
    (root / "etc/localtime").symlink_to("/usr/share/zoneinfo/Asia/Tokyo")
    assert find_time_zone_country({"TZ": "Europe/Paris"}, root=str(root)) == ("FR", "Europe/Paris")
    assert find_time_zone_country({"TZ": "UTC"}, root=str(root)) == ("JP", "Asia/Tokyo")


def test_without_a_tz_database_nothing_is_known(tmp_path):
    assert find_time_zone_country({"TZ": "Europe/Paris"}, root=str(tmp_path)) is None


def test_place_from_the_time_zone_is_a_guess_that_says_so(root):
    place = find_place(environ={"TZ": "Europe/Paris"}, sysfs=str(root / "sys"), root=str(root))
    assert (place.country_iso_code, place.country_2letter_iso_code, place.country_name) == ("FRA", "FR", "France")
    assert place.is_guess
    assert place.origin == "guessed from the time zone Europe/Paris"


def test_utc_says_nothing_about_the_place(root):
    place = find_place(environ={"TZ": "Etc/UTC"}, sysfs=str(root / "sys"), root=str(root))
    assert place.country_iso_code is None
    assert not place.is_guess
    assert place.origin == "unknown"


def test_given_region_joins_the_guessed_country(root):
    given = GivenPlace(region="New York", origins={"region": "CODECARBON_REGION"})
    place = find_place(given, environ={"TZ": "America/New_York"}, sysfs=str(root / "sys"), root=str(root))
    assert (place.country_iso_code, place.region, place.is_guess) == ("USA", "new york", True)
    assert place.origin == "guessed from the time zone America/New_York; region: CODECARBON_REGION"
