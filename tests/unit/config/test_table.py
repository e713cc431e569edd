"""The settings table and the signatures made from it."""

from __future__ import annotations

import inspect

import pytest

from codecarbon.config import (
    POSITIONAL,
    SETTINGS,
    Secret,
    Unset,
    build_decorator_signature,
    build_signature,
    merge_arguments,
)

VERSION_3_ORDER = (  # noqa: SIM905 (one name per line would hide the order)
    "project_name measure_power_secs api_call_interval api_endpoint api_key output_dir output_file output_methods "
    "save_to_file save_to_api save_to_logger logging_logger save_to_prometheus save_to_logfire prometheus_url "
    "output_handlers gpu_ids emissions_endpoint experiment_id experiment_name electricitymaps_api_token "
    "co2_signal_api_token tracking_mode log_level on_csv_write logger_preamble force_cpu_power force_ram_power pue wue "
    "force_carbon_intensity_g_co2e_kwh force_mode_cpu_load allow_multiple_runs rapl_include_dram rapl_prefer_psys"
).split()
PLACES = ["country_iso_code", "region", "cloud_provider", "cloud_region", "country_2letter_iso_code"]


def test_positional_order_is_that_of_version_3():
    assert list(POSITIONAL) == VERSION_3_ORDER


def test_every_row_can_be_documented():
    for row in SETTINGS:
        assert row.help.endswith("."), row.name
        assert row.env == f"CODECARBON_{row.name.upper()}"
        assert not row.unbuilt or row.unbuilt[0].islower(), row.name


def test_every_default_that_is_a_value_is_one_its_own_parser_accepts():
    for row in SETTINGS:
        if row.default is not None:
            assert row.parse(row.default) == row.default, row.name


def test_secrets_have_no_command_line_option():
    assert {row.name for row in SETTINGS if row.is_secret} == {
        "api_key",
        "electricitymaps_api_token",
        "co2_signal_api_token",
        "project_token",
        "watttime_password",
        "offset_api_key",
    }
    assert not [row.name for row in SETTINGS if row.cli and (row.is_secret or row.is_code_only)]


def test_command_line_options_are_distinct_and_spelt_like_options():
    options = [row.cli for row in SETTINGS if row.cli]
    assert len(options) == len(set(options))
    assert all(option.startswith("--") and "_" not in option for option in options)


def test_constructor_signature_has_the_old_positions_and_our_keywords_behind():
    parameters = build_signature().parameters
    positional = [name for name, entry in parameters.items() if entry.kind is entry.POSITIONAL_OR_KEYWORD]
    keywords = [name for name, entry in parameters.items() if entry.kind is entry.KEYWORD_ONLY]
    assert positional == VERSION_3_ORDER
    assert keywords[0] == "sampling_hz"
    assert not set(PLACES) & set(parameters)


def test_offline_signature_adds_the_places():
    parameters = build_signature(offline=True).parameters
    assert [name for name in parameters if name in PLACES] == PLACES
    assert parameters["region"].kind is inspect.Parameter.KEYWORD_ONLY


def test_decorator_signature_keeps_its_own_order():
    parameters = build_decorator_signature().parameters
    expected = [name for name in VERSION_3_ORDER if name != "force_mode_cpu_load"]
    place = expected.index("logger_preamble") + 1
    expected[place:place] = ["offline", *PLACES]
    positional = [name for name, entry in parameters.items() if entry.kind is entry.POSITIONAL_OR_KEYWORD]
    assert positional == ["fn", *expected]
    assert parameters["force_mode_cpu_load"].kind is inspect.Parameter.KEYWORD_ONLY


def test_signature_shows_defaults_without_giving_them():
    shown = build_signature().parameters["project_name"].default
    assert repr(shown) == "'codecarbon'"
    assert isinstance(shown, Unset)
    assert not shown


def test_signature_shows_no_secret():
    assert "Secret" in str(build_signature().parameters["api_key"])
    assert "api_key'" not in repr(build_signature().parameters["api_key"].default)


def test_positional_arguments_get_their_names():
    assert merge_arguments(("run", 3), {"pue": 2}) == {"project_name": "run", "measure_power_secs": 3, "pue": 2}


def test_an_argument_given_twice_is_an_error_as_in_python():
    with pytest.raises(TypeError, match="multiple values for argument 'project_name'"):
        merge_arguments(("run",), {"project_name": "other"})


def test_too_many_positional_arguments_are_an_error_as_in_python():
    with pytest.raises(TypeError, match="at most 35 positional arguments"):
        merge_arguments(tuple(range(36)), {})


def test_a_secret_hides_but_compares():
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "hunter2"
    assert secret == Secret("hunter2") != Secret("other")
    assert len({secret, Secret("hunter2")}) == 1
    assert not Secret("")


@pytest.mark.parametrize(("setting", "argument"), [("force_cpu_power", "p_max_w"), ("force_ram_power", "ram_w")])
def test_forced_powers_end_where_the_native_models_do(setting, argument):
    from codecarbon._sensors import LoadSource

    def model(power_w):
        given = {"p_max_w": None, "ram_w": None, argument: power_w}
        return LoadSource("/proc", mode="machine", cpu_formula="load", cpu_count=1, **given)

    (row,) = (row for row in SETTINGS if row.name == setting)
    model(row.parse(1e6)).close()
    with pytest.raises(ValueError, match="at most"):
        row.parse(1e6 + 1)
    with pytest.raises(ValueError, match=argument):
        model(1e6 + 1)
