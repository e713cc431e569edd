"""Values with a meaning of their own: "not given", a hidden text, a value with a remark."""

from __future__ import annotations


class Unset:
    """Stands for an argument that was not given, which is not the same as ``None``.

    Args:
        shown: What ``repr`` prints; signatures show the default there without passing it.
    """

    __slots__ = ("_shown",)

    def __init__(self, shown: str = "UNSET") -> None:
        self._shown = shown

    def __repr__(self) -> str:
        return self._shown

    def __bool__(self) -> bool:
        return False


UNSET = Unset()


class Secret:
    """A text that neither ``repr`` nor ``str`` shows; ``reveal()`` gives it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('**********')" if self._text else "Secret('')"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


class Noted:
    """A parsed value about which the user should be told something.

    Args:
        value: The value to use.
        remark: What was odd about what it came from.
    """

    __slots__ = ("remark", "value")

    def __init__(self, value: object, remark: str) -> None:
        self.value = value
        self.remark = remark
