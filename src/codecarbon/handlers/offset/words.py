"""Sentences about offsets, for the log: what was bought or why not, how much is held, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecarbon.units import kg_from_ug

if TYPE_CHECKING:
    from codecarbon.handlers.offset.ledger import Balance, Offset
    from codecarbon.handlers.offset.plan import Plan
    from codecarbon.handlers.offset.provider import OffsetProvider, Quote

_TITLES = {"oneclickimpact": "OneClickImpact"}
_REMARKS = {"dry run": "; nothing is ordered", "sandbox": "; nothing real is bought there"}
_UG_SHOWN = 1000
KEPT = "What is held is kept, and tried again later"
RECONCILE = "`codecarbon offset reconcile` settles it"


def title(name: str) -> str:
    """What a service calls itself."""
    return _TITLES.get(name, name)


def place(provider: OffsetProvider) -> str:
    """The service and its environment, which says so when it is not the real thing."""
    return _place(provider.name, provider.environment)


def _place(name: str, environment: str) -> str:
    remark = next((text for word, text in _REMARKS.items() if word in environment), "")
    return f"{title(name)} ({environment}{remark})"


def placed(text: str, name: str, environment: str) -> str:
    """Make a text tell the environment, if it does not yet: nobody should take a test for the real thing."""
    return text if f"({environment}" in text else f"{text} [{_place(name, environment)}]"


def mass(ug: int) -> str:
    """A mass to the milligram, rounded down as all that decides about it."""
    return f"{kg_from_ug(ug - ug % _UG_SHOWN):.6f} kg CO2e"


def setting(ug: int) -> str:
    """A mass that somebody chose, as short as it is."""
    return f"{kg_from_ug(ug):g} kg CO2e"


def lb_were(pounds: int) -> str:
    """Pounds, and the verb that they take."""
    return f"{pounds} lb {'was' if pounds == 1 else 'were'}"


def bought(offset: Offset, balance: Balance, provider: OffsetProvider) -> str:
    """What was bought, and what is left."""
    # Nothing is decided about what was bought, so it is shown as exactly as it can be.
    kg = f"{kg_from_ug(offset.mass_ug):.6f} kg CO2e"
    text = f"Offset {offset.bought_pounds or offset.pounds} lb = {kg} at {place(provider)}; "
    if balance.debt_ug:
        return text + f"that is {mass(balance.debt_ug)} more than was added up, which later emissions make up for"
    return text + f"{mass(balance.open_ug)} is carried over"


def other_amount(offset: Offset) -> str:
    """The service bought another amount than was ordered."""
    return (
        f"{lb_were(offset.bought_pounds or offset.pounds)} bought in place of the {offset.pounds} lb that were ordered"
    )


def quote(found: Quote, provider: OffsetProvider) -> str:
    """What will be bought now."""
    cost = f" for {found.cost_cents} US cents" if found.cost_cents is not None else ""
    account = f", account {found.account}" if found.account else ""
    note = f". {found.note}" if found.note else ""
    return f"Buying {found.pounds} lb = {found.mass_kg:.6f} kg CO2e at {place(provider)}{cost}{account}{note}"


def switched_on(plan: Plan) -> str:
    """What the settings ask for."""
    where = _place(plan.provider_name, plan.environment)
    if not plan.is_automatic:
        return f"Emissions are added up for {where}; nothing is bought by itself, since auto_offset is off"
    return (
        f"Emissions are offset at {where} from {setting(plan.threshold_ug)} on (offset_threshold), at most "
        f"{setting(plan.cap_ug)} in one run (offset_max_per_run_kg)"
    )


def below_threshold(balance: Balance, threshold_ug: int) -> str:
    """Why nothing is bought yet."""
    text = f"{mass(balance.automatic_ug)} is held, and an offset is bought from {setting(threshold_ug)} on"
    text += " (offset_threshold)"
    by_hand_ug = balance.open_ug - balance.automatic_ug
    if by_hand_ug > 0:
        text += f"; {mass(by_hand_ug)} more was added up with auto_offset off and is bought by hand only"
    return text


def nothing_due(balance: Balance) -> str:
    """Why nothing can be bought."""
    return f"{mass(balance.open_ug)} is held, and the least that can be bought is 1 lb = 0.453592 kg"


def switched_off(balance: Balance) -> str:
    """Why nothing is bought by itself."""
    return f"auto_offset is off; {mass(balance.open_ug)} is held: manual_offset() or `codecarbon offset now` buys it"


def cap_reached(cap_ug: int | None, balance: Balance) -> str:
    """Why nothing more is bought in this run."""
    most = "what" if cap_ug is None else f"the {setting(cap_ug)}"
    return (
        f"no whole pound is left of {most} that one run may buy (offset_max_per_run_kg); {mass(balance.open_ug)} is "
        "held: `codecarbon offset now` buys it"
    )


def blocked(balance: Balance) -> str:
    """Why nothing is bought until a doubt is settled."""
    return (
        f"it is not known whether an earlier purchase of {kg_from_ug(balance.unknown_ug):.6f} kg CO2e was made. "
        f"Emissions are still added up; {RECONCILE}"
    )
