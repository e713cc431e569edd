"""A procfs on an ordinary file system: machine load, memory and processes, set by hand."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

TICK_NS = 10_000_000
PAGE_BYTES = 4096


@dataclass
class FakeProcess:
    """One process; times in clock ticks of 10 ms, memory in pages of 4 KiB."""

    pid: int
    parent: int
    own: int = 0
    waited: int = 0
    rss: int = 0
    threads: int = 1
    start: int = 1000
    name: str = "python"
    child_threads: dict[int, int] = field(default_factory=dict)  # which thread forked which child


class FakeProc:
    """Builds ``stat``, ``meminfo`` and a folder per process.

    Args:
        root: What ``CODECARBON_PROCFS_ROOT`` is set to.
        top: Pid that ``self`` leads to.
        has_children_files: Whether threads list their children, as most kernels make them.
    """

    def __init__(self, root: Path, *, top: int = 100, has_children_files: bool = True) -> None:
        self.root = root
        self.top = top
        self.has_children_files = has_children_files
        self.processes: dict[int, FakeProcess] = {}
        root.mkdir(parents=True, exist_ok=True)
        self.set_ticks()
        self.set_memory(total_kib=8 << 20, available_kib=6 << 20)
        self.add(1, 0, name="init")
        self.add(top, 1)
        (root / "self").symlink_to(str(top))

    def set_ticks(self, *, busy: int = 0, idle: int = 0, stolen: int = 0, guest: int = 0) -> None:
        """Set the machine's load, in ticks since boot, guest time being part of the busy time."""
        system, irq, iowait = busy // 4, busy // 8, idle // 3
        user = busy - system - irq
        columns = (user, 0, system, idle - iowait, iowait, irq, 0, stolen, guest, 0)
        (self.root / "stat").write_text(f"cpu  {' '.join(map(str, columns))}\ncpu0 0 0 0 0 0 0 0 0 0 0\nctxt 5\n")

    def set_memory(self, *, total_kib: int, available_kib: int) -> None:
        """Set what the machine has and what is left of it."""
        (self.root / "meminfo").write_text(
            f"MemTotal:       {total_kib} kB\nMemFree:  12 kB\nMemAvailable:   {available_kib} kB\nBuffers: 5 kB\n"
        )

    def add(self, pid: int, parent: int, **facts: object) -> FakeProcess:
        """Start a process."""
        process = self.processes[pid] = FakeProcess(pid, parent, **facts)  # type: ignore[arg-type]
        self.show()
        return process

    def end(self, pid: int, *, collected_by: int | None = None) -> None:
        """End a process; whoever waits for it collects its time, and its children move to init."""
        gone = self.processes.pop(pid)
        if collected_by is not None:
            self.processes[collected_by].waited += gone.own + gone.waited
        for process in self.processes.values():
            if process.parent == pid:
                process.parent = 1
        shutil.rmtree(self.root / str(pid))
        self.show()

    def use(self, pid: int, ticks: int) -> None:
        """Let a process use the processor."""
        self.processes[pid].own += ticks
        self.show()

    def show(self) -> None:
        """Write what changed."""
        for process in self.processes.values():
            folder = self.root / str(process.pid)
            folder.mkdir(exist_ok=True)
            (folder / "stat").write_text(self.stat(process))
            children: dict[int, list[int]] = {process.pid: []}
            for thread in range(process.threads - 1):
                children[process.pid + 50_000 + thread] = []
            for child in self.processes.values():
                if child.parent == process.pid:
                    children[process.child_threads.get(child.pid, process.pid)].append(child.pid)
            for thread, pids in children.items():
                (folder / "task" / str(thread)).mkdir(parents=True, exist_ok=True)
                if self.has_children_files:
                    (folder / "task" / str(thread) / "children").write_text("".join(f"{pid} " for pid in pids))

    @staticmethod
    def stat(process: FakeProcess) -> str:
        """One process's line, with the columns in the kernel's places."""
        user, waited_user = process.own // 3, process.waited // 2
        columns: list[int] = [process.parent, process.pid, process.pid, 34816, -1, 4194304, 99, 0, 0, 0]
        columns += [user, process.own - user, waited_user, process.waited - waited_user]
        columns += [20, 0, process.threads, 0, process.start, 3133440, process.rss, 2**64 - 1, *[0] * 27]
        return f"{process.pid} ({process.name}) S {' '.join(map(str, columns))}\n"
