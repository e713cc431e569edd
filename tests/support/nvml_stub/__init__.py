"""A stand-in for NVIDIA's management library: builds it, configures it, and steers it.

Use it from a test::

    stub = NvmlStub.private(tmp_path, gpus=2, watts=300)
    library = NvmlLibrary(str(stub.path))
    stub.set_power(0, 150.0)

or from a shell, to watch the tool on a machine without a GPU::

    python -m tests.support.nvml_stub --watts 300 --gpus 2 -- codecarbon detect
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path

SONAME = "libnvidia-ml.so.1"
CONFIG_VARIABLE = "CODECARBON_NVML_STUB"
_SOURCE = Path(__file__).with_name("nvml_stub.c")
_FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared", "-fvisibility=hidden")


def build_stub(directory: Path | None = None, *, is_private: bool = False) -> Path:
    """Compile the library, once per version of its source.

    Args:
        directory: Where to put it; by default a folder of this user's in the system's temporary folder.
        is_private: Leave out the soname. With it, whoever asks the loader for NVIDIA's library gets this one once it is
            loaded anywhere in the process; that is right for a process of its own only.

    Returns:
        The path of the library; its folder can go on ``LD_LIBRARY_PATH``.
    """
    if directory is None:
        digest = hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:16]
        directory = Path(tempfile.gettempdir()) / f"codecarbon-nvml-stub-{os.getuid()}-{digest}"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_uid != os.getuid():
        raise PermissionError(f"{directory} belongs to somebody else: remove it, or give another folder")
    target = directory / ("private.so" if is_private else SONAME)
    if not target.exists():
        compiler = os.environ.get("CC") or (sysconfig.get_config_var("CC") or "cc").split()[0]
        flags = _FLAGS if is_private else (*_FLAGS, f"-Wl,-soname,{SONAME}")
        # A private name first: another test process may be building the same file.
        with tempfile.TemporaryDirectory(dir=directory.parent) as scratch:
            built = Path(scratch) / SONAME
            subprocess.run([compiler, *flags, "-o", str(built), str(_SOURCE), "-lpthread"], check=True)
            built.replace(target)
    return target


def config_text(*lines: str, gpus: int = 1, watts: float = 100.0) -> str:
    """Write a configuration: the general lines first, then those given (``gpu0.uuid GPU-…``, ``error …``)."""
    return "\n".join([f"gpus {gpus}", f"watts {watts}", *lines, ""])


class NvmlStub:
    """The exports of one loaded stub that only tests use; power in watts, times in nanoseconds."""

    def __init__(self, path: Path, config: Path | None = None) -> None:
        self.path = path
        self.config = config
        before = os.environ.get(CONFIG_VARIABLE)
        if config is not None:
            os.environ[CONFIG_VARIABLE] = str(config)
        try:
            self._library = ctypes.CDLL(str(path), mode=os.RTLD_NOW | os.RTLD_LOCAL)
            self._library.stub_calls.restype = ctypes.c_uint64
            self._library.stub_true_uj.restype = ctypes.c_uint64
            self.refcount()  # the first call reads the configuration
        finally:
            if config is not None:
                if before is None:
                    del os.environ[CONFIG_VARIABLE]
                else:
                    os.environ[CONFIG_VARIABLE] = before

    @classmethod
    def private(cls, directory: Path, *lines: str, gpus: int = 1, watts: float = 100.0) -> NvmlStub:
        """Load a copy of its own: its state is shared with no other test, and nobody else in the process sees it."""
        path = directory / SONAME
        shutil.copy(build_stub(is_private=True), path)
        config = directory / "nvml_stub.conf"
        config.write_text(config_text(*lines, gpus=gpus, watts=watts))
        return cls(path, config)

    def set_power(self, index: int, power_w: float) -> None:
        self._library.stub_set_power(index, ctypes.c_uint64(round(power_w * 1000)))

    def set_period(self, index: int, period_ns: int) -> None:
        self._library.stub_set_period(index, ctypes.c_int64(period_ns))

    def set_time(self, t_ns: int) -> None:
        """Take the clock over; a negative time gives it back."""
        self._library.stub_set_time(ctypes.c_int64(t_ns))

    def shift_stamps(self, microseconds: int) -> None:
        self._library.stub_shift_stamps(ctypes.c_int64(microseconds))

    def set_utilisation(self, index: int, percent: int) -> None:
        self._library.stub_set_utilization(index, ctypes.c_uint(percent))

    def set_count(self, count: int) -> None:
        self._library.stub_set_count(count)

    def reset_counter(self, index: int) -> None:
        self._library.stub_reset_counter(index)

    def fail(
        self,
        symbol: str = "",
        code: int = 0,
        *,
        device: int = -1,
        field: int = -1,
        scope: int = -1,
        delay_ns: int = 0,
        after: int = 0,
        count: int = -1,
    ) -> None:
        """Script a fault: after so many good calls, so many bad ones (-1: for ever).

        Args:
            symbol: The function; empty for every function that takes a device.
            code: What it returns; 0 for a delay only.
            device: Only for this index.
            field: Only for the entry of this field, inside a call that succeeds.
            scope: Only for this scope of the field.
            delay_ns: How long the call takes.
            after: Calls that still succeed.
            count: Calls that are hit.
        """
        status = self._library.stub_add_error(
            symbol.encode(),
            device,
            field,
            scope,
            code,
            ctypes.c_int64(delay_ns),
            ctypes.c_int64(after),
            ctypes.c_int64(count),
        )
        if status != 0:
            raise ValueError("too many rules")

    def heal(self) -> None:
        """Forget all scripted faults."""
        self._library.stub_clear_errors()

    def calls(self, symbol: str) -> int:
        return int(self._library.stub_calls(symbol.encode()))

    def refcount(self) -> int:
        return int(self._library.stub_refcount())

    def shut_down(self) -> int:
        """Shut the library down as a careless third party would; its return code."""
        return int(self._library.nvmlShutdown())

    def read_counter(self, index: int) -> int:
        """Read the counter as any program would, in millijoules."""
        handle, total_mj = ctypes.c_void_p(), ctypes.c_ulonglong()
        self._library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle))
        code = self._library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(total_mj))
        if code != 0:
            raise ValueError(f"code {code}")
        return total_mj.value

    def true_uj(self, index: int, t_ns: int) -> int:
        """The energy that a perfect counter would show, in microjoules."""
        return int(self._library.stub_true_uj(index, ctypes.c_int64(t_ns)))
