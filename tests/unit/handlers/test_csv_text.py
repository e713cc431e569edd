"""Rows and records as bytes."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecarbon.handlers import csv_text

CELLS = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=2, max_size=6)


@given(CELLS, st.sampled_from(["\n", "\r\n"]))
def test_a_row_is_read_back_as_it_was(cells, line_end):
    data = csv_text.format_row(cells, line_end)
    assert list(csv.reader(io.StringIO(data.decode(), newline=""))) == [cells]


@given(CELLS)
def test_a_row_is_parsed_as_it_was(cells):
    mark_of_byte_order = "\ufeff"
    assert csv_text.parse_row(csv_text.format_row(["x", *cells])) == ["x", *cells]
    assert csv_text.parse_row(csv_text.format_row([mark_of_byte_order + "x", *cells])) == ["x", *cells]


@given(st.lists(CELLS, max_size=5), st.sampled_from(["\n", "\r\n"]))
def test_records_are_rows(rows, line_end):
    records = [csv_text.format_row(cells, line_end) for cells in rows]
    assert csv_text.split_records(b"".join(records)) == records


@given(st.binary())
def test_no_byte_is_lost_by_splitting(content):
    assert b"".join(csv_text.split_records(content)) == content


@given(st.floats(allow_nan=False))
def test_floats_are_exact(value):
    (cell, _) = csv_text.parse_row(csv_text.format_row([value, 1]))
    assert float(cell) == value


def test_nothing_is_an_empty_cell():
    assert csv_text.format_row([None, "", math.nan, np.float64("nan"), 0, 0.0, False], "\n") == b",,,,0,0.0,False\n"


def test_numpy_numbers_are_plain():
    assert csv_text.format_row([np.float64(0.5), np.int64(3)], "\n") == b"0.5,3\n"


def test_a_lone_carriage_return_is_quoted():
    assert csv_text.format_row(["a\rb", "c"], "\n") == b'"a\rb",c\n'


def test_what_utf8_cannot_hold_is_escaped():
    assert csv_text.format_row(["\ud800", "a\0b"], "\n") == b"\\ud800,a\\x00b\n"


def test_values_follow_the_columns():
    assert csv_text.format_values(["b", "a"], {"a": 1, "b": 2}, "\n") == b"2,1\n"


@pytest.mark.parametrize("record", [b"a,b\nc,d\n", b"", b"x" * 200_000])
def test_what_is_not_one_row_is_none(record):
    assert csv_text.parse_row(record) is None


def test_line_ends_are_recognised():
    assert csv_text.line_end_of(b"a\r\n") == "\r\n"
    assert csv_text.line_end_of(b"a\n") == "\n"
    assert csv_text.line_end_of(b"a") == csv_text.LINE_END
