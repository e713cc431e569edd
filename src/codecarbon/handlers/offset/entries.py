"""What the ledger holds and answers: offsets, accruals, balances."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from codecarbon.handlers.offset.provider import Record


class OffsetState(str, Enum):
    """How far a purchase has come; the diagram is in ``schema.py``."""

    RESERVED = "reserved"
    SENT = "sent"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


class Refusal(str, Enum):
    """Why nothing was reserved."""

    NOTHING_DUE = "nothing_due"
    BELOW_THRESHOLD = "below_threshold"
    CAP_REACHED = "cap_reached"
    BLOCKED = "blocked"


class Offset(NamedTuple):
    """One purchase, from its reservation on.

    Attributes:
        offset_id: Its name, which is sent with the order.
        pounds: What was ordered, whole pounds.
        mass_ug: What it takes out of the balance, micrograms: first what was ordered, then what was really bought.
        automatic_ug: How much of that comes out of the automatic pool.
        state: How far it has come.
        is_manual: Whether a person asked for it.
        run_id: The run that it was bought in; empty for one that was found at the service only.
        created_us: When it was reserved, UTC microseconds since 1970; so are the other times.
        sent_us: When it was about to be sent; None if it never was.
        settled_us: When its last state was reached; None while it is under way.
        user_id: Whose purchase the service says it is, with ``time_utc`` its name there.
        time_utc: When the service says it was bought, as it wrote it.
        bought_pounds: What the service says was bought.
        cancelled_us: When it was cancelled.
        error: What went wrong, or is strange about it; without secrets.
    """

    offset_id: str
    pounds: int
    mass_ug: int
    automatic_ug: int
    state: OffsetState
    is_manual: bool
    run_id: str
    created_us: int
    sent_us: int | None
    settled_us: int | None
    user_id: str | None
    time_utc: str | None
    bought_pounds: int | None
    cancelled_us: int | None
    error: str


class Balance(NamedTuple):
    """Sums of an account, micrograms: accrued - confirmed - pending - unknown = open - debt.

    Attributes:
        accrued_ug: Everything that runs accrued.
        confirmed_ug: Bought, and not cancelled since.
        pending_ug: Reserved, or sent and not answered.
        unknown_ug: Sent, with an outcome that nobody knows.
        open_ug: What may be bought by hand.
        automatic_ug: What of that may be bought automatically.
        debt_ug: How much more was bought than accrued, for example after a late answer.
    """

    accrued_ug: int
    confirmed_ug: int
    pending_ug: int
    unknown_ug: int
    open_ug: int
    automatic_ug: int
    debt_ug: int


class Accrual(NamedTuple):
    """What a stretch of a run accrued, micrograms, and how much of it may be offset automatically."""

    run_id: str
    segment: int
    mass_ug: int
    automatic_ug: int
    created_us: int
    changed_us: int


class Skip(NamedTuple):
    """A run that did not accrue, and why."""

    run_id: str
    reason: str
    changed_us: int


class Settlement(NamedTuple):
    """What a look at the service's records changed.

    Attributes:
        confirmed: Offsets that were found, and are confirmed by that.
        released: Offsets that were not found for long enough, and may be bought again.
        imported: Purchases of this ledger that it did not know.
        still_unknown: Offsets whose outcome is still unknown.
        duplicates: Records of a second purchase under the name of one offset; they are taken out of the balance.
        is_complete: Whether every record was seen.
        error: Why not, for people; without secrets.
    """

    confirmed: tuple[Offset, ...]
    released: tuple[Offset, ...]
    imported: tuple[Offset, ...]
    still_unknown: tuple[Offset, ...]
    duplicates: tuple[Record, ...]
    is_complete: bool
    error: str = ""


class Holder(NamedTuple):
    """The live run that accrues for the host in an environment; its process number may be that of a container."""

    environment: str
    run_id: str
    pid: int
    since_us: int
    is_elsewhere: bool


class AccountSummary(NamedTuple):
    """An account of a ledger file, which can be told without its key.

    Attributes:
        provider: The service's name.
        environment: For example ``sandbox``.
        user_id: Whose account it is at the service; None until the service was asked.
        fingerprints: Of the keys that were used, the first one first; each opens a ``Ledger``.
        balance: Its sums.
        unsettled: Offsets under way, and those whose outcome is unknown.
        last_bought: The last confirmed offset.
        last_scan_us: When its records were last looked at completely, UTC microseconds since 1970.
    """

    provider: str
    environment: str
    user_id: str | None
    fingerprints: tuple[str, ...]
    balance: Balance
    unsettled: tuple[Offset, ...]
    last_bought: Offset | None
    last_scan_us: int | None


OFFSET_COLUMNS = ", ".join(Offset._fields)


def offset_of(row: tuple[Any, ...]) -> Offset:
    """Read a row of ``OFFSET_COLUMNS``."""
    offset = Offset._make(row)
    return offset._replace(state=OffsetState(offset.state), is_manual=bool(offset.is_manual))
