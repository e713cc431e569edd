"""Settings that decide about money: what is doubtful is refused, wherever it was written."""

from __future__ import annotations

import inspect

import pytest

from codecarbon import EmissionsTracker, OfflineEmissionsTracker, track_emissions
from codecarbon.config import SETTINGS, Secret, merge_arguments, resolve
from codecarbon.errors import ConfigError

NAMES = {
    "offset_api_key",
    "offset_provider",
    "offset_environment",
    "offset_threshold",
    "auto_offset",
    "offset_max_per_run_kg",
    "offset_dry_run",
    "offset_stop_wait_s",
    "offset_base_url",
    "offset_auto_release",
}
FILE = "[codecarbon]\n"


def give(said, where, name, value):
    """Say one thing in one place."""
    if where == "constructor":
        return said({name: value})
    if where == "environment":
        return said(env={f"CODECARBON_{name.upper()}": str(value)})
    return said(**{where: f"{FILE}{name} = {value}\n"})


EVERYWHERE = pytest.mark.parametrize("where", ["constructor", "environment", "project", "personal"])


@pytest.mark.parametrize("kind", [EmissionsTracker, OfflineEmissionsTracker, track_emissions])
def test_every_tracker_and_the_decorator_take_them_as_keywords(kind):
    parameters = inspect.signature(kind).parameters
    assert set(parameters) >= NAMES
    assert {parameters[name].kind for name in NAMES} == {inspect.Parameter.KEYWORD_ONLY}


def test_nothing_said_means_production_but_no_key(said):
    settings = said()
    assert settings.offset_api_key is None
    assert settings.offset_environment == "production"
    assert (settings.offset_threshold, settings.auto_offset) == (0.5, True)
    assert (settings.offset_max_per_run_kg, settings.offset_stop_wait_s) == (50.0, 10.0)
    assert (settings.offset_dry_run, settings.offset_base_url, settings.offset_auto_release) == (False, None, "never")


def test_a_file_may_say_it_all_in_words(said):
    text = "offset_api_key = test_abc\noffset_environment = sandbox\noffset_threshold = 1\nauto_offset = true\n"
    settings = said(project=FILE + text + "offset_dry_run = yes\noffset_max_per_run_kg = 2.5\n")
    assert settings.offset_api_key == Secret("test_abc")
    assert (settings.offset_environment, settings.offset_threshold) == ("sandbox", 1.0)
    assert (settings.auto_offset, settings.offset_dry_run, settings.offset_max_per_run_kg) == (True, True, 2.5)


@EVERYWHERE
@pytest.mark.parametrize("word", ["Sandbox ", "SANDBOX", "sandbox"])
def test_the_environment_is_read_without_case_and_blanks(said, where, word):
    assert give(said, where, "offset_environment", word).offset_environment == "sandbox"


@EVERYWHERE
@pytest.mark.parametrize("word", ["prod", "", " ", "sand box", "live", "production,sandbox"])
def test_any_other_environment_is_refused_rather_than_production(said, where, word):
    with pytest.raises(ConfigError, match="production or sandbox") as caught:
        give(said, where, "offset_environment", word)
    assert caught.value.field == "offset_environment"


@pytest.mark.parametrize("word", [None, True, 1, b"sandbox", ["sandbox"]])
def test_an_environment_that_is_no_text_is_refused(said, word):
    with pytest.raises(ConfigError):
        said({"offset_environment": word})


@EVERYWHERE
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("offset_threshold", 0.49999),
        ("offset_threshold", 0),
        ("offset_threshold", "nan"),
        ("offset_threshold", "inf"),
        ("offset_threshold", "half"),
        ("offset_max_per_run_kg", 0),
        ("offset_max_per_run_kg", -1),
        ("offset_max_per_run_kg", "inf"),
        ("offset_max_per_run_kg", 1e30),
        ("offset_stop_wait_s", -1),
        ("offset_stop_wait_s", "for ever"),
        ("auto_offset", "maybe"),
        ("offset_dry_run", "maybe"),
        ("offset_auto_release", "sometimes"),
    ],
)
def test_a_figure_that_makes_no_sense_is_refused(said, where, name, value):
    with pytest.raises(ConfigError) as caught:
        give(said, where, name, value)
    assert caught.value.field == name


