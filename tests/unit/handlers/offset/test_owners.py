"""Processes that live, and processes that certainly do not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from codecarbon.handlers.offset import owners
from codecarbon.handlers.offset.owners import Owner, is_dead, this_process
from codecarbon.model.machine import Roots
from tests.support.fresh_python import run_python

needs_procfs = pytest.mark.skipif(
    not os.path.exists("/proc/self/stat"), reason="not on this system: the kernel's process files"
)


@pytest.fixture
def sleeper():
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    yield child
    child.kill()
    child.wait()
    child.stdin.close()


def owner_of(pid: int) -> Owner:
    return this_process()._replace(pid=pid, start_ticks=owners._start_of(pid, Roots().procfs) or 0)


def test_this_process_lives():
    here = this_process()
    assert here.pid == os.getpid()
    assert here.start_ticks > 0
    assert here == this_process()
    assert not is_dead(here, here)


@needs_procfs
def test_it_is_told_by_boot_start_and_namespace():
    here = this_process()
    assert len(here.boot_id) == 36
    assert here.pid_namespace == str(os.stat("/proc/self/ns/pid").st_ino)


def test_another_living_process_lives(sleeper):
    assert not is_dead(owner_of(sleeper.pid), this_process())


def test_a_killed_process_is_dead_even_before_its_parent_looks(sleeper):
    owner = owner_of(sleeper.pid)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # still a zombie
    assert is_dead(owner, this_process())
    sleeper.wait()
    assert is_dead(owner, this_process())


def test_another_process_of_the_same_number_is_not_it(sleeper):
    owner = owner_of(sleeper.pid)
    assert is_dead(owner._replace(start_ticks=owner.start_ticks - 1000), this_process())


def test_where_the_start_is_not_known_a_living_number_is_a_doubt(sleeper):
    assert not is_dead(owner_of(sleeper.pid)._replace(start_ticks=0), this_process())


def test_an_earlier_boot_is_dead_whatever_lives_now(sleeper):
    owner = owner_of(sleeper.pid)
    assert is_dead(owner._replace(boot_id="earlier"), this_process()._replace(boot_id="now"))
    assert not is_dead(owner._replace(boot_id=""), this_process())


def test_another_namespace_is_a_doubt(sleeper):
    owner = owner_of(sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    assert not is_dead(owner._replace(pid_namespace="other"), this_process())
    assert is_dead(owner, this_process())


@needs_procfs
def test_a_process_that_the_mount_hides_lives(tmp_path, sleeper):
    roots = Roots(procfs=str(tmp_path))
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "stat").write_text("1 (x) S")
    assert not is_dead(owner_of(sleeper.pid), this_process(), roots)


@pytest.mark.parametrize("text", ["", "1 (x) S 1", "1 (x) S " + "no " * 30])
def test_what_cannot_be_read_is_a_doubt(tmp_path, text):
    roots = Roots(procfs=str(tmp_path))
    for name in ("self", "77"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "stat").write_text(text)
    assert not is_dead(this_process()._replace(pid=77), this_process(), roots)


def stat_line(name="x", state="S", threads=1, start=500) -> str:
    return f"77 ({name}) {state} " + " ".join(["0"] * 16) + f" {threads} 0 {start} 0 0"


@pytest.mark.parametrize(
    ("line", "dead"),
    [
        (stat_line(), False),
        (stat_line(name=") Z 1 ("), False),
        (stat_line(state="Z"), True),
        (stat_line(state="Z", threads=3), False),
        (stat_line(state="T"), False),
        (stat_line(start=501), True),
    ],
)
def test_the_kernels_line_is_understood(tmp_path, line, dead):
    roots = Roots(procfs=str(tmp_path))
    for name in ("self", "77"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "stat").write_text(line)
    owner = this_process()._replace(pid=77, start_ticks=500)
    assert is_dead(owner, this_process(), roots) is dead


def test_without_the_kernels_files_psutil_tells(tmp_path, sleeper):
    roots = Roots(procfs=str(tmp_path))
    here = this_process(roots)
    assert (here.boot_id, here.pid_namespace) == ("", "")
    assert here.start_ticks > 1_700_000_000_000_000
    owner = here._replace(pid=sleeper.pid, start_ticks=owners._start_of(sleeper.pid, roots.procfs))
    assert not is_dead(owner, here, roots)
    assert is_dead(owner._replace(start_ticks=owner.start_ticks - 5_000_000), here, roots)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(owner, here, roots)
    sleeper.wait()
    assert is_dead(owner, here, roots)


def test_a_forked_child_is_another_process():
    pids = run_python(
        "import os; from codecarbon.handlers.offset.owners import this_process\n"
        "before = this_process().pid; pid = os.fork()\n"
        "if pid: os.waitpid(pid, 0); print(before == this_process().pid == os.getpid())\n"
        "else: print(before != this_process().pid == os.getpid(), flush=True); os._exit(0)"
    )
    assert pids.split() == ["True", "True"]
