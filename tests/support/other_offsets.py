"""A service that sells offsets as another distribution would bring it: the least that the protocol asks for.

Its "service" is a list in this process. ``announce`` installs a distribution that names it in its entry points.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from codecarbon.config import Secret
from codecarbon.handlers.offset.provider import Order, Outcome, Quote, Record, Scan
from codecarbon.units import KG_PER_LB

ENTRY_POINTS = "codecarbon.offset_providers"
CENTS_PER_POUND = 12

Trouble = Literal["", "down", "refuses", "loses answers"]


class Registry:
    """The books of the service, and what is wrong with it."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.trouble: Trouble = ""


class Certificates:
    """Sells certificates out of a registry; knows no accounts and cannot cancel."""

    name = "certificates"
    registries: Mapping[str, Registry] = {}

    def __init__(self, *, key: Secret, environment: str, base_url: str | None) -> None:
        self.environment = environment
        self._registry = self.registries[base_url or ""]

    def quote(self, pounds: int) -> Quote:
        return Quote(pounds, pounds * KG_PER_LB, pounds * CENTS_PER_POUND, None, "")

    def purchase(self, order: Order) -> Outcome:
        if order.pounds < 1:
            return Outcome("not_bought", error_kind="order", message="nothing was ordered")
        if self._registry.trouble in {"down", "refuses"}:
            return Outcome("not_bought", error_kind=self._registry.trouble, message="come back later")
        record = Record(
            "certificates",
            f"number {len(self._registry.records)}",
            order.pounds,
            order.offset_id,
            order.ledger_id,
            False,
        )
        self._registry.records.append(record)
        if self._registry.trouble == "loses answers":
            return Outcome("unknown", error_kind="connection", message="no answer")
        return Outcome("bought", record.user_id, record.time_utc, record.pounds)

    def find(self) -> Scan:
        if self._registry.trouble == "down":
            return Scan((), False, None, "the registry is down")
        return Scan(tuple(reversed(self._registry.records)), True, None)


@contextmanager
def announce(folder: Path, names: Mapping[str, str]) -> Iterator[None]:
    """Install a distribution for a while that announces services, each as ``module:attribute``."""
    info = folder / "other_offsets-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-offsets\nVersion: 1.0\n")
    lines = [f"{name} = {target}" for name, target in names.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{ENTRY_POINTS}]", *lines, ""]))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield
