"""Which account a command is about: its settings, its key, its ledger, and the desk that buys for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from codecarbon.config import resolve
from codecarbon.errors import ConfigError
from codecarbon.handlers.offset.desk import Desk
from codecarbon.handlers.offset.dry_run import DRY_RUN
from codecarbon.handlers.offset.ledger import Ledger
from codecarbon.handlers.offset.plan import Plan, make_plan
from codecarbon.handlers.offset.provider import fingerprint_of
from codecarbon.handlers.offset.words import title

if TYPE_CHECKING:
    import logging

    from codecarbon.config import Secret, Settings
    from codecarbon.handlers.offset.entries import AccountSummary
    from codecarbon.handlers.offset.provider import OffsetProvider

_ORIGINS = {"offset_environment": "option --environment", "offset_dry_run": "option --dry-run"}
# From how many letters on four of them tell nothing of a key.
_LEAST_TELLABLE = 12
_TOLD = 4


class Ask(NamedTuple):
    """Which account is meant, as it stands in the options; None where nothing was said."""

    environment: str | None = None
    is_dry_run: bool | None = None

    def settings(self) -> Settings:
        """Resolve the settings as a tracker does, these options first.

        Raises:
            ConfigError: A value cannot be used; the message names the option when it came from one.
        """
        given = {"offset_environment": self.environment, "offset_dry_run": self.is_dry_run}
        try:
            return resolve({name: value for name, value in given.items() if value is not None})
        except ConfigError as error:
            if error.origin != "constructor":
                raise
            raise ConfigError(error.field, error.value, _ORIGINS[error.field], error.expected) from error

    def includes(self, environment: str) -> bool:
        """Say whether an account is one of those that were asked for; all are when nothing was said."""
        if self.environment is not None and self.environment.strip().casefold() not in environment:
            return False
        return self.is_dry_run is None or self.is_dry_run == (DRY_RUN in environment)


def environment_of(settings: Settings) -> str:
    """The word under which the ledger keeps the account: dry runs have one of their own."""
    return f"{settings.offset_environment}, {DRY_RUN}" if settings.offset_dry_run else settings.offset_environment


def tell_key(key: Secret) -> str:
    """Name a key without giving it away."""
    letters = key.reveal().strip()
    if len(letters) >= _LEAST_TELLABLE:
        return f"key ending in {letters[-_TOLD:]}"
    return tell_fingerprint(fingerprint_of(key))


def tell_fingerprint(fingerprint: str) -> str:
    """Name a key that is not at hand."""
    return f"key with fingerprint {fingerprint[: 2 * _TOLD]}"


def open_ledger(summary: AccountSummary) -> Ledger:
    """Open the ledger of an account that is in the file."""
    return Ledger(provider=summary.provider, fingerprint=summary.fingerprints[0], environment=summary.environment)


def is_sdk_there() -> bool:
    """Whether the service's library is installed; it is not loaded for that."""
    from importlib.util import find_spec

    return find_spec("makeimpact") is not None


class Account(NamedTuple):
    """An account that can be asked and bought for.

    Attributes:
        plan: What the settings say.
        ledger: What was emitted and bought.
        provider: The service.
    """

    plan: Plan
    ledger: Ledger
    provider: OffsetProvider

    @property
    def environment(self) -> str:
        """The word under which the ledger keeps it."""
        return self.plan.environment

    @property
    def name(self) -> str:
        """What the service calls itself."""
        return title(self.provider.name)

    def desk(self, *, cap_ug: int | None = None) -> Desk:
        """The desk of the account, which buys so much by hand at most; what it does is told by the command."""
        plan = self.plan
        return Desk(
            self.ledger,
            self.provider,
            threshold_ug=plan.threshold_ug,
            cap_ug=cap_ug,
            auto_release=plan.may_release,
            log=_silent_logger(),
        )


def open_account(ask: Ask) -> Account:
    """Open the account of the configured key.

    Raises:
        ConfigError: There is no key, or it is for another environment.
        MissingExtraError: The service's library is not installed.
        OffsetError: It cannot be trusted, or the ledger cannot be used.
    """
    plan = make_plan(ask.settings())
    provider = plan.make_provider()  # first, so that no ledger is made for what cannot be asked
    return Account(plan, plan.open_ledger(), provider)


def _silent_logger() -> logging.Logger:
    """A logger that nobody hears."""
    import logging

    logger = logging.getLogger(f"{__name__}.desk")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger
