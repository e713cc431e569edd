"""A service that buys nothing: orders succeed on paper, in a ledger account of its own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from codecarbon.handlers.offset.provider import Outcome, Quote, Scan
from codecarbon.units import iso_from_us, us_from_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from codecarbon.handlers.offset.provider import OffsetProvider, Order

DRY_RUN = "dry run"
"""Stands behind the environment's name, and in place of the account's, in all that a dry run leaves."""


class DryRun:
    """Plays a service: quotes come from it, purchases and records do not reach it.

    Its environment has another name, so that what it "bought" is never set off against mass that is to be bought. It
    cannot cancel and knows no account, so that its ledger account is never merged with a real one.

    Args:
        inner: The service.
        clock: Seconds since 1970.
    """

    def __init__(self, inner: OffsetProvider, *, clock: Callable[[], float] = time.time) -> None:
        self._inner = inner
        self._clock = clock
        self.name: str = inner.name
        self.environment: str = f"{inner.environment}, {DRY_RUN}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._inner!r})"

    def quote(self, pounds: int) -> Quote:
        """Quote what the service would."""
        quote = self._inner.quote(pounds)
        return quote._replace(note=f"This is a dry run: nothing will be bought. {quote.note}".strip())

    def purchase(self, order: Order) -> Outcome:
        """Say that it was bought, with the order's own name in place of the service's, and buy nothing."""
        if type(order.pounds) is not int or order.pounds < 1 or not order.offset_id:
            return Outcome("not_bought", error_kind="order", message=f"{order.pounds!r} pounds cannot be ordered")
        moment = iso_from_us(us_from_s(self._clock()))
        # Two orders may come at the same moment.
        return Outcome("bought", DRY_RUN, f"{moment} {order.offset_id}", order.pounds, message="dry run: not bought")

    def find(self) -> Scan:
        """Find nothing: the service knows of no dry run."""
        return Scan((), is_complete=True, server_us=us_from_s(self._clock()))

    def close(self) -> None:
        """Let go of the service."""
        close = getattr(self._inner, "close", None)
        if close is not None:
            close()
