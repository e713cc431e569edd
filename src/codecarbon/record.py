"""What records have in common: equality, hash and text.

``dataclass`` writes these three as source text for every class and compiles it, which is half of what a record class
costs when it is made, and record classes are most of a cold start. So records are declared with ``eq=False`` and
``repr=False`` and take the three from here, where they do the same.
"""

from __future__ import annotations


class Record:
    """Base of dataclasses whose fields may be changed, so that they have no hash."""

    __slots__ = ()
    __match_args__: tuple[str, ...] = ()  # dataclass lists the fields here
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return _values(self) == _values(other)

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
        return f"{type(self).__qualname__}({fields})"


class FrozenRecord(Record):
    """Base of frozen, slotted dataclasses."""

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(_values(self))


def _values(record: Record) -> tuple[object, ...]:
    return tuple(getattr(record, name) for name in record.__match_args__)
