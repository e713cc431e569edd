"""What `import codecarbon` costs, over the bare interpreter."""

from __future__ import annotations

from benchmarks.conftest import Report
from benchmarks.process import RSS, alternate, mb, median, median_wall_ms, python

HEAVY = ("numpy", "requests", "typer", "psutil", "logging", "rich", "platformdirs", "pynvml")


def test_import_adds_little_time_and_memory(report: Report) -> None:
    measure = f"pages = int({RSS}); import sys; modules = [m for m in {HEAVY!r} if m in sys.modules]"
    say = "; import json; print(json.dumps({'pages': pages, 'modules': modules, 'n': len(sys.modules)}))"
    runs = alternate(
        {
            "bare": python(measure + say),
            "ours": python("import codecarbon; " + measure + say + "; assert codecarbon.__version__"),
        },
        rounds=3 if report.smoke else 31,
    )
    bare, ours = runs["bare"], runs["ours"]
    assert all(child.said["n"] > 20 for child in ours)
    report.judge(
        "import_time",
        median_wall_ms(ours) - median_wall_ms(bare),
        baseline=median_wall_ms(bare),
        baseline_name="bare interpreter",
    )
    report.judge(
        "import_memory",
        mb(median(ours, "pages") - median(bare, "pages")),
        baseline=mb(median(bare, "pages")),
        baseline_name="bare interpreter",
    )
    loaded = sorted({name for child in ours for name in child.said["modules"]})
    assert loaded == []
    report.judge("import_modules", len(loaded), baseline=0.0, baseline_name="bare interpreter")
    costs = {peer.name: peer.import_cost() for peer in report.peers}
    report.peer("import_time", lambda peer: costs[peer.name][0])
    report.peer("import_memory", lambda peer: costs[peer.name][1])
