"""The sampler's thread against everything that can end a process, or make two of one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from codecarbon._sensors import Sampler, SimChannel, SimSource
from tests.support.skips import skip_on_system

PRELUDE = """
import os, signal, sys, time
from codecarbon._sensors import Sampler, SimChannel, SimSource
def make(**options):
    source = SimSource([SimChannel(power=[(0, 50.0)])])
    return Sampler([source], idle_period_ns=1_000_000, slots=256, coarse_slots=16, **options)
def threads():
    return len(os.listdir("/proc/self/task"))
"""


def script(body: str) -> list[str]:
    # 3.12 and later warn about any fork beside a thread, and these tests fork beside one on purpose.
    return [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PRELUDE + textwrap.dedent(body)]


def run(body: str, *, timeout: float = 20, returncode: int = 0) -> str:
    done = subprocess.run(script(body), capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == returncode, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    ("ending", "returncode"),
    [("", 0), ("sys.exit(3)", 3), ("os._exit(4)", 4), ("del sampler", 0), ("sampler.close()", 0)],
    ids=["falls off the end", "sys.exit", "os._exit", "last reference", "close"],
)
def test_process_ends_with_the_sampler_running(ending, returncode):
    begun = time.monotonic()
    run(f"sampler = make()\nsampler.start()\nassert sampler.tick(10.0)\n{ending}", returncode=returncode)
    assert time.monotonic() - begun < 10


def test_process_ends_with_the_sampler_in_a_reference_cycle():
    run("sampler = make()\nsampler.start()\ncycle = [sampler]\ncycle.append(cycle)")


def test_process_ends_with_the_sampler_in_a_module_that_outlives_cleanup():
    run("sampler = make()\nsampler.start()\nsys.kept = sampler\nsys.modules['kept'] = sampler")


def test_process_ends_by_an_error_with_the_sampler_running():
    done = subprocess.run(
        script("sampler = make()\nsampler.start()\nraise SystemError('by design')"),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("SystemError: by design")


def test_dropping_a_running_sampler_ends_its_thread():
    run("""
        before = threads()
        sampler = make()
        sampler.start()
        assert threads() == before + 1
        del sampler
        assert threads() == before
    """)


def test_forked_child_has_no_sampler_but_reads_its_ring():
    out = run("""
        sampler = make()
        sampler.start()
        for _ in range(5):
            assert sampler.tick(10.0)
        pid = os.fork()
        if pid == 0:
            assert threads() == 1
            assert not sampler.is_running
            ticks = len(sampler.snapshot()[0])
            assert ticks >= 5, ticks
            time.sleep(0.02)
            assert len(sampler.snapshot()[0]) == ticks
            reading = sampler.resolve(int(sampler.snapshot()[0]["t_ns"][-1]) + 10**9)
            assert reading.ticks >= 5
            assert sampler.tick(0.01) is False
            assert sampler.stop() is True
            assert sampler.stop() is True
            sampler.close()
            # A new one works in the child.
            other = make()
            other.start()
            assert other.tick(10.0)
            assert other.stop()
            sys.exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        # The parent's goes on.
        assert sampler.is_running
        assert sampler.tick(10.0)
        print(sampler.stop())
    """)
    assert out == "True\n"


def test_child_that_drops_the_inherited_sampler_leaves_the_parents_alone():
    run("""
        sampler = make()
        sampler.start()
        assert sampler.tick(10.0)
        pid = os.fork()
        if pid == 0:
            del sampler
            sys.exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert sampler.tick(10.0)
        assert sampler.stop()
    """)


def test_child_forked_during_a_stop_does_not_wait_for_it():
    run("""
        import threading
        from codecarbon._sensors import Channel, Fault, PowercapSource, ScriptedOps
        ops = ScriptedOps([Fault("pread", first=2, delay_ns=300_000_000)])
        with open("/tmp/codecarbon-energy-%d" % os.getpid(), "w") as file:
            file.write("1\\n")
        source = PowercapSource([(file.name, Channel("package-0", "package"))], ops=ops)
        os.unlink(file.name)
        sampler = Sampler([source], idle_period_ns=1_000_000, slots=64, coarse_slots=0, ops=ops)
        sampler.start()
        while ops.calls("pread") < 2:
            time.sleep(0.001)
        other = threading.Thread(target=sampler.stop)
        other.start()
        while sampler.is_running:
            time.sleep(0.001)
        pid = os.fork()
        if pid == 0:
            begun = time.monotonic()
            assert sampler.stop() is True
            del sampler
            assert time.monotonic() - begun < 0.2
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        other.join()
    """)


def test_many_forks_beside_a_fast_sampler_never_hang():
    # A child that inherited a lock in mid-use would hang here. The first ticks are waited for because the address
    # sanitizer's own allocator, which a starting thread uses, does not survive a fork.
    run("""
        samplers = [make() for _ in range(3)]
        for sampler in samplers:
            sampler.start()
            assert sampler.tick(10.0)
        for _ in range(40):
            pid = os.fork()
            if pid == 0:
                for sampler in samplers:
                    sampler.stop()
                fresh = make()
                fresh.start()
                assert fresh.tick(10.0)
                os._exit(0)
            for sampler in samplers:
                sampler.hold_fast()
                sampler.release_fast()
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    """)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_beside_a_running_sampler(tmp_path, method):
    program = tmp_path / "program.py"
    program.write_text(
        PRELUDE
        + textwrap.dedent("""
            import multiprocessing
            sampler = make()

            def work(n):
                assert not sampler.is_running
                fresh = make()
                fresh.start()
                assert fresh.tick(10.0)
                assert fresh.stop()
                return n * n

            if __name__ == "__main__":
                sampler.start()
                assert sampler.tick(10.0)
                with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
                    print(pool.map(work, range(4)))
                assert sampler.tick(10.0)
                assert sampler.stop()
        """)
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", str(program), method],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stderr, done.stdout, done.returncode) == ("", "[0, 1, 4, 9]\n", 0)


def test_double_fork_after_import_works():
    out = run("""
        sampler = make()
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                sampler.start()
                os.write(writer, b"y" if sampler.tick(10.0) and sampler.stop() else b"n")
            os._exit(0)
        os.wait()
        print(os.read(reader, 1).decode())
    """)
    assert out == "y\n"


def test_signals_go_to_the_main_thread_and_a_storm_harms_nothing():
    child = subprocess.Popen(
        script("""
            sampler = make()
            sampler.start()
            hits = []
            signal.signal(signal.SIGINT, lambda *_: hits.append(1))
            print("ready", flush=True)
            until = time.monotonic() + 0.5
            while time.monotonic() < until:
                assert sampler.tick(10.0)
                sampler.snapshot()
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            assert hits
            assert sampler.is_running
            assert sampler.stop()
            print("done", flush=True)
        """),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout.readline() == "ready\n"
        for _ in range(300):
            child.send_signal(signal.SIGINT)
            time.sleep(0.001)
        out, err = child.communicate(timeout=20)
    assert (out, err, child.returncode) == ("done\n", "", 0)


def test_keyboard_interrupt_with_the_sampler_running_ends_the_process():
    child = subprocess.Popen(
        script("sampler = make()\nsampler.start()\nprint('ready', flush=True)\ntime.sleep(30)"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=20)
    assert child.returncode == -signal.SIGINT
    assert err.rstrip().endswith("KeyboardInterrupt")


def test_thread_that_cannot_be_made_is_a_clean_error():
    out = run("""
        import errno, resource
        sampler = make()
        fds = len(os.listdir("/proc/self/fd"))
        if os.geteuid() == 0:
            os.setresuid(65534, 65534, 65534)  # root is above the limit
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        for _ in range(3):
            try:
                sampler.start()
            except OSError as failure:
                assert failure.errno == errno.EAGAIN, failure
                print("refused")
        assert not sampler.is_running
        assert sampler.stop() is True
        assert len(os.listdir("/proc/self/fd")) == fds
    """)
    assert out == "refused\n" * 3


def test_start_works_after_it_was_refused():
    if "CODECARBON_SANITIZED" in os.environ:
        skip_on_system("the address sanitizer ends a program that runs out of address space")
    run("""
        import resource
        sampler = make()
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        size = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGESIZE")
        resource.setrlimit(resource.RLIMIT_AS, (size, hard))
        try:
            sampler.start()
        except OSError:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        else:
            raise SystemExit("a stack fitted into no memory")
        sampler.start()
        assert sampler.tick(10.0)
        assert sampler.stop()
    """)


def test_starting_twice_is_an_error():
    sampler = Sampler([SimSource([SimChannel(power=[(0, 1.0)])])], idle_period_ns=10**7, slots=64, coarse_slots=16)
    sampler.start()
    with pytest.raises(ValueError):
        sampler.start()
    assert sampler.is_running
    assert sampler.stop()
    assert not sampler.is_running


def test_a_thousand_starts_leak_nothing():
    def resident() -> int:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def cycle() -> None:
        sampler = Sampler([SimSource([SimChannel(power=[(0, 1.0)])])], idle_period_ns=10**7, slots=64, coarse_slots=16)
        sampler.start()
        assert sampler.stop()
        sampler.close()

    for _ in range(200):
        cycle()
    fds, threads, before = len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task")), resident()
    for _ in range(1000):
        cycle()
    assert len(os.listdir("/proc/self/fd")) == fds
    assert len(os.listdir("/proc/self/task")) == threads
    # A sanitizer keeps freed memory in quarantine.
    assert resident() - before < (256 if "CODECARBON_SANITIZED" in os.environ else 2) * 2**20
