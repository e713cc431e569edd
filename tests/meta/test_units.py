"""A float in a record says its unit in its name."""

from __future__ import annotations

import dataclasses
import inspect
import typing

import pytest

from codecarbon import model

SUFFIXES = (
    "_j",
    "_uj",
    "_w",
    "_s",
    "_ns",
    "_g",
    "_g_per_kwh",
    "_l",
    "_l_per_kwh",
    "_ratio",
    "_percent",
    "_gib",
    "_bytes",
    "_deg",
    "_hz",
)
# Their field names are the columns of the CSV file and public since codecarbon 1.
EXEMPT = {model.EmissionsData, model.TaskEmissionsData}
RECORDS = [
    value
    for _, value in inspect.getmembers(model, inspect.isclass)
    if dataclasses.is_dataclass(value) and value not in EXEMPT
]


def bare_floats(record: type) -> list[str]:
    types = typing.get_type_hints(record)
    return [
        entry.name
        for entry in dataclasses.fields(record)
        if types[entry.name] in (float, float | None) and not entry.name.endswith(SUFFIXES)
    ]


def test_there_are_records_to_judge():
    assert len(RECORDS) > 5


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_float_fields_carry_their_unit(record):
    assert bare_floats(record) == []


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_records_are_frozen_and_slotted(record):
    assert record.__dataclass_params__.frozen
    assert "__slots__" in vars(record)


def test_a_bare_float_is_found():
    @dataclasses.dataclass
    class Bad:
        power: float
        energy_j: float | None

    Bad.__annotations__ = {"power": float, "energy_j": float | None}
    assert bare_floats(Bad) == ["power"]
