"""One ledger, several processes: real ones, that are killed, forked, and refused space."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from codecarbon.errors import LedgerError
from codecarbon.handlers.offset.holding import HostLock, lock_path
from codecarbon.handlers.offset.ledger import Ledger, OffsetState, Refusal, holders
from tests.support.fresh_python import ROOT, run_python
from tests.support.ledgers import KG, LB, ledger_at, reserve, reserved
from tests.support.skips import skip_on_system

OPENED = """
import os, sys, time
from tests.support.ledgers import *
from codecarbon.errors import LedgerError
ledger = ledger_at(sys.argv[1])
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "offsets.sqlite3"


@contextmanager
def program(script, *arguments, before=()):
    """Run a script until the end of the block, with pipes to it."""
    child = subprocess.Popen(
        [*before, sys.executable, "-c", OPENED + script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()


BUYER = """
name, count = sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
for step in range(1, count + 1):
    ledger.accrue(name, 0, step * 200_000_000, is_automatic=True)
    offset = reserve(ledger, run_id=name)
    if not isinstance(offset, str) and ledger.mark_sent(offset.offset_id):
        print(offset.offset_id, offset.pounds, flush=True)
        ledger.confirm(offset.offset_id, user_id="U1", time_utc=f"{name} {step}", pounds=offset.pounds)
"""


def test_processes_that_reach_the_threshold_together_buy_once(path):
    count = 12
    with program(BUYER, path, "a", count) as first, program(BUYER, path, "b", count) as second:
        both = (first, second)
        for child in both:
            assert child.stdout.readline() == "ready\n"
        for child in both:
            child.stdin.write("go\n")
            child.stdin.flush()
        posts = [line.split() for child in both for line in child.stdout]
        assert [child.wait(20) for child in both] == [0, 0]
    ledger = ledger_at(path)
    balance = ledger.balance()
    assert balance.accrued_ug == 2 * count * KG // 5
    assert len({offset_id for offset_id, _ in posts}) == len(posts)
    assert sum(int(pounds) for _, pounds in posts) * LB + balance.open_ug == balance.accrued_ug
    assert balance.open_ug < KG // 2
    assert {offset.state for offset in ledger.offsets()} == {OffsetState.CONFIRMED}


def test_processes_that_begin_together_make_one_file(path):
    script = "print(ledger.ledger_id, ledger.accrue(sys.argv[2], 0, 7, is_automatic=True))"
    children = [
        subprocess.Popen(
            [sys.executable, "-c", OPENED + script, str(path), str(number)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for number in range(4)
    ]
    answers = {child.communicate(timeout=30)[0] for child in children}
    assert answers == {f"{ledger_at(path).ledger_id} 7\n"}
    assert ledger_at(path).balance().accrued_ug == 28
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


HALF_WAY = """
ledger.claim_host("run")
ledger.accrue("run", 0, 10 * LB, is_automatic=True)
first = reserved(ledger, cap_ug=2 * LB)
second = sent(ledger, cap_ug=5 * LB)
print(first.offset_id, second.offset_id, flush=True)
sys.stdin.readline()
print(ledger.mark_sent(first.offset_id))
"""


def test_a_killed_process_is_taken_over_and_a_living_one_is_not(path):
    with program(HALF_WAY, path) as child:
        first, second = child.stdout.readline().split()
        ledger = ledger_at(path)
        assert ledger.take_over_dead() == ()
        assert f"process {child.pid} has counted" in ledger.claim_host("mine")
        child.send_signal(signal.SIGSTOP)  # asleep, but not dead
        assert ledger.take_over_dead() == ()
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert {offset.offset_id: offset.state for offset in ledger.take_over_dead()} == {
            first: OffsetState.REJECTED,
            second: OffsetState.UNKNOWN,
        }
        assert ledger.claim_host("mine") == ""
    assert ledger.balance().open_ug == 7 * LB
    assert reserve(ledger) is Refusal.BLOCKED


def test_a_process_that_ends_without_a_word_is_taken_over(path):
    ledger_at(path).accrue("run", 0, 10 * LB, is_automatic=True)
    run_python(OPENED + "print(reserved(ledger, run_id='x').offset_id)", str(path))
    (taken,) = ledger_at(path).take_over_dead()
    assert taken.state is OffsetState.REJECTED


@pytest.fixture
def container():
    """The beginning of a command that runs in a namespace of process numbers of its own."""
    unshare = shutil.which("unshare")
    options = [unshare, "--pid", "--fork", "--kill-child"]
    if unshare is None or subprocess.run([*options, "true"], capture_output=True, check=False).returncode:
        skip_on_system("namespaces of process numbers")
    return options


def test_a_process_of_a_container_is_a_doubt(path, container):
    with program(HALF_WAY, path, before=container) as child:
        child.stdout.readline()
        ledger = ledger_at(path)
        assert "of another container" in ledger.claim_host("mine")
        child.kill()
        assert child.stdout.read() == ""  # its init has ended too, and closed the pipe
        assert ledger.take_over_dead() == ()
        assert ledger.balance().pending_ug == 5 * LB


def test_the_host_is_free_again_when_a_container_ends(path, container):
    with program(HALF_WAY, path, before=container) as child:
        child.stdout.readline()
        ledger = ledger_at(path)
        assert "of another container" in ledger.claim_host("mine")
        assert [holder.is_elsewhere for holder in holders(path)] == [True]
        child.kill()
        assert child.stdout.read() == ""
        assert holders(path) == ()
        assert ledger.claim_host("mine") == ""
        assert [holder.run_id for holder in holders(path)] == ["mine"]


CLAIM_AND_FORK = """
assert ledger.claim_host("run") == ""
child = os.fork()
if not child:
    print("forked", os.getpid(), flush=True)
    sys.stdin.readline()
    os._exit(0)
os.waitpid(child, 0)
"""


def test_a_child_does_not_hold_the_lock_of_its_dead_parent(path, container):
    with program(CLAIM_AND_FORK, path, before=container) as child:
        assert child.stdout.readline().startswith("forked")
        lock = HostLock(lock_path(str(path), "sandbox"))
        assert not lock.take()
    with program(CLAIM_AND_FORK, path) as child:
        _, pid = child.stdout.readline().split()
        child.kill()
        child.wait()
        os.kill(int(pid), 0)  # the grandchild lives
        assert lock.take()
        lock.let_go()


FORKED = """
import threading
ledger.accrue("run", 0, 10 * LB, is_automatic=True)
offset = reserved(ledger)
child = os.fork()
if not child:
    try:
        ledger.reject(offset.offset_id, "not mine")
    except LedgerError:
        refused = not ledger.mark_sent(offset.offset_id)
    os._exit(0 if refused else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), ledger.mark_sent(offset.offset_id))
"""


def test_a_child_does_not_settle_its_parents_offsets(path):
    assert run_python(OPENED + FORKED, str(path)) == "0 True"


BUSY_FORKS = """
import threading
stop = threading.Event()
def busy():
    total = 0
    while not stop.is_set():
        total += 1
        ledger.accrue("parent", 0, total, is_automatic=True)
threads = [threading.Thread(target=busy) for _ in range(3)]
for thread in threads: thread.start()
codes = []
for number in range(8):
    child = os.fork()
    if not child:
        try:
            for total in range(1, 6):
                assert ledger.accrue(f"child {number}", 0, total, is_automatic=True) == 1
        except BaseException as error:
            print(error, flush=True)
            os._exit(1)
        os._exit(0)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
stop.set()
for thread in threads: thread.join()
total = sum(row.mass_ug for row in ledger.accruals() if row.run_id != "parent")
print(codes, total)
"""


@pytest.mark.slow
def test_children_of_a_process_whose_threads_are_in_the_ledger_can_use_it(path):
    warnings = {"PYTHONWARNINGS": "ignore::DeprecationWarning"}  # that a process with threads forks is the point
    assert run_python(OPENED + BUSY_FORKS, str(path), timeout_s=60, **warnings) == f"{[0] * 8} 40"
    assert ledger_at(path).balance().accrued_ug > 40


IMPATIENT = """
import threading
from codecarbon.handlers.offset.schema import _gate
_gate._PATIENCE_S = 0.01
is_closed, may_open = threading.Event(), threading.Event()
def fork_slowly():
    _gate._close()
    is_closed.set()
    may_open.wait()
    _gate._open()
thread = threading.Thread(target=fork_slowly)
thread.start()
is_closed.wait()
_gate._close()  # gives up waiting, and forks all the same
_gate._open()
may_open.set()
thread.join()
print(ledger.accrue("run", 0, 1, is_automatic=True), _gate.lock.acquire(timeout=0))
"""


def test_a_thread_that_forks_without_waiting_opens_nothing_that_it_did_not_close(path):
    assert run_python(OPENED + IMPATIENT, str(path)) == "1 True"


def test_a_child_is_not_locked_by_a_thread_that_it_does_not_have(path):
    script = (
        "from codecarbon.handlers.offset.schema import _gate\n"
        "import threading\n"
        "_gate._PATIENCE_S = 0.01\n"
        "holder = threading.Thread(target=lambda: (_gate.lock.acquire(), held.set(), done.wait()))\n"
        "held, done = threading.Event(), threading.Event()\n"
        "holder.start(); held.wait()\n"
        "child = os.fork()\n"
        "if not child: os._exit(ledger.accrue('child', 0, 7, is_automatic=True))\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])); done.set()"
    )
    warnings = {"PYTHONWARNINGS": "ignore::DeprecationWarning"}
    assert run_python(OPENED + script, str(path), **warnings) == "7"


THREADS = """
from concurrent.futures import ThreadPoolExecutor
def buy(number):
    ledger.accrue(f"r{number}", 0, KG // 4, is_automatic=True)
    offset = reserve(ledger, run_id=f"r{number}")
    if isinstance(offset, str) or not ledger.mark_sent(offset.offset_id):
        return 0
    return ledger.confirm(offset.offset_id, user_id="U", time_utc=f"{number}", pounds=offset.pounds).pounds
with ThreadPoolExecutor(6) as pool:
    pounds = sum(pool.map(buy, range(24)))
balance = ledger.balance()
print(balance.accrued_ug == 6 * KG, pounds * LB + balance.open_ug == 6 * KG, balance.open_ug < KG // 2)
"""


def test_threads_share_a_ledger(path):
    assert run_python(OPENED + THREADS, str(path), timeout_s=60) == "True True True"


FULL = """
import resource
ledger.accrue("run", 0, 10 * LB, is_automatic=True)
size = os.path.getsize(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
told = ""
for number in range(1000):
    try:
        ledger.skip(f"run {number}", "x" * 300)
    except LedgerError as error:
        told = str(error)
        break
print(number, told)
"""


def test_a_full_disk_is_told_and_what_was_there_stays(path):
    pytest.importorskip("resource")
    number, told = run_python(OPENED + FULL, str(path)).split(" ", 1)
    assert "cannot be used, and nothing was changed" in told
    ledger = ledger_at(path)
    assert len(ledger.skips()) == int(number)
    assert reserved(ledger).pounds == 10


NO_SPACE = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    ledger_at(sys.argv[2])
except LedgerError as error:
    print(error)
"""


def test_a_disk_without_room_for_a_ledger_is_told(path):
    pytest.importorskip("resource")
    other = path.parent / "full" / "offsets.sqlite3"
    assert "cannot be used" in run_python(OPENED + NO_SPACE, str(path), str(other))
    assert list(other.parent.iterdir()) == []


READ_ONLY = """
path = sys.argv[1]
if os.geteuid() == 0:
    os.setegid(65534)
    os.seteuid(65534)
for call in (
    lambda: ledger.accrue("run", 0, 1, is_automatic=True),
    lambda: ledger_at(path),
    lambda: ledger_at(os.path.dirname(path) + "/new/offsets.sqlite3"),
):
    try:
        call()
        print("done")
    except LedgerError as error:
        print("cannot be used" in str(error))
"""


def test_a_folder_that_cannot_be_written_to_is_told():
    folder = Path("/tmp") / f"codecarbon-ledger-{os.getpid()}"  # one that others may enter
    folder.mkdir(mode=0o755)
    path = folder / "offsets.sqlite3"
    try:
        ledger_at(path)
        path.chmod(0o444)
        folder.chmod(0o555)
        assert run_python(OPENED + READ_ONLY, str(path)).split() == ["True"] * 3
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


LOCKED = """
import sqlite3
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
"""


def test_a_file_that_another_process_keeps_locked_is_told(path):
    ledger = ledger_at(path, busy_s=0.05)
    ledger.accrue("run", 0, 10 * LB, is_automatic=True)
    with program(LOCKED, path) as child:
        child.stdout.readline()
        with pytest.raises(LedgerError, match="kept locked by another process"):
            reserved(ledger)
        assert ledger.balance().open_ug == 10 * LB  # others may look meanwhile
        child.stdin.write("\n")
        child.stdin.flush()
        child.wait(20)
    assert reserved(ledger).pounds == 10


def test_nothing_of_it_is_loaded_before_it_is_needed():
    loaded = run_python(
        "import sys; before = set(sys.modules); import codecarbon.handlers\n"
        "codecarbon.handlers.BaseOutput; import codecarbon.tracker\n"
        "added = set(sys.modules) - before\n"
        "print(sorted(added & {'sqlite3', 'codecarbon.handlers.offset', 'makeimpact', 'requests'}))"
    )
    assert loaded == "[]"


def test_accounts_of_a_file_in_use_are_told(path):
    with program(HALF_WAY, path) as child:
        child.stdout.readline()
        (summary,) = Ledger.accounts(path)
        assert [offset.state.value for offset in summary.unsettled] == ["reserved", "sent"]
