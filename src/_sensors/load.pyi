from os import PathLike
from typing import Literal, final

from codecarbon._sensors.channel import Ops, Source

@final
class LoadSource(Source):
    def __new__(
        cls,
        procfs: str | PathLike[str],
        *,
        mode: Literal["machine", "process"],
        cpu_formula: Literal["load", "constant", "fixed"],
        p_max_w: float | None,
        ram_w: float | None,
        cpu_count: int,
        ram_total_bytes: int = 0,
        pid: int = 0,
        ops: Ops | None = None,
    ) -> LoadSource: ...
    def close(self) -> None: ...
