"""A first row and a second, as the simplest user meets them; the corners are in the neighbouring modules."""

import csv

from codecarbon.handlers import Dispatcher, FileOutput
from tests.support.records import emissions_data


def test_two_runs_give_a_header_and_two_rows_of_38_cells(tmp_path):
    for _ in range(2):
        dispatcher = Dispatcher([FileOutput("emissions.csv", str(tmp_path / "new"))])
        dispatcher.out(emissions_data(), emissions_data())
        dispatcher.exit()
        assert not dispatcher.is_degraded
    with open(tmp_path / "new" / "emissions.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert [len(row) for row in rows] == [38, 38, 38]
