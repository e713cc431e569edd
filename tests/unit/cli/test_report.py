"""The summary and the JSON of a run, from records made by hand."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from codecarbon.cli import document, report, text
from codecarbon.cli.child import Outcome
from codecarbon.model import (
    ChannelEnergy,
    ComponentEnergy,
    EmissionsRecord,
    EnergyWindow,
    Intensity,
    Location,
    PricedEnergy,
    Utilisation,
)

PLAIN = text.Style(is_coloured=False)
BEGIN = datetime(2025, 6, 1, 12, tzinfo=timezone.utc)
FRANCE = Intensity(56.04, "A yearbook", 2023, "FRA")
CPU_MODEL = ComponentEnergy(
    "cpu", 382.6, 0.0, 793.0, 229.0, "plausible", "modelled", "CPU load model, 80 W at full load", "process", 1.0
)
CPU_RAPL = ComponentEnergy(
    component="cpu",
    energy_j=1001.25,
    low_j=991.0,
    high_j=1011.5,
    std_j=5.0,
    bound_kind="hard",
    method="measured",
    source="RAPL by powercap",
    scope="machine",
    coverage_ratio=1.0,
    gain_ratio=0.01,
    channels=(ChannelEnergy("package-0", "package", 1_001_250_000, 1_000_900_000, 1_001_600_000, 0.1, ("WRAP",)),),
)
RAM_MODEL = ComponentEnergy("ram", 30.6, 0.0, 45.0, 13.0, "plausible", "modelled", "memory model, 3 W", "process", 1.0)
GPU_MISSING = ComponentEnergy(
    "gpu", None, None, None, None, "hard", None, "", "gpu", 0.0, missing=("GPU 0: its energy counter is stuck",)
)


def record(*components: ComponentEnergy, location: Location | None = None, **changes: object) -> EmissionsRecord:
    window = EnergyWindow(
        start_utc=BEGIN,
        end_utc=BEGIN + timedelta(seconds=10),
        duration_s=10.0,
        components=components,
        provisional=False,
        ticks=100,
        missed_ticks=0,
        gap_s=0.0,
        own_cpu_s=0.012,
        utilisation=Utilisation(97.0, None, 20.0, 1.5),
    )
    whole = EmissionsRecord(
        window=window,
        location=location or Location("FRA", "France", origin="constructor"),
        pue_ratio=1.0,
        wue_l_per_kwh=0.0,
        emissions_g=0.0064,
        emissions_low_g=0.0,
        emissions_high_g=0.013,
        water_l=0.0,
        priced=(PricedEnergy(1748779200, 413.2, 0.0064, FRANCE),),
    )
    window_changes = {name: changes.pop(name) for name in list(changes) if hasattr(window, name)}
    return replace(whole, window=replace(window, **window_changes), **changes)


def run_report(result: EmissionsRecord | None, **changes: object) -> report.RunReport:
    whole = report.RunReport(
        command=("python", "train.py", "--name", "a b"),
        outcome=Outcome(exit_code=3, signal_number=None, was_interrupted=False, has_left_processes=False),
        record=result,
        run_id="0b5cb4c5",
        project_name="codecarbon",
        tracking_mode="process",
        csv_path="/data/emissions.csv",
        own_cpu_s=0.05,
    )
    return replace(whole, **changes)


def summary(result: EmissionsRecord | None, **changes: object) -> str:
    return report.summary(run_report(result, **changes), PLAIN)


def flat(content: str) -> str:
    """The text without its line breaks."""
    return " ".join(content.split())


def test_modelled_part_is_called_so_with_its_plausible_bound():
    seen = flat(summary(record(CPU_MODEL, RAM_MODEL)))
    assert "CPU: 383 J 38.3 W modelled, plausible bound 0 to 793 J CPU load model, 80 W at full load" in seen
    assert "Measured: 0 % of this energy, by sensors" in seen


def test_measured_part_is_called_so_with_its_hard_bound():
    seen = flat(summary(record(replace(CPU_RAPL, flags=("WRAP",), coverage_ratio=0.5))))
    assert (
        "CPU: 1,001 J 100 W measured, hard bound 991 to 1,012 J, readings cover 50 % of the time, faults: WRAP "
        "RAPL by powercap" in seen
    )
    assert "Measured: 100 % of this energy, by sensors" in seen


@pytest.mark.parametrize(
    ("components", "words"),
    [
        ((CPU_RAPL,), "991 to 1,012 J, a hard bound"),
        ((CPU_MODEL,), "0 to 793 J, a plausible bound"),
        ((CPU_RAPL, RAM_MODEL), "991 to 1,056 J, partly a hard, partly a plausible bound"),
    ],
)
def test_bound_of_the_whole_is_no_harder_than_its_weakest_part(components, words):
    assert words in flat(summary(record(*components)))


def test_missing_part_is_named_with_its_reason_and_no_zero():
    seen = flat(summary(record(CPU_MODEL, GPU_MISSING)))
    assert "GPU: missing: GPU 0: its energy counter is stuck" in seen
    assert "GPU: 0" not in seen


def test_part_that_is_partly_missing_says_both():
    partly = replace(CPU_RAPL, missing=("package-1: refused",))
    seen = flat(summary(record(partly)))
    assert "1,001 J" in seen
    assert "missing: package-1: refused" in seen


def test_nothing_known_is_no_zero():
    seen = summary(record(GPU_MISSING))
    assert "Energy:    nothing is known" in seen
    assert "Emissions: N/A" in seen


def test_nothing_measured_is_na():
    assert "Emissions: N/A" in summary(None, csv_problem="nothing was measured")


def test_emissions_keep_the_wording_of_version_3():
    assert "Emissions: 0.00640 g CO2eq" in summary(record(CPU_MODEL))
    assert "Emissions: 0.2500 g CO2eq" in summary(record(CPU_MODEL, emissions_g=0.25))


def test_intensity_names_source_year_and_place():
    seen = flat(summary(record(CPU_MODEL)))
    assert "Place: France Intensity: 56.0 g/kWh, A yearbook (2023)" in seen


@pytest.mark.parametrize(
    ("location", "words"),
    [
        (
            Location("FRA", "France", origin="guessed from the time zone", is_guess=True),
            "France, guessed from the time",
        ),
        (Location("USA", "United States", "ohio", origin="DMI", is_guess=True), "United States, ohio, guess: DMI"),
        (Location(cloud_provider="gcp", cloud_region="europe-west1"), "gcp:europe-west1"),
        (Location(), "Place: unknown; give --country-iso-code Intensity"),
        (Location(region="ohio"), "Place: unknown; give --country-iso-code beside region ohio Intensity"),
    ],
)
def test_place_says_when_it_is_a_guess(location, words):
    assert words in flat(summary(record(CPU_MODEL, location=location)))


def test_d44_path_of_the_csv_is_absolute_and_not_broken():
    path = "/data/" + "very-long-name/" * 10 + "emissions.csv"
    assert f"  CSV:       {path}\n" in summary(record(CPU_MODEL), csv_path=path)


def test_row_that_was_not_written_says_why():
    seen = summary(record(CPU_MODEL), csv_problem="/data/emissions.csv cannot be written (Permission denied)")
    assert "CSV:       not written: /data/emissions.csv cannot be written (Permission denied)\n" in seen


def test_no_csv_is_said():
    assert "CSV:       none was asked for" in summary(record(CPU_MODEL), csv_path=None)


def test_scope_differs_by_component():
    assert "Scope: the command and its children Own" in flat(summary(record(CPU_MODEL, RAM_MODEL)))
    assert "Scope: CPU: the whole machine, other programs included; RAM: the command and its children Own" in flat(
        summary(record(CPU_RAPL, RAM_MODEL))
    )


def test_own_cost_counts_process_and_sampler():
    seen = flat(summary(record(CPU_RAPL, missed_ticks=3)))
    assert "Own cost: 0.0500 s of processor time, 0.50 % of one CPU; 0.0120 s of it for 100 samples, 3 missed" in seen


def test_pue_gaps_and_water_are_shown_when_there_are_any():
    plain = summary(record(CPU_RAPL))
    assert not [word for word in ("PUE", "Gaps", "Water") if word in plain]
    seen = flat(summary(record(CPU_RAPL, pue_ratio=1.5, gap_s=2.5, wue_l_per_kwh=1.8, water_l=0.3)))
    assert "PUE: 1.5; with it 1,502 J" in seen
    assert "Gaps: no readings for 2.50 s" in seen
    assert "Water: 0.300 l at 1.8 l/kWh" in seen


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome(0, None, False, False), "(exit code 0)"),
        (Outcome(139, 11, False, False), "(ended by signal 11)"),
        (Outcome(130, 2, True, False), "(interrupted)"),
    ],
)
def test_headline_names_the_command_and_its_end(outcome, words):
    assert f"codecarbon  python train.py --name 'a b'  {words}" in summary(record(CPU_MODEL), outcome=outcome)


def test_processes_left_behind_are_named():
    outcome = Outcome(0, None, False, True)
    assert "left processes running" in summary(record(CPU_MODEL), outcome=outcome)
    assert "left processes running" not in summary(record(CPU_MODEL))


def test_nothing_is_uploaded_and_notes_are_kept():
    seen = flat(summary(record(CPU_MODEL), notes=("emissions_endpoint is not in this version",)))
    assert "Note: emissions_endpoint is not in this version" in seen
    assert "Upload: nothing is uploaded" in seen


def test_lines_fit_a_terminal():
    lines = summary(record(CPU_RAPL, RAM_MODEL, GPU_MISSING)).splitlines()
    assert max(len(line) for line in lines) <= 92


def test_colour_changes_no_word():
    whole = run_report(record(CPU_RAPL, RAM_MODEL, GPU_MISSING))
    coloured = report.summary(whole, text.Style(is_coloured=True))
    assert "\x1b[32mmeasured\x1b[0m" in coloured
    assert text._ATTRIBUTES.sub("", coloured) == report.summary(whole, PLAIN)


RUN_KEYS = {
    *("schema", "codecarbon_version", "command", "exit_code", "signal_number", "has_left_processes", "run_id"),
    *("project_name", "tracking_mode", "csv_path", "csv_problem", "notes", "is_uploaded", "own_cpu_s", "result"),
}
RESULT_KEYS = {
    *("start_utc", "end_utc", "duration_s", "energy_j", "energy_bound_j", "energy_std_j", "energy_kwh", "power_w"),
    *("measured_ratio", "is_provisional", "scope", "components", "missing", "emissions_g", "emissions_bound_g"),
    *("pue_ratio", "wue_l_per_kwh", "water_l", "location", "intensities", "slots", "utilisation", "sampling"),
    *("sampling_cpu_s", "sources", "pricing_notes"),
}
COMPONENT_KEYS = {
    *("component", "energy_j", "energy_bound_j", "bound_kind", "energy_std_j", "method", "source", "scope"),
    *("coverage_ratio", "gain_ratio", "flags", "missing", "channels"),
}


def test_json_has_the_keys_of_its_schema_version():
    document_ = json.loads(json.dumps(document.run_dict(run_report(record(CPU_RAPL, RAM_MODEL, GPU_MISSING)))))
    assert document_["schema"] == "codecarbon.monitor/1"
    assert set(document_) == RUN_KEYS
    assert set(document_["result"]) == RESULT_KEYS
    assert [set(entry) for entry in document_["result"]["components"]] == [COMPONENT_KEYS] * 3


def test_json_says_what_is_modelled_and_with_what_bound():
    cpu, ram = document.run_dict(run_report(record(CPU_RAPL, RAM_MODEL)))["result"]["components"]
    assert (cpu["method"], cpu["bound_kind"], cpu["energy_bound_j"]) == ("measured", "hard", [991.0, 1011.5])
    assert (ram["method"], ram["bound_kind"], ram["energy_bound_j"]) == ("modelled", "plausible", [0.0, 45.0])
    (channel,) = cpu["channels"]
    assert channel["energy_bound_uj"] == [1_000_900_000, 1_001_600_000]
    assert channel["flags"] == ["WRAP"]


def test_json_of_a_missing_part_is_null_with_a_reason():
    result = document.run_dict(run_report(record(GPU_MISSING)))["result"]
    (gpu,) = result["components"]
    assert (gpu["energy_j"], gpu["energy_bound_j"], gpu["method"]) == (None, None, None)
    assert (result["energy_j"], result["energy_bound_j"], result["power_w"]) == (None, None, None)
    assert result["missing"] == ["GPU 0: its energy counter is stuck"]


def test_json_without_a_command_or_a_result_is_null():
    document_ = document.run_dict(run_report(None, command=(), outcome=None))
    assert (document_["command"], document_["exit_code"], document_["result"]) == (None, None, None)


def test_json_names_each_intensity_once():
    slots = tuple(PricedEnergy(1748779200 + 300 * place, 1.0, 0.1, FRANCE) for place in range(3))
    result = document.run_dict(run_report(record(CPU_RAPL, priced=slots)))["result"]
    assert [entry["source"] for entry in result["intensities"]] == ["A yearbook"]
    assert len(result["slots"]) == 3


LIVE = [Intensity(value, "electricity_maps", None, "FR", note="lifecycle emissions") for value in (40.0, 60.0)]
MIXED = (
    PricedEnergy(1748779200, 3.6e6, 40.0, LIVE[0]),
    PricedEnergy(1748779500, 3.6e6, 60.0, LIVE[1]),
    PricedEnergy(1748779800, 1.8e6, 28.02, FRANCE),
)


def test_summary_says_which_source_priced_how_much():
    seen = flat(summary(record(CPU_RAPL, priced=MIXED, pricing_notes=("electricity_maps: timed out",))))
    assert (
        "Intensity: 50.0 g/kWh (40.0 to 60.0), electricity_maps, FR, for 80 % of the energy; lifecycle emissions"
        in seen
    )
    assert "56.0 g/kWh, A yearbook (2023), for 20 % of the energy" in seen
    assert "failed: electricity_maps: timed out" in seen


def test_summary_says_that_a_source_is_marginal():
    slot = PricedEnergy(1748779200, 3.6e6, 500.0, Intensity(500.0, "watttime", None, "CAISO_NORTH", "marginal"))
    assert "500 g/kWh, watttime, CAISO_NORTH, marginal" in flat(summary(record(CPU_RAPL, priced=(slot,))))


def test_json_says_which_source_priced_how_much():
    result = document.run_dict(run_report(record(CPU_RAPL, priced=MIXED, pricing_notes=("x: y",))))["result"]
    first, second = result["sources"]
    assert (first["source"], first["slot_count"], first["energy_j"], first["emissions_g"]) == (
        "electricity_maps",
        2,
        7.2e6,
        100.0,
    )
    assert first["intensity_range_g_per_kwh"] == [40.0, 60.0]
    assert (second["source"], second["year"], second["zone"]) == ("A yearbook", 2023, "FRA")
    assert [slot["source"] for slot in result["slots"]] == ["electricity_maps", "electricity_maps", "A yearbook"]
    assert result["pricing_notes"] == ["x: y"]


def test_a_share_without_energy_has_an_intensity():
    slots = tuple(PricedEnergy(1748779200, 0.0, 0.0, intensity) for intensity in LIVE)
    (share,) = record(CPU_RAPL, priced=slots).sources
    assert share.intensity_g_per_kwh == 50.0


def test_json_that_cannot_be_written_is_said_and_raises_nothing(tmp_path, monkeypatch):
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    document.write({"a": 1}, to_stdout=False, path=str(tmp_path / "no" / "folder"))
    assert "could not be written: No such file or directory" in said.getvalue()
