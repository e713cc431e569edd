"""The lock of exclusive runs."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from codecarbon.handlers import Lock, default_lock_path, locking

HOLDER = """
import sys
from codecarbon.handlers import Lock
lock = Lock(sys.argv[1])
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lock"


@pytest.fixture
def other_process(path):
    """Hold the lock in another process."""
    child = subprocess.Popen([sys.executable, "-c", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"held\n"
    yield child
    child.kill()
    child.communicate()


def test_the_file_is_there_while_the_lock_is_held_and_names_the_owner(path):
    lock = Lock(path)
    assert not lock.is_held
    lock.acquire()
    assert lock.is_held
    assert lock.owner_pid() == os.getpid()
    lock.release()
    assert not path.exists()
    assert not lock.is_held


def test_a_second_lock_is_refused_and_names_the_owner(path):
    first, second = Lock(path), Lock(path)
    first.acquire()
    for lock in (second, first):
        with pytest.raises(FileExistsError, match=f"held by process {os.getpid()}") as caught:
            lock.acquire()
        assert caught.value.filename == str(path)
    first.release()
    second.acquire()
    second.release()


def test_another_process_is_refused_and_named(path, other_process):
    with pytest.raises(FileExistsError, match=f"held by process {other_process.pid}"):
        Lock(path).acquire()


def test_d32_a_killed_owner_leaves_nothing_locked(path, other_process):
    other_process.send_signal(signal.SIGKILL)
    other_process.wait(10)
    assert path.exists()
    lock = Lock(path)
    lock.acquire()
    assert lock.owner_pid() == os.getpid()
    lock.release()


@pytest.mark.parametrize("content", ["", "1\n", "99999999\n", "9" * 31, "not a number"])
def test_d32_a_file_that_nobody_holds_is_taken_over(path, content):
    path.write_text(content)
    lock = Lock(path)
    assert lock.owner_pid() == (1 if content == "1\n" else None)
    lock.acquire()
    assert lock.owner_pid() == os.getpid()
    lock.release()


def test_d32_a_second_release_does_not_take_anothers_lock_away(path):
    old, new = Lock(path), Lock(path)
    old.acquire()
    old.release()
    new.acquire()
    old.release()
    assert path.exists()
    with pytest.raises(FileExistsError):
        old.acquire()
    new.release()


def test_release_leaves_a_file_that_is_not_the_one_locked(path):
    lock = Lock(path)
    lock.acquire()
    path.unlink()
    path.write_text("another's")
    lock.release()
    assert path.exists()


def test_release_after_somebody_removed_the_file(path):
    lock = Lock(path)
    lock.acquire()
    path.unlink()
    lock.release()
    assert not lock.is_held


def test_release_without_the_lock_does_nothing(path):
    Lock(path).release()
    assert not path.exists()


def test_d32_signal_handlers_are_left_alone(path):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    lock = Lock(path)
    lock.acquire()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    lock.release()


def test_only_one_of_many_threads_gets_it(path):
    held, refused = [], []
    barrier = threading.Barrier(8)

    def work():
        lock = Lock(path)
        barrier.wait(10)
        try:
            lock.acquire()
        except FileExistsError:
            refused.append(lock)
        else:
            held.append(lock)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (len(held), len(refused)) == (1, 7)
    held[0].release()


FORK = """
import os, sys
from codecarbon.handlers import Lock
lock = Lock(sys.argv[1])
lock.acquire()
read_end, write_end = os.pipe()
child = os.fork()
if child == 0:
    lock.release()                      # not the child's: must not remove the parent's file
    os.read(read_end, 1)                # outlives the parent's hold on it
    os._exit(0 if not lock.is_held else 1)
assert os.path.exists(sys.argv[1])
lock.release()
again = Lock(sys.argv[1])
again.acquire()                         # works while the child still lives
os.write(write_end, b"x")
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), os.path.exists(sys.argv[1]))
again.release()
"""


def test_a_forked_child_neither_holds_nor_releases_it(path):
    child = subprocess.run([sys.executable, "-c", FORK, path], capture_output=True, text=True, check=True)
    assert child.stdout == "0 True\n", child.stderr


def test_d32_a_killed_owner_with_a_living_child_leaves_nothing_locked(path):
    fork = (
        "import os\nends = os.pipe()\n"
        "if os.fork() == 0:\n    os.write(ends[1], b'x')\n    sys.stdin.read()\n    os._exit(0)\n"
        "os.read(ends[0], 1)\n"
    )
    code = HOLDER.replace("print(", fork + "print(")
    with subprocess.Popen([sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout.readline() == b"held\n"
        owner.kill()
        owner.wait(10)
        lock = Lock(path)
        lock.acquire()
        lock.release()
        owner.stdin.close()


def test_a_planted_link_is_not_followed(tmp_path, path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path.symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        Lock(path).acquire()
    assert victim.read_text() == "precious"


ANOTHER_USERS_FILE = """
import os, sys
from codecarbon.handlers import Lock
if os.geteuid() == 0:
    os.seteuid(65534)                   # as root, nothing is another user's
lock = Lock(sys.argv[1])
try:
    lock.acquire()
except FileExistsError as error:
    print("refused:", error.strerror)
else:
    print("held", lock.owner_pid())
    lock.release()
    print(lock.is_held, os.path.exists(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("mode", "said"),
    [(0o444, "held None\nFalse True\n"), (0o000, "refused: the lock is held by another process\n")],
)
def test_another_users_file_can_be_locked_when_it_can_be_read(mode, said):
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "lock")
        path.write_text("99999999\n")  # more than any kernel's pid_max
        path.chmod(mode)
        path.parent.chmod(0o555)
        child = subprocess.run(
            [sys.executable, "-c", ANOTHER_USERS_FILE, path], capture_output=True, text=True, check=True
        )
        path.parent.chmod(0o700)
    assert child.stdout == said, child.stderr


def test_a_folder_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        Lock(tmp_path / "none" / "lock").acquire()


def test_a_file_system_without_locks_is_an_error_and_leaves_nothing_held(path, monkeypatch):
    def no_locks(fd, operation):
        raise OSError(errno.ENOLCK, "no locks available")

    lock = Lock(path)
    with monkeypatch.context() as patch:
        patch.setattr(locking.fcntl, "flock", no_locks)
        with pytest.raises(OSError, match="no locks"):
            lock.acquire()
    assert not lock.is_held
    lock.acquire()
    lock.release()


def test_no_descriptor_is_left_open(path):
    def count():
        return len(list(Path("/proc/self/fd").iterdir()))

    holder = Lock(path)
    holder.acquire()
    before = count()
    for _ in range(5):
        with pytest.raises(FileExistsError):
            Lock(path).acquire()
    assert count() == before
    holder.release()
    assert count() == before - 1


def test_the_usual_place_is_the_folder_for_temporary_files(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert default_lock_path() == str(tmp_path / ".codecarbon.lock")
    assert Lock().lockfile_path == default_lock_path()
