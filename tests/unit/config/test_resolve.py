"""Who wins, where a value came from, and what the user is told."""

from __future__ import annotations

import logging
import pickle

import pytest

from codecarbon.config import SETTINGS, UNSET, OutputMethod, Secret, Settings, resolve
from codecarbon.errors import ConfigError

FILE = "[codecarbon]\n"


def texts(settings):
    return [notice.text for notice in settings.notices if notice.level >= logging.WARNING]


def test_nothing_said_gives_the_defaults(said):
    settings = said()
    assert settings.as_dict() == {row.name: row.default for row in SETTINGS}
    assert {settings.origin(row.name) for row in SETTINGS} == {"default"}
    assert settings.notices == ()


def test_each_source_beats_the_next_and_is_named(said, tmp_path):
    project = FILE + "wue = 3\npue = 3\nforce_cpu_power = 3\n"
    personal = FILE + "wue = 4\npue = 4\nforce_cpu_power = 4\nforce_ram_power = 4\n"
    settings = said({"wue": 1}, env={"CODECARBON_WUE": "2", "CODECARBON_PUE": "2"}, project=project, personal=personal)
    assert (settings.wue, settings.pue, settings.force_cpu_power, settings.force_ram_power) == (1, 2, 3, 4)
    assert [settings.origin(name) for name in ("wue", "pue", "force_cpu_power", "force_ram_power")] == [
        "constructor",
        "environment variable CODECARBON_PUE",
        str(tmp_path / "project" / ".codecarbon.config"),
        str(tmp_path / "home" / ".codecarbon.config"),
    ]


def test_origin_of_what_is_no_setting_is_an_error(said):
    with pytest.raises(KeyError):
        said().origin("projectname")


def test_unset_is_not_given(said):
    settings = said({"project_name": UNSET, "nonsense": UNSET}, env={"CODECARBON_PROJECT_NAME": "env"})
    assert settings.project_name == "env"
    assert settings.notices == ()


def test_none_is_given_and_means_off_or_the_default(said):
    settings = said(
        {"emissions_endpoint": None, "save_to_file": None, "project_name": None, "force_cpu_power": None},
        env={
            "CODECARBON_EMISSIONS_ENDPOINT": "http://x",
            "CODECARBON_PROJECT_NAME": "env",
            "CODECARBON_FORCE_CPU_POWER": "7",
        },
    )
    assert settings.emissions_endpoint is None
    assert settings.save_to_file is False
    assert settings.project_name == "codecarbon"
    assert settings.force_cpu_power is None


def test_an_empty_variable_is_off_where_off_exists_and_not_given_elsewhere(said):
    settings = said(
        env={"CODECARBON_PUE": "", "CODECARBON_EMISSIONS_ENDPOINT": " ", "CODECARBON_LOG_LEVEL": ""},
        project=FILE + "pue = 2\nemissions_endpoint = http://x\n",
    )
    assert settings.pue == 2
    assert settings.emissions_endpoint is None
    assert settings.log_level == "info"


def test_constructor_texts_are_cast(said):
    settings = said({"measure_power_secs": "2", "save_to_logger": "yes", "api_call_interval": "3"})
    assert settings.measure_power_secs == 2.0
    assert settings.save_to_logger is True
    assert settings.api_call_interval == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("measure_power_secs", "soon"),
        ("measure_power_secs", 0),
        ("pue", "nan"),
        ("wue", -1),
        ("tracking_mode", "galaxy"),
        ("on_csv_write", "sometimes"),
        ("output_methods", "csv,cvs"),
        ("save_to_file", "perhaps"),
        ("force_cpu_power", "lots"),
        ("force_carbon_intensity_g_co2e_kwh", -3),
        ("log_level", "loud"),
        ("sampling_hz", 20_000),
        ("output_handlers", 3),
        ("region", 5),
    ],
)
def test_a_bad_value_names_field_value_and_origin(said, name, value):
    with pytest.raises(ConfigError) as caught:
        said({name: value})
    error = caught.value
    assert (error.field, error.value, error.origin) == (name, value, "constructor")
    assert error.expected
    assert name in str(error)


def test_a_bad_value_in_a_file_names_the_file(said, tmp_path):
    with pytest.raises(ConfigError) as caught:
        said(project=FILE + "pue = much\n")
    assert caught.value.origin == str(tmp_path / "project" / ".codecarbon.config")


def test_a_bad_secret_is_not_shown(said):
    with pytest.raises(ConfigError) as caught:
        said({"api_key": ["hunter2"]})
    assert "hunter2" not in str(caught.value)


