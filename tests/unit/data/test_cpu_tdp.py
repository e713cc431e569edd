"""Processor names against the TDP table."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from codecarbon.data import find_tdp_w, read_rows, table_path
from codecarbon.data.cpu import _split, _undecorated


@pytest.mark.parametrize(
    ("name", "tdp_w"),
    [
        ("Intel(R) Xeon(R) CPU E5-2620 v3 @ 2.40GHz", 85.0),
        ("Intel(R) Core(TM) i7-8850H CPU @ 2.60GHz", 45.0),
        ("AMD Ryzen Threadripper 1950X 16-Core Processor", 180.0),
        ("5800K", 100.0),
        ("AMD EPYC 8024P 8-Core Processor", 90.0),
        ("intel xeon e3-1240 V2", 69.0),
        ("Intel(R) Core(TM)2 Duo CPU     E8400  @ 3.00GHz", 65.0),
        ("Apple M1", 10.0),
    ],
)
def test_brand_string_finds_its_processor(name, tdp_w):
    assert find_tdp_w(name) == tdp_w


@pytest.mark.parametrize(
    "name",
    [
        "Intel 5800K",
        "AMD Ryzen 3",
        "AMD Ryzen 3 1200 PRO",
        "AMD A10-4600",
        "AMD Threadripper 1950X 16-Core Processor",
        "Intel(R) Xeon(R) Processor",
        "Intel",
        "Unknown",
        "",
        "()",
        "a\tb\nc",
    ],
)
def test_ambiguous_or_unknown_name_finds_nothing(name):
    assert find_tdp_w(name) is None


def test_generation_is_not_dropped_from_the_name():
    assert {find_tdp_w(f"Intel(R) Xeon(R) CPU E5-2620{v} @ 2.40GHz") for v in ("", " v2")} == {95.0, 80.0}


def test_every_shipped_name_finds_its_own_row():
    for row in read_rows("cpu_tdp"):
        assert find_tdp_w(row["name"]) == float(row["tdp_w"]), row["name"]


def test_two_spellings_of_one_processor_count_once():
    spellings = {frozenset(row["words"].split()) for row in read_rows("cpu_tdp")}
    assert len(spellings) < len(read_rows("cpu_tdp"))  # there are such pairs: this one is written in two orders
    pair = [row for row in read_rows("cpu_tdp") if set(row["words"].split()) == {"amd", "ryzen", "7", "pro", "4750u"}]
    assert {row["tdp_w"] for row in pair} == {"15"}
    assert find_tdp_w("AMD Ryzen 7 PRO 4750U with Radeon Graphics") == 15.0


def test_d46_faulty_rows_are_dropped_and_listed():
    # codecarbon 3 raised ValueError inside detection on these processors.
    about = json.loads(Path(table_path("tables").replace(".tsv", ".json")).read_text(encoding="utf-8"))
    dropped = {entry["name"]: entry["tdp"] for entry in about["cpu_tdp"]["dropped"]}
    assert dropped["Intel Celeron 1000A"] == "27.29.5"
    assert dropped["Intel Quark Microcontroller D1000"] == "0.0"
    for name in ("Intel Celeron 1000A", "Intel Celeron 1100A", "Intel Celeron 1200", "Intel Celeron 1400"):
        assert name in dropped
        assert find_tdp_w(name) is None
    assert find_tdp_w("Intel Quark Microcontroller D1000") is None


def _by_brute_force(name: str) -> float | None:
    """The same rules, visiting every row."""
    rows = [(row["words"].split(), float(row["tdp_w"])) for row in read_rows("cpu_tdp")]
    words: list[str] = []
    for variant in (name, _undecorated(name)):
        words = _split(variant)
        for row_words, tdp_w in rows:
            if row_words == words:
                return tdp_w
    found = {(frozenset(r), w) for r, w in rows if words and (set(r) <= set(words) or set(words) <= set(r))}
    return found.pop()[1] if len(found) == 1 else None


def test_search_agrees_with_visiting_every_row():
    dice = random.Random(7)
    names = [row["name"] for row in read_rows("cpu_tdp")]
    changes = (
        lambda name: f"{name} 8-Core Processor",
        lambda name: " ".join(dice.sample(name.split(), max(1, len(name.split()) - 1))),
        lambda name: f"{name.replace('Intel', 'Intel(R)')} CPU @ 2.40GHz",
        lambda name: f"11th Gen {name} @ 3.10GHz",
    )
    for _ in range(120):
        name = dice.choice(changes)(dice.choice(names))
        assert find_tdp_w(name) == _by_brute_force(name), name
