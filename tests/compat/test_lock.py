"""The lock as programs written for version 3 know it."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import pytest

from codecarbon.lock import LOCKFILE, Lock


@pytest.fixture
def lock(tmp_path):
    return Lock(tmp_path / "lock")


def test_the_lock_file_has_its_old_place():
    assert Path(LOCKFILE) == Path(tempfile.gettempdir()) / ".codecarbon.lock"
    assert Lock().lockfile_path == LOCKFILE


def test_a_second_acquire_raises_file_exists_error(lock):
    lock.acquire()
    with pytest.raises(FileExistsError):
        Lock(lock.lockfile_path).acquire()
    with pytest.raises(FileExistsError):
        lock.acquire()
    lock.release()


def test_release_removes_only_the_own_file(lock):
    other = Lock(lock.lockfile_path)
    other.acquire()
    lock.release()
    assert Path(lock.lockfile_path).exists()
    other.release()
    assert not Path(lock.lockfile_path).exists()


def test_it_can_be_made_and_used_in_a_thread(tmp_path):
    done = []

    def work():
        lock = Lock(tmp_path / "lock")
        lock.acquire()
        lock.release()
        done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert done == [True]
