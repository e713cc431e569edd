"""What a service that sells offsets must be able to do, and how it is found by its name.

A service can quote, purchase and find what was purchased. Its three answers are records of this module; whatever goes
wrong at the service is told in them and raises nothing. The one question that matters is whether something was bought:
an `Outcome` says "bought" or "not_bought" only when that is certain, and "unknown" otherwise.
"""

from __future__ import annotations

import math
import re
import time
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

from codecarbon.config.plugins import Family
from codecarbon.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from codecarbon.config import Secret

PROVIDER_GROUP = "codecarbon.offset_providers"
"""Entry point group in which other distributions announce services by name."""

Environment = Literal["production", "sandbox"]
OutcomeKind = Literal["bought", "not_bought", "unknown"]
CancellationKind = Literal["cancelled", "not_cancelled", "unknown"]

# Far longer than any purchase takes, and far less than the hour after which another container's order is given up.
SEND_WITHIN_S = 600.0

_BUILT_IN = {"oneclickimpact": "codecarbon.handlers.offset.oneclickimpact:OneClickImpact"}
BUILT_IN_PROVIDERS = tuple(_BUILT_IN)
_FAMILY = Family("offset_provider", PROVIDER_GROUP, "a service", _BUILT_IN)
# How keys begin, by the environment that they are for.
_PREFIXES: dict[str, Environment] = {"live_": "production", "test_": "sandbox"}


