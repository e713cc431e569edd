"""The script that makes the tables, on small inputs."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from codecarbon.data import read_rows
from codecarbon.data.cpu import _split

ROOT = Path(__file__).parents[3]


def load_script(name):
    """Load a script of ``tools`` as Python runs it: with its folder in front of the path."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"tools/{name}.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "tools")
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def builder():
    return load_script("build_tables")


def test_builder_and_lookup_split_names_alike(builder):
    names = [row["name"] for row in read_rows("cpu_tdp")]
    assert [builder.tokens(name) for name in names] == [_split(name) for name in names]


@pytest.mark.parametrize(
    ("text", "kept"),
    [("95", "95"), ("65.0", "65"), ("7.5", "7.5"), ("27.29.5", None), ("0.0", None), ("-1", None), ("", None)],
)
def test_processor_is_kept_only_with_a_positive_number(builder, tmp_path, text, kept):
    (tmp_path / "cpu_power.csv").write_text(f"Name,TDP\nIntel Foo 1,{text}\n", encoding="utf-8")
    (_, rows), dropped = builder.build_cpu(tmp_path)
    assert [row[2] for row in rows] == ([kept] if kept else [])
    assert [entry["tdp"] for entry in dropped] == ([] if kept else [text])


def test_same_name_twice_is_kept_once_and_a_contradiction_is_listed(builder, tmp_path):
    lines = "Name,TDP\nAMD FX-6100,95\nAMD FX 6100,95\nIntel Atom E625CT,3\nIntel Atom\u00a0E625CT,2.7\n"
    (tmp_path / "cpu_power.csv").write_text(lines, encoding="utf-8")
    (_, rows), dropped = builder.build_cpu(tmp_path)
    assert [(row[1], row[2]) for row in rows] == [(" amd fx 6100 ", "95"), (" intel atom e625ct ", "3")]
    assert [entry["tdp"] for entry in dropped] == ["2.7"]


def test_anchor_is_the_rarest_word(builder, tmp_path):
    (tmp_path / "cpu_power.csv").write_text("Name,TDP\nIntel Foo 1,5\nIntel Foo 2,6\nIntel Bar 2,7\n", encoding="utf-8")
    (_, rows), _ = builder.build_cpu(tmp_path)
    assert [(row[0], row[1].strip()) for row in rows] == [
        ("1", "intel foo 1"),
        ("2", "intel foo 2"),
        ("bar", "intel bar 2"),
    ]


FACTORS = {row["name"]: float(row["g_per_kwh"]) for row in read_rows("factors")}
NOTHING = dict.fromkeys(
    ("coal_TWh", "gas_TWh", "oil_TWh", "hydroelectricity_TWh", "nuclear_TWh", "solar_TWh", "wind_TWh"), 0.0
)


def test_mix_is_weighted_by_generation(builder):
    row = NOTHING | {"hydroelectricity_TWh": 3.0, "coal_TWh": 1.0, "total_TWh": 4.0}
    assert builder.mix_g_per_kwh(row, FACTORS) == pytest.approx((3 * 26 + 995) / 4)


@pytest.mark.parametrize("total_twh", [5.0, 3.0])
def test_mix_that_is_not_the_whole_has_no_mean(builder, total_twh):
    row = NOTHING | {"hydroelectricity_TWh": 3.0, "coal_TWh": 1.0, "total_TWh": total_twh}
    assert builder.mix_g_per_kwh(row, FACTORS) is None


def test_no_generation_has_no_mean(builder):
    assert builder.mix_g_per_kwh(NOTHING | {"total_TWh": 0.0}, FACTORS) is None


def test_misspelt_region_and_country_in_the_state_column_are_corrected(builder, tmp_path):
    for name in ("cloud", "locations"):
        (tmp_path / name).mkdir()
    header = "provider,region,countryIsoCode,state,city,impact\n"
    rows = "gcp,me-cenrtal1,QAT,,Doha,575\ngcp,asia-northeast3,KOR,South Korea,Seoul,378\n"
    (tmp_path / "cloud/impact.csv").write_text("\ufeff" + header + rows, encoding="utf-8")
    (tmp_path / "locations/aws-regions.metadata.json.reference").write_text("[]", encoding="utf-8")
    (tmp_path / "locations/azure-regions.json").write_text("{}", encoding="utf-8")
    _, built = builder.build_cloud(tmp_path)
    google = {row[0]: row[1:5] for row in built if row[0].startswith("gcp/")}
    assert google == {
        "gcp/me-central1": ("QAT", "", "Doha", "575"),
        "gcp/asia-northeast3": ("KOR", "", "Seoul", "378"),
    }


def test_cloud_region_without_a_country_stops_the_build(builder, tmp_path):
    for name in ("cloud", "locations"):
        (tmp_path / name).mkdir()
    (tmp_path / "cloud/impact.csv").write_text("provider,region\n", encoding="utf-8")
    aws = json.dumps([{"code": "mars-north-1"}])
    (tmp_path / "locations/aws-regions.metadata.json.reference").write_text(aws, encoding="utf-8")
    (tmp_path / "locations/azure-regions.json").write_text("{}", encoding="utf-8")
    with pytest.raises(SystemExit, match="aws/mars-north-1"):
        builder.build_cloud(tmp_path)


@pytest.mark.parametrize("rows", [[("a", "b\tc")], [("a", "b\nc")], [("a",)]])
def test_a_table_that_could_not_be_read_again_stops_the_build(rows):
    with pytest.raises(SystemExit, match="a cell holds a separator, or a row is too short"):
        load_script("shipped_tables").write_table("things", ("key", "value"), rows, {})


def test_a_table_is_written_or_only_compared(tmp_path, monkeypatch, capsys):
    tables = load_script("shipped_tables")
    text, about = tables.write_table("things", ("key", "value"), [("a", "1")], {"content": "things"})
    assert (text, about["rows"], about["content"]) == ("key\tvalue\na\t1\n", 1, "things")
    monkeypatch.setattr(tables, "DATA", tmp_path)

    def run(*options):
        monkeypatch.setattr("sys.argv", ["script", str(tmp_path), *options])
        with pytest.raises(SystemExit) as ended:
            tables.run(lambda folder: {"things.tsv": text}, "Build.", folder="figures")
        return ended.value.code, capsys.readouterr().out

    assert run("--check") == (1, "differs things.tsv\n")
    assert not (tmp_path / "things.tsv").exists()
    assert run() == (0, "written things.tsv\n")
    assert run("--check") == (0, "same    things.tsv\n")
