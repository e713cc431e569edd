"""Records behave as if dataclass had written their equality, hash and text."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pytest

from codecarbon import model
from codecarbon.record import FrozenRecord, Record


def fresh() -> tuple[object, object]:
    """One class with what records share, and one with what dataclass writes."""

    @dataclass(frozen=True, slots=True, eq=False, repr=False)
    class Shared(FrozenRecord):
        number: float
        words: tuple[str, ...] = ()

    @dataclass(frozen=True, slots=True)
    class Written:
        number: float
        words: tuple[str, ...] = ()

    return Shared, Written


def test_text_and_hash_are_those_that_dataclass_writes() -> None:
    shared, written = (kind(1.5, ("a",)) for kind in fresh())  # type: ignore[operator]
    assert repr(shared) == repr(written).replace("Written", "Shared")
    assert hash(shared) == hash(written)


def test_equality_needs_the_same_class_and_the_same_values() -> None:
    kind, other = fresh()
    assert kind(1.0) == kind(1.0)  # type: ignore[operator]
    assert kind(1.0) != kind(2.0)  # type: ignore[operator]
    assert kind(1.0) != other(1.0)  # type: ignore[operator]
    assert kind(1.0, ()) != (1.0, ())  # type: ignore[operator]


def test_a_record_that_can_change_has_no_hash() -> None:
    @dataclass(eq=False, repr=False)
    class Row(Record):
        number: float

    row = Row(1.0)
    row.number = 2.0
    assert row == Row(2.0)
    assert repr(row).endswith("Row(number=2.0)")
    with pytest.raises(TypeError, match="unhashable"):
        hash(row)


@pytest.mark.parametrize("name", [name for name in model.__all__ if dataclasses.is_dataclass(getattr(model, name))])
def test_every_record_of_the_model_shares_them(name: str) -> None:
    kind = getattr(model, name)
    assert issubclass(kind, Record)
    assert not {"__eq__", "__repr__"} & set(vars(kind))
    assert ("__slots__" in vars(kind)) == issubclass(kind, FrozenRecord)
