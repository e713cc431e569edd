"""From a name in a setting to what it names: something built in, or what an installed distribution announces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from codecarbon.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import EntryPoint


class Family(NamedTuple):
    """Everything that the names in one setting may lead to; nothing is imported until it is named.

    Attributes:
        setting: The setting.
        group: Entry point group in which distributions announce more of it.
        kind: What it all is, with an article, for messages.
        built_in: What this distribution has: ``module:attribute`` by name.
    """

    setting: str
    group: str
    kind: str
    built_in: Mapping[str, str]

    def has(self, name: str) -> bool:
        """Whether a name leads to anything; imports nothing."""
        return name in self.built_in or bool(announced(self.group, name))

    def load(self, name: str, origin: str = "the caller") -> Any:
        """Import what a name leads to; what is built in wins.

        Raises:
            ConfigError: It leads to nothing, or to something that cannot be imported.
        """
        import importlib

        path = self.built_in.get(name)
        if path is not None:
            module, _, attribute = path.partition(":")
            return getattr(importlib.import_module(module), attribute)
        entries = announced(self.group, name)
        if not entries:
            expected = f"one of {', '.join(self.built_in)}, or a name announced in the entry point group {self.group}"
            raise ConfigError(self.setting, name, origin, expected)
        try:
            return entries[0].load()
        except (ImportError, AttributeError) as error:
            expected = f"{self.kind} that can be imported; {entries[0].value} says: {error}"
            raise ConfigError(self.setting, name, origin, expected) from error


def announced(group: str, name: str) -> tuple[EntryPoint, ...]:
    """What installed distributions announce under a name."""
    from importlib.metadata import entry_points

    return tuple(entry_points(group=group, name=name))
