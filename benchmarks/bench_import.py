"""What `import codecarbon` costs, over the bare interpreter."""

from __future__ import annotations

from benchmarks.conftest import Report
from benchmarks.process import alternate, mb, median, median_wall_ms, timed_import

HEAVY = ("numpy", "requests", "typer", "psutil", "logging", "rich", "platformdirs", "pynvml")


def test_import_adds_little_time_and_memory(report: Report) -> None:
    modules = f"; import sys; modules = [name for name in {HEAVY!r} if name in sys.modules]"
    runs = alternate(
        {
            "bare": timed_import(""),
            "ours": timed_import("import codecarbon", modules + "; assert codecarbon.__version__"),
        },
        rounds=5 if report.smoke else 31,
    )
    bare, ours = runs["bare"], runs["ours"]
    report.judge(
        "import_time", median(ours, "ms"), baseline=median_wall_ms(bare), baseline_name="start of a bare interpreter"
    )
    report.judge(
        "import_memory",
        mb(median(ours, "pages") - median(bare, "pages")),
        baseline=mb(median(bare, "pages")),
        baseline_name="bare interpreter",
    )
    loaded = {name for child in ours for name in child.said["modules"]}
    assert loaded == set()
    report.judge("import_modules", len(loaded), baseline=0.0, baseline_name="bare interpreter")
    costs = {peer.name: peer.import_cost() for peer in report.peers}
    report.peer("import_time", lambda peer: costs[peer.name][0])
    report.peer("import_memory", lambda peer: costs[peer.name][1])
