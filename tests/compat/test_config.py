"""Settings as programs written for version 3 know them."""

from __future__ import annotations

import logging

import pytest

from codecarbon.config import resolve
from codecarbon.core.config import (
    clean_env_key,
    get_hierarchical_config,
    normalize_gpu_ids,
    parse_env_config,
    parse_gpu_ids,
)
from codecarbon.output import OutputMethod


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Write the two files, below an empty home folder and working folder."""
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(work)

    def write(*, in_home="", in_work=""):
        for folder, lines in ((home, in_home), (work, in_work)):
            if lines:
                (folder / ".codecarbon.config").write_text("[codecarbon]\n" + lines)

    return write


def test_variable_names_lose_their_prefix_and_case():
    assert clean_env_key("CODECARBON_PROJECT_NAME") == "project_name"
    assert clean_env_key("codecarbon_Pue") == "pue"
    assert clean_env_key("OTHER") == "other"
    for bad in (None, 3, ["CODECARBON_X"]):
        with pytest.raises(AssertionError):
            clean_env_key(bad)


def test_the_environment_is_one_section(monkeypatch):
    monkeypatch.setenv("CODECARBON_PUE", "1.5")
    monkeypatch.setenv("codecarbon_project_name", "a = b")
    monkeypatch.setenv("UNRELATED", "x")
    assert parse_env_config() == {"codecarbon": {"pue": "1.5", "project_name": "a = b"}}


def test_nothing_said_is_an_empty_dict(files):
    assert get_hierarchical_config() == {}


def test_working_folder_beats_home_and_the_environment_both(files, monkeypatch):
    files(in_home="a = home\nb = home\nc = home\nd d = home\n", in_work="b = work place\nc = x = y\n")
    monkeypatch.setenv("CODECARBON_C", "environment")
    assert get_hierarchical_config() == {"a": "home", "b": "work place", "c": "environment", "d d": "home"}


def test_values_are_texts_and_keys_lower_case(files):
    files(in_work="Save_To_File = true\nmeasure_power_secs = 10\n")
    assert get_hierarchical_config() == {"save_to_file": "true", "measure_power_secs": "10"}


def test_d33_a_per_cent_sign_breaks_nothing(files, monkeypatch):
    files(in_work="api_key = 5%0%(no)s\n")
    monkeypatch.setenv("CODECARBON_EMISSIONS_ENDPOINT", "http://x/%20%")
    assert get_hierarchical_config() == {"api_key": "5%0%(no)s", "emissions_endpoint": "http://x/%20%"}


def test_reading_a_file_is_logged(files, caplog):
    files(in_work="pue = 1\n")
    logger = logging.getLogger("codecarbon")
    before = (logger.level, logger.propagate)
    logger.setLevel(logging.INFO)
    logger.propagate = True
    with caplog.at_level(logging.INFO):
        get_hierarchical_config()
    logger.setLevel(before[0])
    logger.propagate = before[1]
    assert ".codecarbon.config" in caplog.text


def test_the_whole_precedence(files, monkeypatch):
    files(in_home="project_name = home\nwue = 1\n", in_work="wue = 2\npue = 2\n")
    monkeypatch.setenv("CODECARBON_PUE", "3")
    monkeypatch.setenv("CODECARBON_SAVE_TO_FILE", "true")
    monkeypatch.setenv("CODECARBON_FORCE_RAM_POWER", "50.5")
    settings = resolve({"force_ram_power": 7})
    assert (settings.project_name, settings.wue, settings.pue, settings.force_ram_power) == ("home", 2, 3, 7)
    assert settings.save_to_file is True
    assert resolve().force_ram_power == 50.5


def test_output_methods_override_the_flags_and_are_parsed_from_text():
    assert resolve({}, environ={}).output_methods == (OutputMethod.CSV,)
    both = resolve({"output_methods": "csv,boamps", "save_to_file": False}, environ={})
    assert both.output_methods == (OutputMethod.CSV, OutputMethod.BOAMPS)
    assert both.save_to_file is True


def test_d33_upper_case_methods_in_the_environment_work():
    assert resolve({}, environ={"CODECARBON_OUTPUT_METHODS": "CSV"}).output_methods == (OutputMethod.CSV,)


def test_d33_numbers_and_words_for_true_work():
    for word in ("1", "yes", "on", "True"):
        assert resolve({}, environ={"CODECARBON_SAVE_TO_LOGGER": word}).save_to_logger is True


@pytest.mark.parametrize(
    ("text", "ids"),
    [("0, 1", ["0", "1"]), ("[0, 1, 2", ["0", "1", "2"]), ("MIG-f1e", ["MIG-f1e"]), ("(0),{1}", ["0", "1"]), ("", [])],
)
def test_gpu_ids_in_a_text(text, ids):
    assert parse_gpu_ids(text) == ids
    assert normalize_gpu_ids(text) == ids


def test_gpu_ids_in_a_list():
    assert normalize_gpu_ids([0, 1]) == [0, 1]
    assert normalize_gpu_ids([0, " MIG-f1e ", None, 1.5]) == [0, "MIG-f1e"]
    assert normalize_gpu_ids(None) is None
    assert normalize_gpu_ids(3.5) is None


def test_gpu_ids_from_the_environment_keep_their_form():
    assert resolve({}, environ={"CODECARBON_GPU_IDS": "0, 1"}).gpu_ids == ("0", "1")
    assert resolve({}, environ={"CUDA_VISIBLE_DEVICES": "2", "ROCR_VISIBLE_DEVICES": "3"}).gpu_ids == ("2",)


def test_a_forced_intensity_in_the_constructor_beats_the_environment_and_zero_is_one():
    environ = {"CODECARBON_FORCE_CARBON_INTENSITY_G_CO2E_KWH": "300"}
    assert resolve({}, environ=environ).force_carbon_intensity_g_co2e_kwh == 300
    assert resolve({"force_carbon_intensity_g_co2e_kwh": 0}, environ=environ).force_carbon_intensity_g_co2e_kwh == 0
