"""Takes away, for the length of a block, what a test as root otherwise has too much of."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

NOBODY = 65534


@contextlib.contextmanager
def one_descriptor_left() -> Iterator[None]:
    """Let this process open exactly one more descriptor; the next one fails with EMFILE."""
    lowest_free = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest_free)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free + 1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def without_root() -> Iterator[None]:
    """Act as nobody, for whom the mode of a file is a barrier; as any other user, change nothing."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextlib.contextmanager
def public_folder() -> Iterator[Path]:
    """Make a folder that nobody can walk into, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="codecarbon-public-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def count_descriptors() -> int:
    """Number of descriptors this process has open, without those that only garbage holds."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))
