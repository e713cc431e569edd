from typing_extensions import Self, disjoint_base

@disjoint_base
class Ops:
    def __new__(cls) -> Self: ...

@disjoint_base
class Channel:
    name: str
    domain: str
    def __init__(
        self,
        name: str,
        domain: str,
        *,
        num: int = 1,
        den: int = 1,
        modulus: int = 0,
        quantum: int = 1,
        cap_w: float = 0.0,
        is_instant: bool = False,
    ) -> None: ...
    @property
    def num(self) -> int: ...
    @property
    def den(self) -> int: ...
    @property
    def modulus(self) -> int: ...
    @property
    def quantum(self) -> int: ...
    @property
    def cap_w(self) -> float: ...
    @property
    def is_instant(self) -> bool: ...

@disjoint_base
class Source:
    channels: tuple[Channel, ...]
    def read(self) -> list[tuple[int, int]]: ...
    def reopen(self) -> None: ...
    def close(self) -> None: ...
