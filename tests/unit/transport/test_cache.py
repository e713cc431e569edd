from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from codecarbon.transport import DiskCache
from codecarbon.transport.cache import _lay_out
from codecarbon.units import us_from_s

KEY = ("svc", "forecast", "zone=DE")


@pytest.fixture
def cache(tmp_path, time):
    return DiskCache(str(tmp_path / "deep" / "cache.sqlite"), clock=time.clock)


def put(cache, time, body=b"one", key=KEY, valid_s=300.0):
    now_us = us_from_s(time.now_s)
    valid_until_us = None if valid_s is None else now_us + us_from_s(valid_s)
    cache.put(*key, body, valid_until_us=valid_until_us, fetched_us=now_us)


def test_what_was_put_is_found_until_its_time(cache, time):
    assert cache.get(*KEY) is None
    put(cache, time)
    entry = cache.get(*KEY)
    assert (entry.body, entry.is_stale, entry.fetched_us) == (b"one", False, us_from_s(time.now_s))
    assert cache.get("svc", "forecast", "zone=FR") is None
    assert cache.get("other", "forecast", "zone=DE") is None
    time.pass_s(300)
    assert cache.get(*KEY) is None


def test_an_old_entry_serves_on_error_for_a_while(cache, time):
    put(cache, time)
    time.pass_s(300 + 7199)
    assert cache.get(*KEY, max_stale_s=7200).is_stale
    time.pass_s(1)
    assert cache.get(*KEY, max_stale_s=7200) is None


def test_an_entry_may_hold_for_ever(cache, time):
    put(cache, time, valid_s=None)
    time.pass_s(1e9)
    put(cache, time, key=("svc", "x", "y"))
    assert cache.get(*KEY).body == b"one"


def test_a_newer_entry_replaces(cache, time):
    put(cache, time)
    put(cache, time, b"two")
    assert cache.get(*KEY).body == b"two"


def test_an_entry_from_the_future_is_not_believed(cache, time):
    put(cache, time)
    time.pass_s(-3600)
    assert cache.get(*KEY) is None


def test_only_the_user_may_read_it(cache, time):
    put(cache, time)
    assert stat.S_IMODE(os.stat(cache.path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(cache.path)).st_mode) == 0o700
    os.chmod(cache.path, 0o644)
    put(cache, time)
    assert stat.S_IMODE(os.stat(cache.path).st_mode) == 0o600


def test_nothing_is_made_by_looking(cache):
    assert cache.get(*KEY) is None
    assert not os.path.exists(os.path.dirname(cache.path))


@pytest.mark.parametrize("content", [b"this is no database at all, but long enough to be read" * 20, b"short", b""])
def test_a_broken_file_is_made_anew(cache, time, content):
    os.makedirs(os.path.dirname(cache.path))
    Path(cache.path).write_bytes(content)
    assert cache.get(*KEY) is None
    put(cache, time)
    assert cache.get(*KEY).body == b"one"


def test_a_file_broken_in_the_middle_is_made_anew(cache, time):
    for number in range(200):
        put(cache, time, b"x" * 5000, key=("svc", "x", str(number)))
    with open(cache.path, "r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 200_000)
    for number in range(200):
        cache.get("svc", "x", str(number))
    put(cache, time)
    assert cache.get(*KEY).body == b"one"


def test_a_file_of_another_layout_is_laid_out_anew(cache, time):
    os.makedirs(os.path.dirname(cache.path))
    database = sqlite3.connect(cache.path)
    database.execute("CREATE TABLE entries (something INTEGER)")
    database.close()
    assert cache.get(*KEY) is None
    put(cache, time)
    assert cache.get(*KEY).body == b"one"


@pytest.mark.parametrize("place", ["a-file/cache.sqlite", "a-folder", "nul\0"])
def test_a_path_that_cannot_be_used_is_no_cache(tmp_path, time, place):
    (tmp_path / "a-file").write_text("in the way")
    (tmp_path / "a-folder").mkdir()
    cache = DiskCache(str(tmp_path / place), clock=time.clock)
    put(cache, time)
    assert cache.get(*KEY) is None
    cache.clear()


def test_its_size_is_bounded_and_the_oldest_go_first(tmp_path, time):
    cache = DiskCache(str(tmp_path / "c.sqlite"), clock=time.clock, largest_bytes=10_000)
    for number in range(12):
        put(cache, time, b"x" * 1000, key=("svc", "x", str(number)))
        time.pass_s(1)
    found = [number for number in range(12) if cache.get("svc", "x", str(number))]
    assert found == list(range(2, 12))


def test_a_body_that_would_crowd_out_all_others_is_not_kept(tmp_path, time):
    cache = DiskCache(str(tmp_path / "c.sqlite"), clock=time.clock, largest_bytes=10_000)
    put(cache, time, b"x" * 5000)
    assert cache.get(*KEY) is None


def test_what_serves_nobody_any_more_goes(cache, time):
    put(cache, time)
    time.pass_s(300 + 2 * 86_400 + 1)
    put(cache, time, key=("svc", "x", "y"))
    rows = sqlite3.connect(cache.path)
    assert rows.execute("SELECT COUNT(*) FROM entries").fetchone() == (1,)
    rows.close()


def test_clear_forgets(cache, time):
    put(cache, time)
    cache.clear()
    assert cache.get(*KEY) is None


def test_a_locked_file_is_no_cache_for_now(cache, time):
    put(cache, time)
    cache = DiskCache(cache.path, clock=time.clock, busy_s=0.01)
    other = sqlite3.connect(cache.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert cache.get(*KEY) is None
    put(cache, time, b"two")
    other.execute("ROLLBACK")
    other.close()
    assert cache.get(*KEY).body == b"one"


WRITER = """
import sys
from codecarbon.transport import DiskCache
cache = DiskCache(sys.argv[1], clock=lambda: 1000.0, busy_s=60.0)
for number in range(20):
    cache.put("svc", sys.argv[2], str(number), b"y" * 1000, valid_until_us=2_000_000_000, fetched_us=1_000_000_000)
"""


def test_processes_and_threads_share_it(tmp_path):
    path = str(tmp_path / "c.sqlite")
    children = [subprocess.Popen([sys.executable, "-c", WRITER, path, f"child{n}"]) for n in range(2)]
    cache = DiskCache(path, clock=lambda: 1000.0, busy_s=60.0)

    def write(name):
        for number in range(20):
            cache.put("svc", name, str(number), b"x", valid_until_us=2_000_000_000, fetched_us=1_000_000_000)
            assert cache.get("svc", name, str(number)).body == b"x"

    threads = [threading.Thread(target=write, args=(f"thread{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [child.wait(timeout=60) for child in children] == [0, 0]
    for name in ("child0", "child1", "thread0", "thread1", "thread2", "thread3"):
        assert all(cache.get("svc", name, str(number)) for number in range(20)), name


def test_a_file_that_somebody_else_lays_out_meanwhile_keeps_what_they_put_there(cache, time):
    put(cache, time)
    # As if this one had looked just before the other one wrote.
    with closing(sqlite3.connect(cache.path, isolation_level=None)) as database:
        _lay_out(database)
    assert cache.get(*KEY).body == b"one"


def test_the_default_place_is_the_users_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert DiskCache().path == str(tmp_path / "codecarbon" / "intensity.sqlite")