def test_objects_cannot_come_from_texts(said):
    with pytest.raises(ConfigError, match="which only code can give"):
        said(env={"CODECARBON_OUTPUT_HANDLERS": "[]"})


def test_only_a_value_that_is_used_is_parsed(said):
    assert said({"pue": 1.5}, env={"CODECARBON_PUE": "bad"}).pue == 1.5


def test_settings_repr_and_pickle_keep_secrets(said):
    settings = said({"api_key": "hunter2", "electricitymaps_api_token": "hunter3"})
    assert "hunter" not in repr(settings)
    assert "hunter" not in str(settings.as_dict())
    assert "hunter" not in repr(settings.notices)
    again = pickle.loads(pickle.dumps(settings))
    assert again.api_key.reveal() == "hunter2"
    assert again.origin("api_key") == "constructor"


def test_settings_are_frozen(said):
    with pytest.raises(AttributeError):
        said().pue = 2


def test_project_token_is_another_name_of_api_key(said):
    assert said({"project_token": "t"}).api_key == Secret("t")
    assert said({"project_token": "t"}, env={"CODECARBON_API_KEY": "env"}).api_key == Secret("t")
    assert said({"project_token": "t", "api_key": "k"}).api_key == Secret("k")
    assert said({"api_key": "k"}).project_token == Secret("k")
    assert texts(said({"project_token": "t"})) == []


def test_old_token_name_works_with_a_warning_and_the_new_one_wins(said):
    old = said({"co2_signal_api_token": "old"})
    assert old.electricitymaps_api_token == Secret("old")
    assert any("co2_signal_api_token is deprecated" in text for text in texts(old))
    both = said({"co2_signal_api_token": "old", "electricitymaps_api_token": "new"})
    assert both.electricitymaps_api_token == Secret("new")
    from_file = said(project=FILE + "co2_signal_api_token = old\n")
    assert from_file.electricitymaps_api_token == Secret("old")
    assert any("deprecated" in text for text in texts(from_file))


def test_unknown_and_retired_keywords_are_ignored_with_a_warning(said):
    settings = said({"colour": "green", "misfire_grace_time": 5, "max_instances": 2, "pue": 1.1})
    assert settings.pue == 1.1
    assert [text.split(" ", 1)[0] for text in texts(settings)] == ["colour", "misfire_grace_time", "max_instances"]
    assert "retired" in texts(settings)[1]


def test_unknown_names_in_files_and_environment_are_nobodys_business(said):
    assert said(env={"CODECARBON_SHOE_SIZE": "42"}, project=FILE + "organization_id = x\n").notices[1:] == ()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"emissions_endpoint": "http://x"}, "nothing will be posted to it"),
        ({"save_to_api": True}, "nothing will be uploaded"),
        ({"output_methods": ["prometheus"]}, "nothing will be pushed to Prometheus"),
        ({"output_methods": "logfire"}, "nothing will be sent to Logfire"),
        ({"output_methods": "boamps"}, "no BoAmps report"),
        ({"project_id": "p"}, "no experiment will be created"),
    ],
)
def test_a_feature_that_is_not_there_yet_is_said_once_and_accepted(said, arguments, words):
    (notice,) = [notice for notice in said(arguments).notices if notice.level]
    assert words in notice.text
    assert notice.level == logging.WARNING
    assert notice.key


def test_an_offline_tracker_is_not_told_about_a_token_it_would_not_use(said):
    assert texts(said({"electricitymaps_api_token": "t"}, offline=True)) == []


def test_an_offline_tracker_is_told_which_sources_are_left_out(said):
    settings = said({"intensity_providers": "watttime, json_file, static, own"}, offline=True)
    (text,) = texts(settings)
    assert text == "An offline tracker asks no network, so these sources are left out: watttime, own"
    assert texts(said({"intensity_providers": "watttime"})) == []


@pytest.mark.parametrize(
    "given",
    [
        "Electricity-Maps, static",
        ["electricity_maps", "STATIC"],
        "[electricity_maps,static,]",
        ("electricity_maps", "static"),
    ],
)
def test_sources_are_named_in_many_ways(said, given):
    assert said({"intensity_providers": given}).intensity_providers == ("electricity_maps", "static")


