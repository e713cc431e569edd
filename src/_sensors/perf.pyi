from collections.abc import Sequence
from typing import final

from codecarbon._sensors.channel import Channel, Ops, Source

def probe_event(pmu_type: int, cpu: int, config: int, *, ops: Ops | None = None) -> int: ...

@final
class PerfSource(Source):
    def __new__(
        cls,
        pmu_type: int,
        cpu: int,
        events: Sequence[tuple[int, Channel]],
        *,
        shift: int = 0,
        ops: Ops | None = None,
    ) -> PerfSource: ...
    def close(self) -> None: ...
