"""The ledger's file: who may read it, and what happens when it cannot be used."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import platformdirs
import pytest

from codecarbon.errors import LedgerError, OffsetError
from codecarbon.handlers.offset import schema
from codecarbon.handlers.offset.ledger import Ledger
from tests.support.ledgers import LB, ledger_at, reserved


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "offsets.sqlite3"


def mode_of(path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_only_the_user_may_read_it(path):
    before = os.umask(0)
    try:
        ledger_at(path)
    finally:
        os.umask(before)
    assert mode_of(path) == 0o600
    assert mode_of(path.parent) == 0o700


def test_a_file_that_others_may_read_is_closed_to_them(path):
    ledger_at(path)
    path.chmod(0o644)
    ledger_at(path)
    assert mode_of(path) == 0o600


def test_the_journal_is_no_more_open_than_the_file(path):
    ledger = ledger_at(path)
    with ledger._store.writing() as database:
        database.execute("INSERT INTO skips VALUES (1, 'r', 'x', 0)")
        assert mode_of(f"{path}-journal") == 0o600


def test_nothing_but_the_ledger_stays_in_the_folder(path):
    ledger_at(path).accrue("run", 0, LB, is_automatic=True)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_it_lies_in_the_folder_for_the_state_of_programs(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("CODECARBON_OFFSET_LEDGER", str(tmp_path / "elsewhere"))
    folder = tmp_path / "codecarbon"
    folder.mkdir(mode=0o755)
    found = Path(ledger_at(None).path)
    assert found.parent == folder
    assert found.name.startswith("offsets-")
    assert found.suffix == ".sqlite3"
    assert mode_of(folder) == 0o700
    assert len(Ledger.accounts()) == 1


def test_a_folder_that_the_caller_named_keeps_its_mode(tmp_path):
    tmp_path.chmod(0o755)
    ledger_at(tmp_path / "offsets.sqlite3")
    assert mode_of(tmp_path) == 0o755


def test_a_relative_path_means_where_it_was_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ledger = ledger_at("offsets.sqlite3")
    monkeypatch.chdir("/")
    ledger.accrue("run", 0, LB, is_automatic=True)
    assert (tmp_path / "offsets.sqlite3").exists()


def test_odd_names_are_names(tmp_path):
    path = tmp_path / "50% off?#&x y\n.sqlite3"
    assert ledger_at(path).accrue("run", 0, LB, is_automatic=True) == LB
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_no_key_is_in_it(path):
    ledger = ledger_at(path, fingerprint="a" * 64)
    assert b"live_" not in path.read_bytes()
    assert "a" * 64 not in repr(ledger)


def test_it_is_written_through_to_the_disk(path):
    with ledger_at(path)._store.writing() as database:
        assert database.execute("PRAGMA synchronous").fetchone() == (3,)  # EXTRA
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert database.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_a_journal_mode_of_somebody_else_is_set_back(path):
    ledger = ledger_at(path)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
    ledger.accrue("run", 0, LB, is_automatic=True)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_a_journal_mode_that_another_program_keeps_is_refused(path):
    ledger = ledger_at(path, busy_s=0.0)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("SELECT * FROM keys").fetchall()
        with pytest.raises(LedgerError, match=r"wal|locked"):
            ledger.accrue("run", 0, LB, is_automatic=True)


# What cannot be used


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 100, b"SQLite format 3\x00" + bytes(4096)])
def test_a_file_of_something_else_is_left_as_it_is(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    for attempt in (lambda: ledger_at(path), lambda: Ledger.accounts(path)):
        with pytest.raises(LedgerError, match="left as it is"):
            attempt()
    assert path.read_bytes() == content


def test_another_programs_database_is_left_as_it_is(path):
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE accounts (x)")
    content = path.read_bytes()
    with pytest.raises(LedgerError, match="is not an offset ledger"):
        ledger_at(path)
    assert path.read_bytes() == content


def test_a_damaged_file_is_told_and_left(path):
    ledger = ledger_at(path)
    for number in range(200):
        ledger.skip(f"run {number}", "x" * 200)
    content = bytearray(path.read_bytes())
    for at in range(2 * 4096, len(content), 4096):
        content[at : at + 64] = b"\xff" * 64
    path.write_bytes(content)
    with pytest.raises(LedgerError, match="is damaged"):
        ledger_at(path)
    assert path.read_bytes() == bytes(content)


def test_a_truncated_file_is_told(path):
    ledger_at(path)
    os.truncate(path, 5000)
    with pytest.raises(LedgerError, match="is damaged"):
        ledger_at(path)


@pytest.mark.parametrize("answer", ["~/.local/state/codecarbon", RuntimeError("no home")])
def test_a_user_without_a_home_is_told(monkeypatch, answer):
    def user_state_dir(*_arguments, **_options):
        if isinstance(answer, str):
            return answer
        raise answer

    monkeypatch.setattr(platformdirs, "user_state_dir", user_state_dir)
    with pytest.raises(LedgerError, match="HOME or XDG_STATE_HOME"):
        ledger_at(None)


def test_a_newer_layout_is_told(path):
    ledger = ledger_at(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {schema.LAYOUT + 1}")
    for attempt in (ledger.balance, lambda: ledger_at(path), lambda: Ledger.accounts(path)):
        with pytest.raises(LedgerError, match="newer codecarbon"):
            attempt()


def test_a_file_that_vanishes_is_not_made_anew(path):
    ledger = ledger_at(path)
    ledger.accrue("run", 0, LB, is_automatic=True)
    path.unlink()
    with pytest.raises(LedgerError, match="cannot be used"):
        ledger.accrue("run", 0, 2 * LB, is_automatic=True)
    assert not path.exists()


def test_a_run_does_not_go_on_with_a_file_that_lacks_its_mark(path):
    ledger = ledger_at(path)
    ledger.accrue("run", 0, 2 * LB, is_automatic=True)
    path.unlink()
    another = ledger_at(path)
    for number in range(9):
        another.skip(f"run {number}", "x")  # it has been written to more often than the first
    for call in (lambda: ledger.accrue("run", 0, 3 * LB, is_automatic=True), lambda: reserved(ledger)):
        with pytest.raises(LedgerError, match="was replaced while it was in use"):
            call()
    assert another.balance().accrued_ug == 0


def test_an_old_copy_in_its_place_is_noticed_by_whoever_knows_more(path):
    ledger = ledger_at(path)
    copy = path.read_bytes()
    ledger.accrue("run", 0, 2 * LB, is_automatic=True)
    path.write_bytes(copy)
    for call in (lambda: ledger.accrue("run", 0, 3 * LB, is_automatic=True), ledger.balance, lambda: reserved(ledger)):
        with pytest.raises(LedgerError, match="was replaced while it was in use"):
            call()
    assert ledger_at(path).balance().accrued_ug == 0


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(LedgerError, match="cannot be used"):
        ledger_at(tmp_path / "file" / "offsets.sqlite3")
    with pytest.raises(LedgerError, match="cannot be used"):
        ledger_at(str(tmp_path / "null\0character"))


def test_a_folder_in_place_of_the_file_is_told(path):
    path.mkdir(parents=True)
    with pytest.raises(LedgerError, match="cannot be used"):
        ledger_at(path)


def test_a_file_that_stays_locked_is_told_after_the_time_out(path):
    ledger = ledger_at(path, busy_s=0.05)
    ledger.accrue("run", 0, 5 * LB, is_automatic=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for call in (ledger.balance, lambda: reserved(ledger)):
            with pytest.raises(LedgerError, match=r"kept locked by another process for 0\.05 s"):
                call()
    assert reserved(ledger).pounds == 5


def test_one_that_reads_for_long_stops_a_change_and_not_half_of_it(path):
    ledger = ledger_at(path, busy_s=0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM keys").fetchall()
        with pytest.raises(LedgerError, match="nothing was changed"):
            ledger.accrue("run", 0, 5 * LB, is_automatic=True)
        other.execute("COMMIT")
    assert ledger.accruals() == ()


def test_an_error_inside_a_change_undoes_it(path):
    ledger = ledger_at(path)

    def change_half():
        with ledger._store.writing() as database:
            database.execute("INSERT INTO skips VALUES (1, 'r', 'x', 0)")
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        change_half()
    assert ledger.skips() == ()


def test_an_entry_that_cannot_be_is_refused(path):
    ledger = ledger_at(path)
    with pytest.raises(LedgerError, match="refuses an entry"), ledger._store.writing() as database:
        database.execute("INSERT INTO skips VALUES (99, 'r', 'x', 0)")  # no such account
    assert ledger.skips() == ()


def test_ledger_errors_are_offset_errors():
    assert issubclass(LedgerError, OffsetError)


def test_two_makers_at_once_make_one_file(path, monkeypatch):
    first = []

    def link(source, target):
        assert mode_of(source) == 0o600
        if not first:
            first.append(ledger_at(shutil.copy(source, target)))  # somebody else was faster
        os_link(source, target)

    os_link = os.link
    monkeypatch.setattr(os, "link", link)
    before = os.umask(0)
    try:
        assert ledger_at(path).ledger_id == first[0].ledger_id
    finally:
        os.umask(before)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_what_changes_nothing_writes_nothing(path):
    ledger = ledger_at(path)
    ledger.claim_host("run")
    content = path.read_bytes()
    assert ledger.claim_host("run") == ""
    assert ledger.accrue("run", 0, 0, is_automatic=True) == 0
    assert not ledger.mark_sent("nonsense")
    assert path.read_bytes() == content
    ledger.release_host("run")


def test_a_change_that_was_undone_is_not_counted(path):
    ledger = ledger_at(path, busy_s=0.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM keys").fetchall()
        for number in range(3):
            with pytest.raises(LedgerError, match="kept locked"):
                ledger.skip(f"run {number}", "x")
    ledger.skip("run", "x")
    assert len(ledger.skips()) == 1
