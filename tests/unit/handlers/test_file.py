"""The CSV file: what is in it after each write, and after each write that fails."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from codecarbon.errors import ConfigError, HandlerError, OutputPathError
from codecarbon.handlers import FileOutput, backup_file, file, locking
from codecarbon.model import EMISSIONS_COLUMNS, TASK_COLUMNS
from tests.support.records import emissions_data, task_data

ROOT = Path(__file__).parents[3]


def write(folder, *, mode="append", name="emissions.csv", **changes):
    output = FileOutput(name, str(folder), mode)
    data = emissions_data(**changes)
    output.out(data, data)
    return output


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_d01_every_row_has_38_cells_in_the_headers_order(tmp_path, read_rows):
    for _ in range(3):
        write(tmp_path, region=None, longitude=None, latitude=None)
    rows = read_rows(tmp_path / "emissions.csv")
    assert [list(row) for row in rows] == [list(EMISSIONS_COLUMNS)] * 3
    assert {(row["os"], row["cpu_model"], row["longitude"]) for row in rows} == {
        ("Linux-6.1", "Model, with a comma", "")
    }


def test_a_header_in_another_order_is_followed(tmp_path, read_rows):
    path = tmp_path / "emissions.csv"
    path.write_text(",".join(reversed(EMISSIONS_COLUMNS)) + "\n")
    write(tmp_path, project_name="second")
    (row,) = read_rows(path)
    assert list(row) == list(reversed(EMISSIONS_COLUMNS))
    assert (row["project_name"], row["wue"], row["timestamp"]) == ("second", "0.0", "2026-01-02T03:04:05")


@pytest.mark.parametrize("name", ["100% done", "a,b", 'say "hi"', "two\nlines", "a\rb", "naïve ☃", " padded "])
def test_any_text_comes_back(tmp_path, read_rows, name):
    for mode in ("append", "update"):
        write(tmp_path, mode=mode, project_name=name)
    (row,) = read_rows(tmp_path / "emissions.csv")
    assert row["project_name"] == name


def test_d02_update_replaces_the_runs_row_with_empty_cells_in_it(tmp_path, read_rows):
    for emissions in (1.0, 2.5, 3.25):
        write(tmp_path, mode="update", emissions=emissions, region=None, cloud_provider="")
    (row,) = read_rows(tmp_path / "emissions.csv")
    assert (row["emissions"], row["region"], row["cloud_provider"]) == ("3.25", "", "")


def test_d02_update_keeps_floats_that_began_as_whole_numbers(tmp_path, read_rows):
    write(tmp_path, mode="update", duration=1)
    write(tmp_path, mode="update", duration=2.75)
    assert read_rows(tmp_path / "emissions.csv")[0]["duration"] == "2.75"


def test_update_leaves_other_rows_byte_for_byte(tmp_path):
    path = tmp_path / "emissions.csv"
    write(tmp_path, mode="update", run_id="mine")
    header, mine = path.read_bytes().splitlines(keepends=True)
    before = b'"1,5",\xff odd,"two\nlines, run mine"\r\n'
    after = b"mine too,short\n\nno line end"
    path.write_bytes(header + before + mine + after)
    write(tmp_path, mode="update", run_id="mine", emissions=9.5)
    content = path.read_bytes()
    assert content.startswith(header + before)
    assert content.endswith(after)
    assert b"9.5" in content
    assert len(content) == len(header + before + mine + after)


def test_update_without_an_earlier_row_adds_one(tmp_path, read_rows):
    write(tmp_path, mode="update", run_id="a")
    write(tmp_path, mode="update", run_id="b")
    assert [row["run_id"] for row in read_rows(tmp_path / "emissions.csv")] == ["a", "b"]


def test_update_with_several_earlier_rows_warns_and_adds_one(tmp_path, read_rows, messages):
    for _ in range(2):
        write(tmp_path, run_id="a")
    write(tmp_path, mode="update", run_id="a")
    assert len(read_rows(tmp_path / "emissions.csv")) == 3
    assert "2 rows of run a" in messages()[0].getMessage()


def test_update_keeps_a_link_and_the_permissions(tmp_path, read_rows):
    (tmp_path / "real").mkdir()
    (tmp_path / "link.csv").symlink_to(tmp_path / "real" / "emissions.csv")
    write(tmp_path, mode="update", name="link.csv")
    (tmp_path / "real" / "emissions.csv").chmod(0o640)
    write(tmp_path, mode="update", name="link.csv", emissions=7.5)
    assert (tmp_path / "link.csv").is_symlink()
    assert read_rows(tmp_path / "real" / "emissions.csv")[0]["emissions"] == "7.5"
    assert stat.S_IMODE((tmp_path / "real" / "emissions.csv").stat().st_mode) == 0o640
    assert names_in(tmp_path / "real") == ["emissions.csv"]


def test_other_columns_move_the_file_away(tmp_path, read_rows, messages):
    path = tmp_path / "emissions.csv"
    kept = [tmp_path / name for name in ("emissions.csv.bak", "emissions.csv_0.bak", "emissions.csv_1.bak")]
    for backup in kept:
        path.write_text("a,b\n1,2\n")
        write(tmp_path)
        assert backup.read_text() == "a,b\n1,2\n"
        assert len(read_rows(path)) == 1
    assert [record.getMessage().split()[-1] for record in messages()] == [str(backup) for backup in kept]


@pytest.mark.parametrize("content", [b"\0\0\0", b"\n", b"timestamp", b"\xff\xfet\0i\0", b"x" * 70_000])
def test_what_is_no_table_of_ours_is_moved_away(tmp_path, read_rows, content):
    (tmp_path / "emissions.csv").write_bytes(content)
    write(tmp_path)
    assert (tmp_path / "emissions.csv.bak").read_bytes() == content
    assert len(read_rows(tmp_path / "emissions.csv")) == 1


def test_an_empty_file_counts_as_new(tmp_path, read_rows):
    (tmp_path / "emissions.csv").touch()
    write(tmp_path)
    assert len(read_rows(tmp_path / "emissions.csv")) == 1
    assert names_in(tmp_path) == ["emissions.csv"]


def test_a_cut_off_last_line_is_ended_first(tmp_path, read_rows):
    write(tmp_path, run_id="a")
    path = tmp_path / "emissions.csv"
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    write(tmp_path, run_id="b")
    assert [row["run_id"] for row in read_rows(path)] == ["a", "b"]


def test_a_header_alone_without_line_end_is_ended_first(tmp_path, read_rows):
    (tmp_path / "emissions.csv").write_text(",".join(EMISSIONS_COLUMNS))
    write(tmp_path)
    assert len(read_rows(tmp_path / "emissions.csv")) == 1


def test_a_file_from_elsewhere_keeps_its_line_ends_and_mark(tmp_path):
    path = tmp_path / "emissions.csv"
    header = b"\xef\xbb\xbf" + ",".join(EMISSIONS_COLUMNS).encode() + b"\r\n"
    path.write_bytes(header)
    write(tmp_path)
    assert path.read_bytes().startswith(header)
    assert path.read_bytes().endswith(b"\r\n")
    assert names_in(tmp_path) == ["emissions.csv"]


def test_a_missing_folder_is_made_at_the_first_write_and_not_before(tmp_path):
    output = FileOutput("sub/emissions.csv", str(tmp_path / "a" / "b"))
    assert names_in(tmp_path) == []
    output.out(emissions_data(), emissions_data())
    assert (tmp_path / "a" / "b" / "sub" / "emissions.csv").exists()


def test_an_absolute_file_wins_over_the_folder(tmp_path):
    output = write(tmp_path / "unused", name=str(tmp_path / "here.csv"))
    assert output.save_file_path == str(tmp_path / "here.csv")
    assert names_in(tmp_path) == ["here.csv"]


def test_paths_may_be_path_objects(tmp_path, read_rows):
    output = FileOutput(Path("emissions.csv"), tmp_path)
    output.out(emissions_data(), emissions_data())
    assert output.save_file_path == str(tmp_path / "emissions.csv")


def test_a_program_that_changes_folder_finds_its_rows_where_it_began(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    output = FileOutput("emissions.csv", ".")
    monkeypatch.chdir(tmp_path / "elsewhere")
    output.out(emissions_data(), emissions_data())
    assert (tmp_path / "emissions.csv").exists()
    assert names_in(tmp_path / "elsewhere") == []


def test_a_removed_working_folder_is_a_handler_error_and_not_before(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    output = FileOutput("emissions.csv", ".")
    with pytest.raises(HandlerError, match="cannot be written"):
        output.out(emissions_data(), emissions_data())
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("below", ["", "sub", "sub/deeper"])
def test_a_folder_that_is_a_file_is_refused_at_construction(tmp_path, below):
    (tmp_path / "taken").touch()
    with pytest.raises(OutputPathError, match="output_dir") as caught:
        FileOutput("emissions.csv", str(tmp_path / "taken" / below))
    assert isinstance(caught.value, ConfigError)
    assert isinstance(caught.value, OSError)
    assert isinstance(caught.value, ValueError)
    assert caught.value.field == "output_dir"


@pytest.mark.parametrize("name", ["", ".", "sub"])
def test_a_file_that_is_a_folder_is_refused_at_construction(tmp_path, name):
    (tmp_path / "sub").mkdir()
    with pytest.raises(OutputPathError, match="output_file"):
        FileOutput(name, str(tmp_path))


def test_an_unknown_mode_is_a_value_error():
    with pytest.raises(ValueError, match="on_csv_write='sometimes'"):
        FileOutput("emissions.csv", ".", "sometimes")


def test_a_folder_that_cannot_be_made_is_a_handler_error():
    with pytest.raises(HandlerError, match=r"/proc/none/emissions\.csv cannot") as caught:
        write("/proc/none")
    assert isinstance(caught.value.__cause__, OSError)
    assert "final_emissions_data" in str(caught.value)


def test_a_full_disk_is_a_handler_error_that_may_pass():
    with pytest.raises(HandlerError, match="No space left on device") as caught:
        write("/dev", name="full")
    assert caught.value.retryable
    assert caught.value.handler == "csv"


def test_a_pipe_gets_header_and_row(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write(tmp_path, name="pipe")
    assert len(os.read(reader, 65536).splitlines()) == 2
    os.close(reader)


WRITE_WITH_LITTLE_ROOM = """
import resource, sys
from codecarbon.errors import HandlerError
from codecarbon.handlers import FileOutput
from tests.support.records import emissions_data
folder, mode, limit = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    FileOutput("emissions.csv", folder, mode).out(emissions_data(run_id="b" * 900), None)
except HandlerError as error:
    print("refused:", error.__cause__.strerror)
