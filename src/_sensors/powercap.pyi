from collections.abc import Sequence
from os import PathLike
from typing import final

from codecarbon._sensors.channel import Channel, Ops, Source

@final
class PowercapSource(Source):
    def __new__(
        cls, zones: Sequence[tuple[str | PathLike[str], Channel]], *, ops: Ops | None = None
    ) -> PowercapSource: ...
    def close(self) -> None: ...
