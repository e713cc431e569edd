"""The environment and the two files."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from codecarbon.config import environment_values, file_paths, file_values
from codecarbon.errors import ConfigError


def test_d33_a_per_cent_sign_is_harmless_everywhere(said):
    settings = said(
        env={"CODECARBON_API_KEY": "50%off%(x)s", "CODECARBON_NOT_OURS": "%", "CODECARBON_LOGGER_PREAMBLE": "%d"},
        project="[codecarbon]\nproject_name = 100% %(missing)s\nunknown = %\n",
    )
    assert settings.api_key.reveal() == "50%off%(x)s"
    assert settings.project_name == "100% %(missing)s"
    assert settings.logger_preamble == "%d"


def test_values_keep_blanks_and_equals_signs(said):
    assert said(project="[codecarbon]\nproject_name = a b = c\n").project_name == "a b = c"


def test_names_are_case_insensitive(said):
    assert said(project="[codecarbon]\nPUE = 2\n", env={"codecarbon_wue": "3"}).pue == 2
    assert said(env={"codecarbon_wue": "3"}).wue == 3


def test_the_usual_spelling_of_a_variable_wins():
    variables = {"codecarbon_pue": "1", "CODECARBON_PUE": "2", "Codecarbon_Pue": "3", "OTHER_PUE": "4"}
    assert environment_values(variables) == {"pue": "2"}


def test_only_the_first_prefix_is_removed():
    assert environment_values({"CODECARBON_CODECARBON_X": "1"}) == {"codecarbon_x": "1"}


def test_no_file_is_no_values(tmp_path):
    assert file_values(str(tmp_path / "none")) is None
    (tmp_path / "file").touch()
    assert file_values(str(tmp_path / "file" / "below")) is None


def test_a_file_without_our_section_is_empty(tmp_path):
    (tmp_path / "f").write_text("[other]\npue = 2\n")
    assert file_values(str(tmp_path / "f")) == {}


def test_a_repeated_name_takes_the_last_value(tmp_path):
    (tmp_path / "f").write_text("[codecarbon]\npue = 2\npue = 3\n")
    assert file_values(str(tmp_path / "f")) == {"pue": "3"}


def test_a_mark_for_the_byte_order_is_no_text(tmp_path):
    (tmp_path / "f").write_bytes(b"\xef\xbb\xbf[codecarbon]\npue = 2\n")
    assert file_values(str(tmp_path / "f")) == {"pue": "2"}


@pytest.mark.parametrize("content", [b"pue = 2\n", b"[codecarbon\n", b"[codecarbon]\njust a line\n", b"\xff\xfe\0"])
def test_a_file_that_is_no_ini_is_an_error_naming_it(said, tmp_path, content):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".codecarbon.config").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        said()
    assert caught.value.origin == str(tmp_path / "home" / ".codecarbon.config")


def test_a_file_that_cannot_be_read_is_left_out_with_a_warning(said, tmp_path):
    (tmp_path / "home" / ".codecarbon.config").mkdir(parents=True)
    settings = said(project="[codecarbon]\npue = 2\n")
    assert settings.pue == 2
    assert any("cannot be read" in notice.text for notice in settings.notices)


def test_reading_a_file_is_mentioned(said):
    (notice,) = said(project="[codecarbon]\n").notices
    assert notice.text.startswith("Settings are read from ")


def test_one_folder_is_read_once(tmp_path):
    assert file_paths(str(tmp_path), str(tmp_path)) == (str(tmp_path / ".codecarbon.config"),)


def test_a_removed_working_folder_is_survived(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert file_paths(None, str(tmp_path)) == (str(tmp_path / ".codecarbon.config"),)
    monkeypatch.chdir(tmp_path)


def test_configparser_is_not_imported_without_a_file(tmp_path):
    code = (
        "import sys; from codecarbon.config import resolve; resolve({}, environ={});"
        "bad = {'configparser', 'numpy', 'psutil', 'requests', 'importlib.metadata', 'importlib.resources', 'pathlib'};"
        "print(sorted(bad & set(sys.modules)))"
    )
    child = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path = {sys.path!r}; {code}"],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert child.stdout == "[]\n", child.stdout + child.stderr
