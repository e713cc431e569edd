"""Thermal design power by processor name.

Column ``words`` of the table holds each name as lower-case words between blanks; column ``anchor`` the rarest of them,
by which the rows are sorted. A row whose words are all in the looked-up name has its anchor there too, so that a
binary search for each word of the name finds all such rows without visiting the other thousands.
"""

from __future__ import annotations

from typing import NamedTuple

from codecarbon.data.tables import read_text

_MANY = 2  # processors that answer to a name are too many


class _Row(NamedTuple):
    words: str
    tdp_w: str

    @property
    def set(self) -> frozenset[str]:
        return frozenset(self.words.split())


def find_tdp_w(cpu_model: str) -> float | None:
    """Find the thermal design power of a processor, W.

    The name is looked up as it is, then without the decoration that vendors put around it; then a row is accepted
    when its words are all in the name, or the name's in it, and only one processor qualifies.

    Args:
        cpu_model: Brand string, for example ``Intel(R) Core(TM) i7-8850H CPU @ 2.60GHz``.

    Returns:
        Watts, or None when no processor, or more than one, answers to the name.
    """
    text = read_text("cpu_tdp")
    rows: list[_Row] = []
    words: list[str] = []
    for name in (cpu_model, _undecorated(cpu_model)):
        words = _split(name)
        rows = _contained(text, set(words))
        exact = f" {' '.join(words)} "
        for row in rows:
            if row.words == exact:
                return float(row.tdp_w)
    return _only_one(rows + _containing(text, words))


def _split(name: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in name.lower()).split()


def _undecorated(name: str) -> str:
    """Take the trade mark, the word CPU and the clock out of a brand string."""
    name = name.replace("(R)", "").partition(" CPU @ ")[0].replace(" CPU", "")
    head, at, tail = name.partition(" @ ")
    clock, _, rest = tail.partition(" ")
    digits = clock.removesuffix("GHz")
    if at and digits != clock and digits.replace(".", "", 1).isdigit():
        return f"{head} {rest}"
    return name


def _only_one(rows: list[_Row]) -> float | None:
    """Watts, if the rows name one processor; two spellings of it count once, unless they disagree."""
    found: dict[frozenset[str], str] = {}
    for row in rows:
        if found.setdefault(row.set, row.tdp_w) != row.tdp_w:
            return None
    return float(next(iter(found.values()))) if len(found) == 1 else None


def _contained(text: str, words: set[str]) -> list[_Row]:
    """Rows all of whose words are given."""
    rows = []
    for word in words:
        start = _anchor_start(text, word)
        while text.startswith(f"{word}\t", start):
            row, start = _row_at(text, start)
            if words.issuperset(row.words.split()):
                rows.append(row)
    return rows


def _anchor_start(text: str, anchor: str) -> int:
    """Where the rows of an anchor begin, or would: the first row whose anchor is not less."""
    low, high = text.find("\n") + 1, len(text)
    while low < high:
        middle = max(low, text.rfind("\n", 0, (low + high) // 2) + 1)
        if text[middle : text.find("\t", middle)] < anchor:
            low = text.find("\n", middle) + 1
        else:
            high = middle
    return low


def _containing(text: str, words: list[str]) -> list[_Row]:
    """Rows that contain all given words; the search ends at the second processor, since one is wanted."""
    if not words or any(f" {word} " not in text for word in words):
        return []
    # The word that few rows share is most often the long one with a digit in it.
    telling = max(words, key=lambda word: (not word.isalpha(), len(word)))
    rows: list[_Row] = []
    at = text.find(f" {telling} ")
    while at >= 0 and len({row.set for row in rows}) < _MANY:
        row, end = _row_at(text, text.rfind("\n", 0, at) + 1)
        if set(words).issubset(row.words.split()):
            rows.append(row)
        at = text.find(f" {telling} ", end)
    return rows


def _row_at(text: str, start: int) -> tuple[_Row, int]:
    """The row that begins somewhere, and where the next one begins."""
    end = text.find("\n", start)
    _, words, tdp_w, _ = text[start:end].split("\t")
    return _Row(words, tdp_w), end + 1
