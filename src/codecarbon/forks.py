"""What must start afresh in a forked child: locks that a thread of the parent may hold, and open connections."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """Has state that a child may not share with its parent."""

    def after_fork(self) -> None:
        """Make that state anew; called in the child, before anything else runs there."""


_objects: WeakSet[Forkable] = WeakSet()


def renew_after_fork(item: Forkable) -> None:
    """Have an object's ``after_fork`` called in every child that is forked while it lives."""
    _objects.add(item)


def _renew() -> None:
    for item in tuple(_objects):
        item.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