@pytest.mark.parametrize(
    ("given", "zones"),
    [
        (
            "electricity-maps=DK-DK1, watttime = CAISO_NORTH",
            (("electricity_maps", "DK-DK1"), ("watttime", "CAISO_NORTH")),
        ),
        ({"electricity_maps": "FR"}, (("electricity_maps", "FR"),)),
        ("DK-DK1", (("", "DK-DK1"),)),
        ("", ()),
    ],
)
def test_zones_are_given_by_source(said, given, zones):
    assert said({"intensity_zones": given}).intensity_zones == zones


@pytest.mark.parametrize("given", [7, ["a", 7], "a=1,a=2", "a=", "=b", {"a": ""}])
def test_pairs_that_are_none_are_refused(said, given):
    with pytest.raises(ConfigError, match="name=value pairs"):
        said({"intensity_zones": given})


@pytest.mark.parametrize("given", [7, [7], {"a": "b"}])
def test_sources_are_names(said, given):
    with pytest.raises(ConfigError, match="a list of names"):
        said({"intensity_providers": given})


def test_switching_off_what_is_not_there_is_silent(said):
    assert texts(said({"emissions_endpoint": False}, project=FILE + "emissions_endpoint = http://x\n")) == []


def test_flags_make_the_methods_when_these_are_not_given(said):
    settings = said({"save_to_file": False, "save_to_logger": True})
    assert settings.output_methods == (OutputMethod.LOGGER,)
    assert settings.origin("output_methods") == "constructor"
    assert [notice.level for notice in settings.notices] == [0, 0]


def test_methods_rewrite_the_flags(said):
    settings = said({"output_methods": ["logger"], "save_to_file": True})
    assert settings.output_methods == (OutputMethod.LOGGER,)
    assert (settings.save_to_file, settings.save_to_logger) == (False, True)


def test_flags_from_the_environment_are_not_deprecated_arguments(said):
    settings = said(env={"CODECARBON_SAVE_TO_FILE": "0"})
    assert settings.output_methods == ()
    assert settings.notices == ()


def test_visible_devices_serve_when_no_ids_are_given(said):
    cuda = {"CUDA_VISIBLE_DEVICES": "1,GPU-4e81", "ROCR_VISIBLE_DEVICES": "5"}
    assert said(env=cuda).gpu_ids == ("1", "GPU-4e81")
    assert said(env=cuda).origin("gpu_ids") == "environment variable CUDA_VISIBLE_DEVICES"
    assert said({"gpu_ids": [0]}, env=cuda).gpu_ids == (0,)
    assert said({"gpu_ids": None}, env={**cuda, "CODECARBON_GPU_IDS": "7"}).gpu_ids == ("1", "GPU-4e81")
    assert said(env={"ROCR_VISIBLE_DEVICES": "5"}).gpu_ids == ("5",)


@pytest.mark.parametrize("hidden", ["", "-1", "NoDevFiles"])
def test_hidden_devices_are_not_measured(said, hidden):
    assert said(env={"CUDA_VISIBLE_DEVICES": hidden}).gpu_ids == ()
    assert said(env={"CUDA_VISIBLE_DEVICES": hidden, "ROCR_VISIBLE_DEVICES": "0"}).gpu_ids == ("0",)


def test_devices_behind_an_invalid_one_are_hidden(said):
    assert said(env={"CUDA_VISIBLE_DEVICES": "2,-1,3"}).gpu_ids == ("2",)


def test_gpu_ids_that_are_none_are_dropped_with_a_remark(said):
    settings = said({"gpu_ids": [0, None]})
    assert settings.gpu_ids == (0,)
    assert "None" in texts(settings)[0]


def test_a_caller_may_keep_changing_its_list(said):
    class Handler:
        def out(self, total, delta): ...

    mine = [Handler()]
    settings = said({"output_handlers": mine})
    mine.clear()
    assert len(settings.output_handlers) == 1


def test_the_process_environment_is_the_default(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CODECARBON_PROJECT_NAME", "from the process")
    settings = resolve()
    assert isinstance(settings, Settings)
    assert settings.project_name == "from the process"


def test_the_account_of_watttimes_own_tools_serves(said):
    env = {"WATTTIME_USER": "somebody", "WATTTIME_PASSWORD": "hunter2"}
    settings = said(env=env)
    assert (settings.watttime_username, settings.watttime_password) == ("somebody", Secret("hunter2"))
    assert settings.origin("watttime_password") == "environment variable WATTTIME_PASSWORD"
    assert "hunter2" not in repr(settings)
    # An account of our own settings is taken as a whole.
    assert said({"watttime_username": "other"}, env=env).watttime_password is None
