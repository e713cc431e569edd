from collections.abc import Sequence
from os import PathLike
from typing import final

from codecarbon._sensors.channel import Channel, Ops, Source

def read_msr(path: str | PathLike[str], offset: int, *, ops: Ops | None = None) -> int: ...

@final
class MsrSource(Source):
    def __new__(
        cls,
        path: str | PathLike[str],
        registers: Sequence[tuple[int, Channel]],
        *,
        alternatives: Sequence[str | PathLike[str]] = (),
        ops: Ops | None = None,
    ) -> MsrSource: ...
    def close(self) -> None: ...
