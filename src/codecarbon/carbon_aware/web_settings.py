"""What the server itself may spend; docs/how-to/carbon-aware-configure.md has the keys."""

from __future__ import annotations

from dataclasses import dataclass

from codecarbon.record import FrozenRecord


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WebSettings(FrozenRecord):
    """Bounds of the server.

    Attributes:
        threads: Questions that are worked on at once; each may wait for a provider.
        max_waiting: Distinct questions that may wait for a thread before the server answers 503.
        store_bytes: How much memory the answers used last may take.
        max_body_bytes: How long the body of a request may be.
        max_event_clients: How many clients may listen to events at a time.
        heartbeat_s: How often a silent event stream says that it lives, seconds.
        event_period_s: How often the events of a place are looked for at least, seconds.
        shutdown_s: How long a stopping server lets requests finish, seconds.
    """

    threads: int = 16
    max_waiting: int = 1024
    store_bytes: int = 64 * 1024 * 1024
    max_body_bytes: int = 1024 * 1024
    max_event_clients: int = 100
    heartbeat_s: float = 15.0
    event_period_s: float = 60.0
    shutdown_s: float = 10.0