"""


def run_python(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("mode", ["append", "update"])
@pytest.mark.parametrize("room", [0, 10, 500])
def test_a_write_that_breaks_off_leaves_no_torn_row(tmp_path, mode, room):
    write(tmp_path, run_id="b" * 900 if mode == "update" else "a", os="x" * 600)
    before = (tmp_path / "emissions.csv").read_bytes()
    limit = room if mode == "update" else len(before) + room
    assert run_python(WRITE_WITH_LITTLE_ROOM, tmp_path, mode, limit) == "refused: File too large\n"
    assert (tmp_path / "emissions.csv").read_bytes() == before
    assert names_in(tmp_path) == ["emissions.csv"]


def test_a_first_write_that_breaks_off_leaves_an_empty_file_that_counts_as_new(tmp_path, read_rows):
    assert run_python(WRITE_WITH_LITTLE_ROOM, tmp_path, "append", 300) == "refused: File too large\n"
    assert (tmp_path / "emissions.csv").read_bytes() == b""
    write(tmp_path)
    assert len(read_rows(tmp_path / "emissions.csv")) == 1


RUNS_THAT_END_TOGETHER = """
import sys
from codecarbon.handlers import FileOutput
from tests.support.records import emissions_data
folder, mode, run = sys.argv[1:]
output = FileOutput("emissions.csv", folder, mode)
data = emissions_data(run_id=run, project_name="x" * 3000)
print("ready", flush=True)
sys.stdin.read()
for _ in range(5):
    output.out(data, data)
