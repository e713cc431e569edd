"""Which of the forms of an answer a client wants."""

from __future__ import annotations

from typing import Literal

Form = Literal["json", "detail", "csv"]

DETAIL_TYPE = "application/vnd.codecarbon.detail+json"
_FORMS: dict[str, Form] = {
    "application/json": "json",
    "text/json": "json",
    "application/*": "json",
    "*/*": "json",
    "text/csv": "csv",
    DETAIL_TYPE: "detail",
}


def form_of(accept: bytes | None, *, has_csv: bool) -> Form:
    """Choose by an ``Accept`` header; JSON when it leaves the choice, or wants only what there is not.

    Args:
        accept: The header.
        has_csv: Whether the answer is a list, so that there is a table of it.
    """
    if not accept:
        return "json"
    best: Form = "json"
    best_weight = 0.0
    for part in accept.decode("latin-1").split(","):
        name, *settings = (piece.strip() for piece in part.split(";"))
        form = _FORMS.get(name.lower())
        weight = _weight(settings)
        if form is None or (form == "csv" and not has_csv):
            continue
        if weight > best_weight:
            best, best_weight = form, weight
    return best


def _weight(settings: list[str]) -> float:
    for setting in settings:
        name, _, value = setting.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
