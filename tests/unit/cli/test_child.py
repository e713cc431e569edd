"""Running a command, seen from outside: every test starts an interpreter that runs one with the real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

DRIVER = """
import sys
from codecarbon.cli import child
child.INTERRUPT_GRACE_S = float(sys.argv[1])
child.TERMINATE_GRACE_S = float(sys.argv[2])
try:
    child.check_command(sys.argv[3])
    with child.adopt_orphans(), child.catch_signals() as signals_fd:
        outcome = child.run(sys.argv[3:], signals_fd, on_wait=lambda text: print(text, file=sys.stderr, flush=True))
except child.CommandError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
print(outcome, file=sys.stderr)
sys.exit(outcome.exit_code)
"""
PYTHON = sys.executable


def start(*words: str, grace_s: float = 20, kill_s: float = 20, **more) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [PYTHON, "-c", DRIVER, str(grace_s), str(kill_s), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **more,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def run(*words: str, **more) -> tuple[int, str, str]:
    return finish(start(*words, **more))


def read_line(process: subprocess.Popen[str]) -> str:
    """Wait for the command's first line, which says that it is ready for signals."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def python(code: str) -> tuple[str, str, str]:
    return PYTHON, "-c", code


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_exit_code_is_the_commands(code):
    assert run(*python(f"raise SystemExit({code})"))[0] == code


def test_output_and_input_are_the_commands():
    process = start("cat", stdin=subprocess.PIPE)
    out, _ = process.communicate("through\n", timeout=60)
    assert (process.returncode, out) == (0, "through\n")


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGTERM, signal.SIGPIPE])
def test_signalled_command_exits_128_plus_n(number):
    code, _, err = run(
        *python(
            f"import os, signal; signal.signal({int(number)}, signal.SIG_DFL) "
            f"if {int(number)} != 9 else 0; os.kill(os.getpid(), {int(number)})"
        )
    )
    assert code == 128 + number
    assert f"signal_number={int(number)}" in err


def test_missing_command_exits_127():
    code, _, err = run("no-such-command-here")
    assert code == 127
    assert "cannot run no-such-command-here: No such file or directory" in err


