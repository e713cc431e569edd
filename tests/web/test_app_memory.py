"""What is remembered, for how long, and what clients are told about it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import requests

from codecarbon.carbon_aware.options import Options
from codecarbon.carbon_aware.web import WebSettings
from codecarbon.carbon_aware.web.entry import Entry, Store
from tests.support.carbon_aware import Clock as FileClock
from tests.support.carbon_aware import document_j, make_operations
from tests.support.fake_intensity import NOON_US, FakeSource, context, points

PERIOD = "time=2022-01-01T11:00Z&toTime=2022-01-01T11:30Z"


class Clock:
    """Seconds since 1970, as a test sets them."""

    def __init__(self) -> None:
        self.now_s = NOON_US / 1e6

    def __call__(self) -> float:
        return self.now_s


def source(**changes):
    return FakeSource({"eastus": points(*range(1, 13), start_us=NOON_US - 3_600_000_000)}, **changes)


def test_the_same_question_again_asks_nobody(serve):
    asked = source()
    url = f"{serve(context(asked))}/emissions/bylocation?location=eastus&{PERIOD}"
    answers = {requests.get(url).text for _ in range(5)}
    assert len(answers) == 1
    assert asked.calls == 1


def test_the_same_question_in_other_words_asks_nobody(serve):
    asked = source()
    url = f"{serve(context(asked))}/emissions/bylocation"
    first = requests.get(f"{url}?location=eastus&{PERIOD}")
    other = requests.get(
        f"{url.upper().replace('HTTP', 'http')}/?TOTIME=2022-01-01T11:30:00.0Z&Time=2022-01-01T11:00&location=eastus"
    )
    assert other.content == first.content
    assert other.headers["etag"] == first.headers["etag"]
    assert asked.calls == 1


def test_an_answer_ends_with_its_validity(serve):
    clock, asked = Clock(), source(valid_until_us=NOON_US + 90_000_000)
    url = f"{serve(context(asked, clock=clock))}/emissions/bylocation?location=eastus&{PERIOD}"
    first = requests.get(url)
    clock.now_s += 60
    second = requests.get(url)
    assert asked.calls == 1
    assert (first.headers["cache-control"], second.headers["cache-control"]) == ("max-age=90", "max-age=30")
    clock.now_s += 31
    asked.observed_points["eastus"] = points(*range(2, 14), start_us=NOON_US - 3_600_000_000)
    asked.valid_until_us = None
    third = requests.get(url)
    assert asked.calls == 2
    assert third.headers["etag"] != first.headers["etag"]
    assert third.text != first.text


def test_everything_until_now_from_a_file_is_kept_until_its_next_point(serve, tmp_path):
    clock = FileClock("2021-11-17T23:50:00Z")
    base = serve(make_operations(tmp_path, clock, data=document_j()))
    url = f"{base}/emissions/bylocation?location=eastus"
    assert [requests.get(url).status_code for _ in range(2)] == [204, 204]
    assert requests.get(url).headers["cache-control"] == "max-age=600"
    clock.advance(600)
    assert [row["rating"] for row in requests.get(url).json()] == [60]


def test_an_answer_that_may_change_at_any_time_is_not_kept(serve):
    asked = source(valid_until_us=NOON_US)
    url = f"{serve(context(asked))}/emissions/bylocation?location=eastus&{PERIOD}"
    assert [requests.get(url).headers["cache-control"] for _ in range(2)] == ["no-cache"] * 2
    assert asked.calls == 2


def test_a_client_that_has_the_answer_is_told_so_without_it(serve):
    for asked in (source(), source(valid_until_us=NOON_US)):  # from memory, and asked again
        url = f"{serve(context(asked))}/emissions/bylocation?location=eastus&{PERIOD}"
        tag = requests.get(url).headers["etag"]
        assert tag.startswith('W/"')
        for sent in (tag, tag.removeprefix("W/"), f'"x", {tag}', "*"):
            again = requests.get(url, headers={"if-none-match": sent})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == tag
            assert "cache-control" in again.headers
            assert "content-type" not in again.headers
        assert requests.get(url, headers={"if-none-match": '"x"'}).status_code == 200


def test_etags_differ_by_profile_question_and_form(serve):
    tags = set()
    for profile in ("documented", "strict"):
        url = f"{serve(context(source(), Options(profile=profile)))}/emissions/bylocation?location=eastus&{PERIOD}"
        tags |= {
            requests.get(url).headers["etag"],
            requests.get(url, headers={"accept": "text/csv"}).headers["etag"],
            requests.get(f"{url}&detail=true").headers["etag"],
            requests.get(url.replace("11:30", "11:25")).headers["etag"],
        }
    assert len(tags) == 8


def test_forms_are_not_mixed_up_in_memory(serve):
    url = f"{serve(context(source()))}/emissions/bylocation?location=eastus&{PERIOD}"
    for _ in range(2):
        assert requests.get(url).text.startswith("[")
        assert requests.get(url, headers={"accept": "text/csv"}).text.startswith("location,")


def test_a_warning_belongs_to_the_spelling_not_to_the_answer(serve):
    url = f"{serve(context(source()))}/emissions/bylocation?location=eastus&{PERIOD}"
    for _ in range(2):
        assert "warning" in requests.get(f"{url}&foo=1").headers
        assert "warning" not in requests.get(url).headers


def test_an_error_is_not_remembered(serve):
    asked = source()
    asked.error = OSError("broken")
    url = f"{serve(context(asked))}/emissions/bylocation?location=eastus&{PERIOD}"
    assert requests.get(url).status_code == 500
    asked.error = None
    assert requests.get(url).status_code == 200


def test_a_thousand_equal_requests_at_once_are_one_call(serve):
    asked = source()
    asked.gate = threading.Event()
    url = f"{serve(context(asked))}/emissions/bylocation?location=eastus&{PERIOD}"
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=50))
    with ThreadPoolExecutor(50) as pool:
        waiting = [pool.submit(session.get, url) for _ in range(50)]
        while asked.calls == 0:
            time.sleep(0.001)
        asked.gate.set()
        waiting += [pool.submit(session.get, url) for _ in range(950)]
        statuses = {answer.result().status_code for answer in waiting}
    session.close()
    assert statuses == {200}
    assert asked.calls == 1


def test_more_distinct_questions_than_may_wait_are_refused_for_now(serve):
    asked = source()
    asked.gate = threading.Event()
    url = serve(context(asked), settings=WebSettings(threads=1, max_waiting=2, shutdown_s=2))
    paths = [f"{url}/emissions/bylocation?location=eastus&time=2022-01-01T11:{minute:02d}Z" for minute in range(3)]
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(requests.get, path) for path in paths]
        refused = next(answer for answer in _as_they_come(waiting) if answer.status_code == 503)
        asked.gate.set()
        assert sorted(answer.result().status_code for answer in waiting) == [200, 200, 503]
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["title"] == "Service Unavailable"


def _as_they_come(waiting):
    from concurrent.futures import as_completed

    return (future.result() for future in as_completed(waiting, timeout=20))


def entry(size_bytes=8_000, fresh_until_us=100):
    return Entry(200, (b"x",), (), b"", fresh_until_us, size_bytes)


def test_the_store_forgets_what_was_used_longest_ago():
    store = Store(30_000)
    for key in "abc":
        store.put(key, entry())
    assert store.get("a", 0)
    store.put("d", entry())
    assert [bool(store.get(key, 0)) for key in "abcd"] == [True, False, True, True]
    assert 27_000 <= store.size_bytes <= 30_000


def test_the_store_keeps_nothing_larger_than_itself_and_counts_what_it_replaces():
    store = Store(30_000)
    store.put("a", entry(30_001))
    assert store.get("a", 0) is None
    store.put("a", entry(25_000))
    store.put("a", entry(20_000))
    assert 20_000 <= store.size_bytes < 22_000
    store.put("a", entry(30_001))
    assert store.get("a", 0) is None
    assert store.size_bytes == 0


def test_long_keys_count_too():
    store = Store(30_000)
    for key in "abcd":
        store.put(key, entry(10), 10_000)
    assert [bool(store.get(key, 0)) for key in "abcd"] == [False, False, True, True]


def test_the_store_gives_nothing_that_is_over():
    store = Store(30_000)
    store.put("a", entry())
    assert store.get("a", 99)
    assert store.get("a", 100) is None