@pytest.mark.parametrize("where", ["project", "personal"])
@pytest.mark.parametrize("value", ["https://example.org", ""])
def test_no_file_may_say_where_the_key_is_sent(said, where, value):
    with pytest.raises(ConfigError, match="CODECARBON_OFFSET_BASE_URL"):
        give(said, where, "offset_base_url", value)


@pytest.mark.parametrize("where", ["constructor", "environment"])
def test_code_and_environment_may_say_where_the_key_is_sent(said, where):
    assert give(said, where, "offset_base_url", "http://127.0.0.1:8").offset_base_url == "http://127.0.0.1:8"


def test_a_file_in_the_working_folder_may_not_say_who_gets_the_key(said):
    with pytest.raises(ConfigError, match="CODECARBON_OFFSET_PROVIDER, or the file in your home folder"):
        give(said, "project", "offset_provider", "trees")


@pytest.mark.parametrize("where", ["constructor", "environment", "personal"])
def test_code_environment_and_the_home_folder_may_say_who_gets_the_key(said, where):
    assert give(said, where, "offset_provider", "trees").offset_provider == "trees"


def test_the_home_folder_as_working_folder_is_the_home_folder(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".codecarbon.config").write_text(f"{FILE}offset_provider = trees\n")
    (tmp_path / "alias").symlink_to(tmp_path / "home")
    for cwd in ("home", "alias"):
        settings = resolve({}, environ={}, cwd=str(tmp_path / cwd), home=str(tmp_path / "home"))
        assert settings.offset_provider == "trees"


def test_the_switch_off_means_off(said):
    assert said({"auto_offset": None}).auto_offset is False
    assert said({"offset_api_key": None}, env={"CODECARBON_OFFSET_API_KEY": "test_abc"}).offset_api_key is None


def test_the_key_is_shown_nowhere(said):
    settings = said({"offset_api_key": "live_hunter2"})
    assert "hunter" not in repr(settings) + str(settings.as_dict()) + repr(settings.notices)
    with pytest.raises(ConfigError) as caught:
        said({"offset_api_key": ["live_hunter2"]})
    assert "hunter" not in str(caught.value)


def test_only_what_decides_about_money_has_these_rules():
    assert {row.name for row in SETTINGS if row.is_explicit} == {"offset_environment"}
    kept = {row.name: row.allowed_files for row in SETTINGS if row.allowed_files != "all"}
    assert kept == {"offset_base_url": "none", "offset_provider": "personal"}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"offset_threshold": 2}, "offset_threshold is set, but there is no offset_api_key (from constructor)"),
        ({"auto_offset": False}, "auto_offset is set, but there is no offset_api_key (from constructor)"),
        ({"offset_api_key": " "}, "offset_api_key is empty (from constructor)"),
    ],
)
def test_who_says_how_to_offset_without_a_key_is_told(said, arguments, text):
    (notice,) = said(arguments).notices
    assert notice.text == f"{text}: nothing is offset"


def test_a_key_that_is_given_or_switched_off_is_no_reason_to_speak(said):
    assert said({"offset_api_key": "test_abc", "offset_threshold": 2}).notices == ()
    assert said({"offset_api_key": None, "offset_threshold": 2}).notices == ()


def test_arguments_that_are_kept_hide_the_key():
    assert merge_arguments(("name",), {"offset_api_key": " live_hunter2 ", "pue": "1.5"}) == {
        "project_name": "name",
        "offset_api_key": Secret("live_hunter2"),
        "pue": "1.5",
    }
    assert merge_arguments((), {"offset_api_key": None, "api_key": ["x"]}) == {"offset_api_key": None, "api_key": ["x"]}