def running_s() -> float:
    """Seconds on a clock that nobody sets, and that goes on while this process or the machine stands still."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Order(NamedTuple):
    """One purchase, before it is made.

    Attributes:
        offset_id: Its name in the ledger; never ordered twice.
        pounds: Whole pounds of CO2e.
        ledger_id: The ledger that it is written in.
        run_id: The run that it is for.
        send_by_s: On the clock ``running_s``: from then on it must not be sent any more, for a process that stood still
            that long may have been given up, and its mass bought by another.
    """

    offset_id: str
    pounds: int
    ledger_id: str
    run_id: str
    send_by_s: float = math.inf

    @classmethod
    def now(cls, offset_id: str, pounds: int, ledger_id: str, run_id: str) -> Order:
        """Make an order to be sent at once; made before its offset is marked as sent."""
        return cls(offset_id, pounds, ledger_id, run_id, running_s() + SEND_WITHIN_S)


class Quote(NamedTuple):
    """What a purchase would be.

    Attributes:
        pounds: Whole pounds of CO2e.
        mass_kg: The same mass in kilograms.
        cost_cents: Its price in US cents; None when the service publishes none.
        account: Whose account pays, masked; None when that is not known.
        note: What else should be known before buying.
    """

    pounds: int
    mass_kg: float
    cost_cents: int | None
    account: str | None
    note: str


class Outcome(NamedTuple):
    """What came of an order.

    Attributes:
        kind: "bought" or "not_bought" where that is certain; "unknown" otherwise, which only the records can settle.
        user_id: With `time_utc`, the service's name for the purchase.
        time_utc: When it was made, as the service writes it.
        pounds: What was really bought, which may differ from what was ordered.
        error_kind: The kind of failure; "key_error" means that no further order can succeed with this key.
        message: What happened, for people; holds no key.
    """

    kind: OutcomeKind
    user_id: str = ""
    time_utc: str = ""
    pounds: int = 0
    error_kind: str = ""
    message: str = ""


class Cancellation(NamedTuple):
    """What came of cancelling a purchase.

    Attributes:
        kind: "unknown" when no usable answer came; asking again does no harm.
        cancelled_on: When it was cancelled, as the service writes it.
        error_kind: The kind of failure, as in `Outcome`.
        message: What the service said, or what happened, for people.
    """

    kind: CancellationKind
    cancelled_on: str = ""
    error_kind: str = ""
    message: str = ""


class Record(NamedTuple):
    """A purchase as the service's own books have it.

    Attributes:
        user_id: With `time_utc`, its name.
        time_utc: When it was made, as the service writes it.
        pounds: What was bought.
        offset_id: The order that it came from; None when it was bought by something else.
        ledger_id: The ledger of that order; None likewise.
        cancelled: Whether the books say that it was cancelled.
    """

    user_id: str
    time_utc: str
    pounds: int
    offset_id: str | None
    ledger_id: str | None
    cancelled: bool


class Scan(NamedTuple):
    """All purchases of an account, newest first.

    Attributes:
        records: What could be read.
        is_complete: Whether that is everything the service showed; absence means something in a complete scan only.
        server_us: The service's own time when the scan began, UTC microseconds since 1970; None when it did not say.
        error: Why the scan is not complete, for people; holds no key.
    """

    records: tuple[Record, ...]
    is_complete: bool
    server_us: int | None
    error: str = ""


class Account(NamedTuple):
    """Whose key it is.

    Attributes:
        user_id: The account.
        email_masked: Its address, too masked to write to.
    """

    user_id: str
    email_masked: str


@runtime_checkable
class OffsetProvider(Protocol):
    """A service that sells offsets.

    A provider may also have `account() -> Account | None`, `cancel(user_id, time_utc, reason="") -> Cancellation` and
    `close()`; callers ask with `hasattr`. No method raises for what goes wrong at the service or on the way to it.

    Attributes:
        name: Its name in the registry.
        environment: "production" or "sandbox", with ", dry run" behind it when nothing is ever bought.
    """

    name: str
    environment: str

    def quote(self, pounds: int) -> Quote:
        """Say what buying whole pounds would mean; buys nothing."""
        ...

    def purchase(self, order: Order) -> Outcome:
        """Order exactly once: at most one request that can buy, never repeated, with `offset_id` attached."""
        ...

    def find(self) -> Scan:
        """Read all purchases of the account, also those that others made."""
        ...


def make_provider(
    name: str, *, key: Secret | str, environment: str, base_url: str | None = None, **options: Any
) -> OffsetProvider:
    """Make a service ready to be asked; sends nothing.

    Args:
        name: Its name: a built-in one, or one that an installed distribution announces.
        key: The account's key.
        environment: "production" or "sandbox", in any case and with any blanks around it.
        base_url: Where to reach it instead of its own address; https, or http on this machine.
        **options: What else the service's own constructor takes.

    Raises:
        ConfigError: An argument cannot be used, or the name leads to nothing that can be.
        MissingExtraError: The service needs an optional dependency.
        OffsetError: That dependency is there and cannot be trusted with a purchase.
    """
    secret = secret_of(key)
    word = check_environment(environment)
    address = None if base_url is None else check_base_url(base_url)
    made: object = get_provider_factory(name)(key=secret, environment=word, base_url=address, **options)
    if not isinstance(made, OffsetProvider):
        expected = "a service with name, environment, quote, purchase and find"
        raise ConfigError("offset_provider", name, PROVIDER_GROUP, expected)
    return made


def get_provider_factory(name: str, origin: str = "the caller") -> Callable[..., OffsetProvider]:
    """Import the class of a service, or another distribution's function that makes one.

    It is called with `key` (a `Secret`), `environment` and `base_url` (None for its own), all by keyword.

    Raises:
        ConfigError: There is no service of this name, or the one that was announced cannot be imported.
    """
    factory: Callable[..., OffsetProvider] = _FAMILY.load(name, origin)
    return factory


def secret_of(key: Secret | str, origin: str = "constructor") -> Secret:
    """Wrap a key so that nothing shows it, without the blanks that come along when it is pasted.

    Raises:
        ConfigError: There is nothing in it, or what no key has: it would fail only at the first purchase.
    """
    from codecarbon.config import Secret

    text = (key if isinstance(key, str) else key.reveal()).strip()
    if not text or not text.isascii() or re.search(r"[\x00-\x20\x7f]", text):
        raise ConfigError("offset_api_key", Secret(text), origin, "a key: printable ASCII text without blanks")
    return Secret(text)


def fingerprint_of(key: Secret | str) -> str:
    """Give a text that differs for different keys and tells none: their SHA-256 in hexadecimal digits."""
    from hashlib import sha256

    return sha256(secret_of(key).reveal().encode()).hexdigest()


def check_environment(word: object, origin: str = "constructor") -> Environment:
    """Read the name of an environment; what is not exactly one of the two is never taken for production.

    Raises:
        ConfigError: It is anything else, for example empty.
    """
    text = word.strip().casefold() if isinstance(word, str) else ""
    if text == "production":
        return "production"
    if text == "sandbox":
        return "sandbox"
    raise ConfigError("offset_environment", word, origin, "'production' or 'sandbox'; nothing will be bought")


def check_key(key: Secret | str, environment: str, origin: str = "constructor") -> str:
    """Compare how a key begins with the environment that it is to be used in.

    Returns:
        Words for one warning when the beginning says nothing; else an empty text.

    Raises:
        ConfigError: The key is for the other environment, or no key at all.
    """
    secret = secret_of(key, origin)
    wanted = check_environment(environment, origin)
    for prefix, meant in _PREFIXES.items():
        if secret.reveal().startswith(prefix):
            if meant == wanted:
                return ""
            expected = f"a key of the {wanted} environment; keys that begin with {prefix} are for {meant}"
            raise ConfigError("offset_api_key", secret, origin, expected)
    beginnings = " nor with ".join(_PREFIXES)
    return f"offset_api_key begins neither with {beginnings}, so only the service can tell whether it is for {wanted}"


def check_base_url(url: str, origin: str = "constructor") -> str:
    """Check an address that a key is to be sent to; return it without a slash at the end.

    Raises:
        ConfigError: It is no absolute address, or plain http to another machine.
    """
    from codecarbon.transport.proxy import base_address

    try:
        return base_address(url, has_credential=True).rstrip("/")
    except ConfigError as error:
        raise ConfigError("offset_base_url", error.value, origin, error.expected) from error
