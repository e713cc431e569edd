"""Old path of small helpers that other programs use."""

from __future__ import annotations

import os
import platform
import re
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from codecarbon.config import logger, resolve
from codecarbon.handlers import backup_file
from codecarbon.model import Roots

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codecarbon.model import MachineFacts

__all__ = [
    "SLURM_JOB_ID",
    "backup",
    "count_cpus",
    "count_physical_cpus",
    "detect_cpu_model",
    "is_linux_os",
    "is_mac_arm",
    "is_mac_os",
    "is_windows_os",
    "resolve_path",
    "suppress",
]

SLURM_JOB_ID = os.environ.get("SLURM_JOB_ID", os.environ.get("SLURM_JOBID"))


@contextmanager
def suppress(*exceptions: type[BaseException]) -> Iterator[None]:
    """Log these exceptions, all ordinary ones by default, and go on; as a block or as a decorator."""
    caught = exceptions or (Exception,)
    try:
        yield
    except caught:
        logger.warning("graceful shutdown. Exceptions:")
        logger.warning("%s", exceptions, exc_info=True)
        logger.warning("stopping.")


def resolve_path(path: str | Path) -> Path:
    """The absolute path, without links and with the home folder in place of ``~``."""
    return Path(path).expanduser().resolve()


def backup(file_path: str | Path, ext: str = ".bak") -> None:
    """Rename a file to ``<name>.bak``, or ``<name>_0.bak`` and so on when that is taken."""
    backup_file(str(resolve_path(file_path)), ext)


@lru_cache(maxsize=1)
def detect_cpu_model() -> str | None:
    """The processor's brand, or None when it is unknown."""
    model = _facts().cpu_model
    return None if model == "Unknown" else model


def count_cpus() -> int:
    """The number of logical processors."""
    return _facts().cpu_count


def count_physical_cpus() -> int:
    """The number of sockets."""
    return _facts().cpu_physical_count


def is_mac_os() -> bool:
    """Whether this is macOS."""
    return platform.system() == "Darwin"


def is_mac_arm(cpu_model: str) -> bool:
    """Whether a brand is that of an Apple processor, such as ``Apple M2 Pro``."""
    return re.search(r"\bM\d{1,2}\b", cpu_model) is not None


def is_windows_os() -> bool:
    """Whether this is Windows."""
    return platform.system() == "Windows"


def is_linux_os() -> bool:
    """Whether this is Linux."""
    return platform.system() == "Linux"


def _facts() -> MachineFacts:
    from codecarbon.hardware import read_facts

    settings = resolve()
    return read_facts(Roots(settings.sysfs_root, settings.procfs_root, settings.dev_root, settings.nvml_library))
