"""Other trackers, each in a virtual environment of its own, measured by the same figures."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import FakeMachine
from benchmarks.process import alternate, mb, median, run, timed_import

HERE = Path(__file__).parent
HOME = HERE.parent.parent / "build" / "peers"
ROUNDS = 5


@dataclass(frozen=True)
class Peer:
    """One peer that is installed and can be measured.

    Attributes:
        name: Its script in this folder, and its environment.
        title: What the table calls it.
        requirement: What pip installs.
        import_code: The import that its users write.
        operations: What its script can measure.
    """

    name: str
    title: str
    requirement: str
    import_code: str
    operations: frozenset[str]

    @property
    def home(self) -> Path:
        """Folder of its environment."""
        return HOME / self.name

    @property
    def interpreter(self) -> str:
        """Its Python."""
        return str(self.home / "bin" / "python")

    @property
    def sysfs(self) -> Path:
        """The folder that it reads instead of /sys."""
        return self.home / "sys"

    def install(self) -> None:
        """Make its environment, once, and point its sensor paths at a folder that the harness fills."""
        done = self.home / "done"
        if done.exists() and done.read_text(encoding="utf-8") == self.requirement:
            return
        subprocess.run([sys.executable, "-m", "venv", "--clear", self.home], check=True)
        subprocess.run([self.interpreter, "-m", "pip", "install", "--quiet", self.requirement], check=True)
        for path in (self.home / "lib").rglob(f"{self.import_code.split()[1].split('.')[0]}/**/*.py"):
            text = path.read_text(encoding="utf-8")
            if "/sys/class/powercap" in text:
                text = text.replace("/sys/class/powercap", str(self.sysfs / "class" / "powercap"))
                path.write_text(text, encoding="utf-8")
        done.write_text(self.requirement, encoding="utf-8")

    def say(self, operation: str, key: str) -> float | None:
        """Run one operation of its script a few times, on the fake packages.

        Args:
            operation: Name of a function in its script.
            key: Which of the figures that the function returns.

        Returns:
            The median, or None when it has no such operation.
        """
        if operation not in self.operations:
            return None
        shutil.rmtree(self.sysfs, ignore_errors=True)
        FakeMachine(self.sysfs)
        script = str(HERE / f"{self.name}.py")
        return statistics.median(run([self.interpreter, script, operation]).said[key] for _ in range(ROUNDS))

    def import_cost(self) -> tuple[float, float]:
        """Return the time, ms, and memory, MB, that its import adds over its bare interpreter."""
        runs = alternate(
            {
                "bare": timed_import("", interpreter=self.interpreter),
                "full": timed_import(self.import_code, interpreter=self.interpreter),
            },
            rounds=ROUNDS,
        )
        pages = median(runs["full"], "pages") - median(runs["bare"], "pages")
        return median(runs["full"], "ms"), mb(pages)


PEERS = (
    Peer(
        "codecarbon3",
        "codecarbon 3",
        "codecarbon>=3,<4",
        "from codecarbon import EmissionsTracker",
        frozenset({"cycle", "bare_cycle", "tasks", "memory"}),
    ),
    Peer("zeus", "Zeus", "zeus", "from zeus.monitor import ZeusMonitor", frozenset({"tasks", "memory"})),
)


def prepare() -> tuple[Peer, ...]:
    """Install the peers and return them."""
    for peer in PEERS:
        peer.install()
    return PEERS
