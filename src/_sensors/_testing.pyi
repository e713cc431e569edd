from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Final, TypeAlias, final

from codecarbon._sensors.channel import Channel, Ops, Source

OPERATIONS: Final[dict[str, int]]
EVENTS: Final[dict[str, int]]

_Event: TypeAlias = tuple[str, int] | tuple[str, int, int] | tuple[str, int, int, int]

@final
class VirtualOps(Ops):
    def __new__(
        cls,
        *,
        start_ns: int = ...,
        suspended_ns: int = 0,
        utc_ns: int = ...,
        read_ns: int = 0,
        jumps: bool = True,
    ) -> VirtualOps: ...
    @property
    def now_ns(self) -> int: ...
    @property
    def boot_ns(self) -> int: ...
    @property
    def cpu_ns(self) -> int: ...
    @property
    def waits(self) -> int: ...
    @property
    def waiting_ns(self) -> int: ...
    def advance(self, ns: int) -> int: ...
    def advance_to(self, t_ns: int) -> int: ...
    def suspend(self, ns: int) -> None: ...
    def step_utc(self, ns: int) -> None: ...
    def set_read_ns(self, ns: int) -> None: ...
    def delay_next_read(self, ns: int) -> None: ...
    def delay_next_wait(self, ns: int) -> None: ...
    def set_jumps(self, jumps: bool) -> None: ...

@final
class Fault:
    op: str
    is_active: bool
    def __new__(
        cls,
        op: str,
        *,
        path: str | PathLike[str] | None = None,
        first: int = 1,
        last: int | None = None,
        errno: int = 0,
        data: bytes | None = None,
        at_most: int | None = None,
        delay_ns: int = 0,
    ) -> Fault: ...
    @property
    def seen(self) -> int: ...
    @property
    def hits(self) -> int: ...

@final
class ScriptedOps(Ops):
    base: Ops
    faults: tuple[Fault, ...]
    def __new__(cls, faults: Iterable[Fault] = (), *, base: Ops | None = None) -> ScriptedOps: ...
    @property
    def open_fds(self) -> int: ...
    def calls(self, op: str) -> int: ...

@final
class SimChannel(Channel):
    def __init__(
        self,
        name: str = "package-0",
        domain: str = "package",
        *,
        power: Sequence[tuple[int, float]],
        update_ns: int = 1_000_000,
        jitter: float = 0.0,
        seed: int = 0,
        phase_ns: int = 0,
        start: int = 0,
        events: Iterable[_Event] = (),
        num: int = 1,
        den: int = 1,
        modulus: int = 0,
        quantum: int = 1,
        cap_w: float = 0.0,
    ) -> None: ...
    def true_energy_fj(self, from_ns: int, until_ns: int) -> int: ...
    def true_energy_uj(self, from_ns: int, until_ns: int) -> float: ...
    def counts(self, t_ns: int) -> int: ...
    def last_update_ns(self, t_ns: int) -> int: ...

@final
class SimSource(Source):
    channels: tuple[SimChannel, ...]
    def __new__(
        cls, channels: Iterable[SimChannel], *, ops: Ops | None = None, read_ns: int = 0, seed: int = 0
    ) -> SimSource: ...
    @property
    def reads(self) -> int: ...
    @property
    def reopens(self) -> int: ...
    def true_energy_uj(self, channel: int, from_ns: int, until_ns: int) -> float: ...
    def close(self) -> None: ...

def stress_ring(*, slots: int = 64, words: int = 16, records: int = 1000000, readers: int = 2) -> dict[str, int]: ...