"""


@pytest.mark.parametrize(
    ("mode", "rows_per_run", "old"), [("append", 5, ""), ("update", 1, ""), ("append", 5, "a,b\n")]
)
def test_d34_eight_runs_that_end_together_lose_no_row(tmp_path, read_rows, mode, rows_per_run, old):
    path = tmp_path / "emissions.csv"
    if old:
        path.write_text(old)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", RUNS_THAT_END_TOGETHER, str(tmp_path), mode, f"run{number}"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(8)
    ]
    for child in children:
        child.stdout.readline()
    for child in children:
        child.stdin.close()
    for child in children:
        assert child.wait(60) == 0
        child.stdout.close()
    counts = {}
    for row in read_rows(path):
        counts[row["run_id"]] = counts.get(row["run_id"], 0) + 1
    assert counts == {f"run{number}": rows_per_run for number in range(8)}
    assert names_in(tmp_path) == (["emissions.csv", "emissions.csv.bak"] if old else ["emissions.csv"])


def test_a_file_that_is_replaced_while_it_is_waited_for_gets_the_row(tmp_path, read_rows):
    write(tmp_path, run_id="old")
    path = tmp_path / "emissions.csv"
    new = tmp_path / "new.csv"
    new.write_bytes(path.read_bytes().replace(b"old", b"new"))
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        writer = threading.Thread(target=write, args=(tmp_path,), kwargs={"run_id": "waiting"})
        writer.start()
        new.replace(path)
    writer.join(10)
    assert [row["run_id"] for row in read_rows(path)] == ["new", "waiting"]


def test_a_file_that_stays_locked_is_a_handler_error(tmp_path, monkeypatch):
    monkeypatch.setattr(file, "LOCK_WAIT_S", 0.01)
    write(tmp_path)
    with (tmp_path / "emissions.csv").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(HandlerError, match="another process keeps it locked") as caught:
            write(tmp_path)
    assert caught.value.retryable


def test_a_file_system_without_locks_is_appended_to_all_the_same(tmp_path, read_rows, monkeypatch):
    def no_locks(fd, operation):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(locking.fcntl, "flock", no_locks)
    for _ in range(2):
        write(tmp_path)
    assert len(read_rows(tmp_path / "emissions.csv")) == 2


def test_headers_are_valid_in_any_order_and_in_an_empty_or_missing_file(tmp_path):
    output = FileOutput("emissions.csv", str(tmp_path))
    data = emissions_data()
    path = tmp_path / "emissions.csv"
    assert output.has_valid_headers(data)
    for content, is_valid in (("", True), (",".join(sorted(EMISSIONS_COLUMNS)), True), ("timestamp,os\n", False)):
        path.write_text(content)
        assert output.has_valid_headers(data) is is_valid


def test_the_task_file_has_the_tasks_in_order_without_empty_columns(tmp_path, read_rows):
    output = FileOutput("emissions.csv", str(tmp_path))
    for names in (["a"], ["b", "a", "c"]):
        output.task_out([task_data(name, run_id="r", country_name=None) for name in names], "base")
    rows = read_rows(tmp_path / "emissions_base_r.csv")
    assert [row["task_name"] for row in rows] == ["b", "a", "c"]
    empty = {"country_name", "region", "longitude", "latitude"}
    assert list(rows[0]) == [column for column in TASK_COLUMNS if column not in empty]
    assert names_in(tmp_path) == ["emissions_base_r.csv"]


def test_a_task_column_with_one_value_is_there(tmp_path, read_rows):
    output = FileOutput("emissions.csv", str(tmp_path))
    output.task_out([task_data("a", run_id="r"), task_data("b", run_id="r", region="bavaria")], "base")
    assert [row["region"] for row in read_rows(tmp_path / "emissions_base_r.csv")] == ["", "bavaria"]


def test_no_tasks_no_file(tmp_path):
    FileOutput("emissions.csv", str(tmp_path)).task_out([], "base")
    assert names_in(tmp_path) == []


def test_d10_a_task_file_without_experiment_name_has_the_usual_one(tmp_path):
    FileOutput("emissions.csv", str(tmp_path)).task_out([task_data("a", run_id="r")], None)
    assert names_in(tmp_path) == ["emissions_base_r.csv"]


def test_an_experiment_name_cannot_leave_the_folder(tmp_path):
    output = FileOutput("emissions.csv", str(tmp_path / "in"))
    output.task_out([task_data("a", run_id="r")], "../../out")
    assert names_in(tmp_path) == ["in"]
    assert names_in(tmp_path / "in") == ["emissions_.._.._out_r.csv"]


def test_a_task_file_that_cannot_be_written_is_a_handler_error(tmp_path):
    with pytest.raises(HandlerError, match="cannot be written"):
        FileOutput("emissions.csv", "/proc/none").task_out([task_data("a")], "base")
    (tmp_path / "emissions_base_r.csv").mkdir()
    with pytest.raises(HandlerError, match="cannot be written"):
        FileOutput("emissions.csv", str(tmp_path)).task_out([task_data("a", run_id="r")], "base")
    assert names_in(tmp_path) == ["emissions_base_r.csv"]


def test_the_place_of_the_results_is_mentioned(tmp_path, messages):
    FileOutput("emissions.csv", str(tmp_path))
    assert messages(20)[0].getMessage() == f"Results will be saved to {tmp_path / 'emissions.csv'}"


def test_backups_are_numbered_and_never_overwritten(tmp_path):
    names = []
    for content in "abc":
        (tmp_path / "f").write_text(content)
        names.append(Path(backup_file(str(tmp_path / "f"))).name)
    assert names == ["f.bak", "f_0.bak", "f_1.bak"]
    assert [(tmp_path / name).read_text() for name in names] == ["a", "b", "c"]