def test_command_that_may_not_be_executed_exits_126(tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    assert run(str(script))[0] == 126
    assert run(str(tmp_path))[0] == 126


def test_file_that_is_no_program_exits_126(tmp_path):
    script = tmp_path / "script"
    script.write_text("not a program\n")
    script.chmod(0o755)
    code, _, err = run(str(script))
    assert code == 126
    assert "Exec format error" in err


def test_script_without_its_interpreter_exits_127(tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    assert run(str(script))[0] == 127


REPORTER = """
import os, signal, sys, time
def note(number, frame):
    print("got", number, flush=True)
    sys.exit(7)
signal.signal(int(sys.argv[1]), note)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_signals_are_forwarded(number):
    process = start(PYTHON, "-c", REPORTER, str(int(number)))
    assert read_line(process) == "ready"
    os.kill(process.pid, number)  # the wrapper alone
    code, out, _ = finish(process)
    assert (code, out) == (7, f"got {int(number)}\n")


def test_signal_that_the_caller_ignores_stays_ignored():
    code = "import signal; print(signal.getsignal(signal.SIGHUP).name, flush=True)"
    driver = [PYTHON, "-c", DRIVER, "20", "20", *python(code)]
    words = ["sh", "-c", 'trap "" HUP; exec "$@"', "nohup", *driver]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "SIG_IGN\n"


def test_ctrl_c_waits_for_the_command_to_clean_up():
    code = """
import time
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(0.3)
    print("saved", flush=True)
"""
    process = start(*python(code))
    assert read_line(process) == "ready"
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the whole group
    code, out, err = finish(process)
    assert (code, out) == (130, "saved\n")
    assert "press Ctrl-C again" in err
    assert "signal_number=None" in err


def test_command_that_dies_of_ctrl_c_before_we_hear_of_it_was_interrupted():
    code, _, err = run(*python("import os, signal; signal.signal(2, signal.SIG_DFL); os.kill(os.getpid(), 2)"))
    assert code == 130
    assert "was_interrupted=True" in err


STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
if "term" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


def test_command_that_ignores_ctrl_c_is_terminated():
    process = start(PYTHON, "-c", STUBBORN, grace_s=0.2)
    assert read_line(process) == "ready"
    os.killpg(process.pid, signal.SIGINT)
    code, _, err = finish(process)
    assert code == 130
    assert f"signal_number={int(signal.SIGTERM)}" in err


def test_command_that_ignores_sigterm_too_is_killed():
    process = start(PYTHON, "-c", STUBBORN, "term", grace_s=0.2, kill_s=0.2)
    assert read_line(process) == "ready"
    os.killpg(process.pid, signal.SIGINT)
    code, _, err = finish(process)
    assert code == 130
    assert f"signal_number={int(signal.SIGKILL)}" in err


def test_second_ctrl_c_terminates_at_once():
    process = start(PYTHON, "-c", STUBBORN)
    assert read_line(process) == "ready"
    os.killpg(process.pid, signal.SIGINT)
    assert process.stderr is not None
    assert "press Ctrl-C again" in process.stderr.readline()
    os.killpg(process.pid, signal.SIGINT)
    begin_s = time.monotonic()
    assert finish(process)[0] == 130
    assert time.monotonic() - begin_s < 15


DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep({life})
        with open(sys.argv[1], "w") as file:
            file.write(f"{{os.getppid()}}")
        os._exit(0)
    os._exit(0)
os.wait()
time.sleep({after})
"""


def test_daemonised_child_becomes_ours(tmp_path):
    result = tmp_path / "parent"
    process = start(PYTHON, "-c", DAEMON.format(life=0.2, after=0.8), str(result))
    code, _, err = finish(process)
    assert code == 0
    assert result.read_text() == str(process.pid), "the wrapper is the daemon's parent, so its CPU time counts"
    assert "has_left_processes=False" in err


def test_orphans_are_reaped_while_the_command_runs(tmp_path):
    process = start(PYTHON, "-c", DAEMON.format(life=0.1, after=1.0), str(tmp_path / "parent"))
    deadline_s = time.monotonic() + 20
    while not (tmp_path / "parent").exists():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    time.sleep(0.2)
    zombies = [line for line in _processes(process.pid) if line.split()[1] == "Z"]
    finish(process)
    assert not zombies


def _processes(parent: int) -> list[str]:
    rows = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, ppid = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(ppid) == parent:
            rows.append(f"{stat.parent.name} {state}")
    return rows


def test_processes_left_behind_are_named():
    code, _, err = run("sh", "-c", "sleep 30 >/dev/null 2>&1 & exit 0")
    assert code == 0
    assert "has_left_processes=True" in err


def test_children_of_a_larger_program_are_not_reaped():
    code = """
import os, subprocess, sys
from codecarbon.cli import child
other = subprocess.Popen([sys.executable, "-c", "raise SystemExit(5)"])
os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
with child.adopt_orphans(), child.catch_signals() as signals_fd:
    outcome = child.run(["true"], signals_fd)
assert outcome.exit_code == 0, outcome
assert other.wait() == 5
"""
    subprocess.run([PYTHON, "-c", code], check=True, timeout=60)


def test_handlers_are_put_back():
    code = """
import signal
from codecarbon.cli import child
before = {number: signal.getsignal(number) for number in signal.valid_signals()}
with child.adopt_orphans(), child.catch_signals() as signals_fd:
    child.run(["true"], signals_fd)
assert {number: signal.getsignal(number) for number in signal.valid_signals()} == before
assert signal.set_wakeup_fd(-1) == -1
"""
    subprocess.run([PYTHON, "-c", code], check=True, timeout=60)


def test_signal_before_the_start_reaches_the_command():
    code = """
import os, signal, sys
from codecarbon.cli import child
with child.adopt_orphans(), child.catch_signals() as signals_fd:
    os.kill(os.getpid(), signal.SIGTERM)
    outcome = child.run(["sleep", "60"], signals_fd)
assert outcome.signal_number == signal.SIGTERM, outcome
assert outcome.exit_code == 143
"""
    subprocess.run([PYTHON, "-c", code], check=True, timeout=60)
