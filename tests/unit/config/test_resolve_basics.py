"""What `resolve` promises in a few lines; the corners are in the neighbouring modules."""

from codecarbon.config import SETTINGS, Settings, resolve


def test_arguments_beat_environment_and_everything_has_an_origin(tmp_path):
    settings = resolve(
        {"project_name": "mine", "pue": "1.2"},
        environ={"CODECARBON_PROJECT_NAME": "env", "CODECARBON_WUE": "0.5"},
        cwd=str(tmp_path),
        home=str(tmp_path),
    )
    assert (settings.project_name, settings.pue, settings.wue) == ("mine", 1.2, 0.5)
    assert settings.origin("pue") == "constructor"
    assert settings.origin("wue") == "environment variable CODECARBON_WUE"
    assert settings.origin("region") == "default"


def test_the_table_and_the_record_have_the_same_names(tmp_path):
    settings = resolve({}, environ={}, cwd=str(tmp_path), home=str(tmp_path))
    assert isinstance(settings, Settings)
    assert list(settings.as_dict()) == [row.name for row in SETTINGS]
    assert settings.as_dict() == {row.name: row.default for row in SETTINGS}
