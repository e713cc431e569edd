"""From settings to the parts that offsetting needs, each checked before anything is measured or bought."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codecarbon.errors import ConfigError
from codecarbon.handlers.offset.amounts import ug_from_kg
from codecarbon.handlers.offset.desk import Desk, Standing
from codecarbon.handlers.offset.dry_run import DRY_RUN, DryRun
from codecarbon.handlers.offset.ledger import Ledger
from codecarbon.handlers.offset.provider import (
    BUILT_IN_PROVIDERS,
    OffsetProvider,
    check_base_url,
    check_environment,
    check_key,
    fingerprint_of,
    get_provider_factory,
    make_provider,
)
from codecarbon.record import FrozenRecord

if TYPE_CHECKING:
    from codecarbon.config import Settings

logger = logging.getLogger(__name__)

_standings: dict[tuple[str, ...], Standing] = {}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Plan(FrozenRecord):
    """What settings say about offsetting. Holds no key: only ``make_provider`` knows it.

    Attributes:
        provider_name: The service.
        environment: Which of its environments; a dry run has a word of its own, so that it never mixes with others.
        fingerprint: Tells keys apart.
        make_provider: Makes the service; loads what that takes.
        is_automatic: Whether offsets are bought by themselves.
        threshold_ug: From what mass on.
        cap_ug: The most that one run may buy.
        stop_wait_s: How long the end of a run waits for a purchase that is under way.
        may_release: Whether a purchase of unknown outcome may be taken for not made without being asked.
        remark: What is odd about the key; empty when nothing is.
        ledger_path: The ledger's file; None for the user's own.
    """

    provider_name: str
    environment: str
    fingerprint: str
    make_provider: Callable[[], OffsetProvider]
    is_automatic: bool
    threshold_ug: int
    cap_ug: int
    stop_wait_s: float
    may_release: bool
    remark: str = ""
    ledger_path: str | None = None

    def open_ledger(self) -> Ledger:
        """Open the ledger at the account of the key.

        Raises:
            LedgerError: It cannot be used.
        """
        return Ledger(
            self.ledger_path, provider=self.provider_name, fingerprint=self.fingerprint, environment=self.environment
        )

    def open_desk(self, ledger: Ledger, provider: OffsetProvider, log: logging.Logger = logger) -> Desk:
        """Make a desk; those of one account share what this process knows of it."""
        account = (ledger.path, self.provider_name, self.environment, self.fingerprint)
        return Desk(
            ledger,
            provider,
            threshold_ug=self.threshold_ug,
            cap_ug=self.cap_ug,
            auto_release=self.may_release,
            standing=_standings.setdefault(account, Standing()),
            log=log,
        )


def make_plan(settings: Settings) -> Plan:
    """Check what settings say about offsetting, wherever it was said.

    Raises:
        ConfigError: There is no key, it is for the other environment, there is no such service, or its address cannot
            be used.
    """
    key = settings.offset_api_key
    origin = settings.origin("offset_api_key")
    if not key:
        raise ConfigError("offset_api_key", None, origin, "a key, since nothing can be offset without one")
    word = check_environment(settings.offset_environment, settings.origin("offset_environment"))
    name = settings.offset_provider
    if name not in BUILT_IN_PROVIDERS:
        get_provider_factory(name, settings.origin("offset_provider"))
    # Only of the built-in service is it known how keys begin.
    remark = check_key(key, word, origin) if name in BUILT_IN_PROVIDERS else ""
    url = settings.offset_base_url
    base_url = check_base_url(url, settings.origin("offset_base_url")) if url else None
    threshold_ug, cap_ug = ug_from_kg(settings.offset_threshold), ug_from_kg(settings.offset_max_per_run_kg)
    if threshold_ug is None or cap_ug is None:  # the table's parsers let no such figure pass
        raise ConfigError("offset_threshold", settings.offset_threshold, origin, "a mass in kg CO2e")
    make = functools.partial(make_provider, name, key=key, environment=word, base_url=base_url)
    return Plan(
        provider_name=name,
        environment=f"{word}, {DRY_RUN}" if settings.offset_dry_run else word,
        fingerprint=fingerprint_of(key),
        make_provider=functools.partial(_dry, make) if settings.offset_dry_run else make,
        is_automatic=settings.auto_offset,
        threshold_ug=threshold_ug,
        cap_ug=cap_ug,
        stop_wait_s=settings.offset_stop_wait_s,
        may_release=settings.offset_auto_release == "always"
        or (settings.offset_auto_release == "sandbox" and word == "sandbox"),
        remark=remark,
    )


def _dry(make: Callable[[], OffsetProvider]) -> OffsetProvider:
    return DryRun(make())
