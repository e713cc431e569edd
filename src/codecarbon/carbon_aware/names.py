"""What the fields of a question are called by each interface, so that an error names what its reader wrote."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codecarbon.carbon_aware.options import Profile

Endpoint = Literal["emissions", "average", "average_batch", "forecast", "forecast_batch", "schedule", "command_line"]

BINDING_DETAIL = "One or more validation errors occurred."
FORECAST_DETAIL = "Invalid EmissionsForecast"
_INDEXED = re.compile(r"\[(\d+)\]\.(\w+)")

_EMISSIONS = {"start": "time", "end": "toTime", "location": "location", "locations": "location"}
_AVERAGE = {"start": "startTime", "end": "endTime", "start_time": "startTime", "end_time": "endTime"}
_FORECAST = {"start": "dataStartAt", "end": "dataEndAt", "requested_at": "requestedAt"}
_COMMON = {
    "location": "location",
    "locations": "location",
    "data_start_at": "dataStartAt",
    "data_end_at": "dataEndAt",
    "window_size": "windowSize",
    "duration": "duration",
    "earliest": "earliest",
    "deadline": "deadline",
    "alternatives": "alternatives",
    "count": "alternatives",
    "pieces": "pieces",
    "resume_cost": "resumeCost",
    "power": "power",
    "home": "home",
    "move_cost": "moveCost",
    "items": "$",
}
_WIRE: Mapping[Endpoint, Mapping[str, str]] = {
    "emissions": {**_COMMON, **_EMISSIONS},
    "average": {**_COMMON, **_AVERAGE},
    "average_batch": {**_COMMON, **_AVERAGE},
    "forecast": {**_COMMON, **_FORECAST},
    "forecast_batch": {**_COMMON, **_FORECAST},
    "schedule": _COMMON,
    "command_line": {
        **_COMMON,
        "start_time": "--start-time",
        "end_time": "--end-time",
        "window_size": "--window-size",
    },
}
# The names of upstream's own variables, which it shows instead of those on the wire.
_INTERNAL = {
    "start": "Start",
    "end": "End",
    "location": "SingleLocation",
    "locations": "MultipleLocations",
    "requested_at": "Requested",
}


class Names(NamedTuple):
    """How an interface calls the fields.

    Attributes:
        fields: Name by neutral name.
        is_indexed: Whether the items of a batch are told apart, as ``$[3].startTime``.
    """

    fields: Mapping[str, str]
    is_indexed: bool

    def of(self, field: str) -> str:
        """Return the name of a neutral field, for example of ``start`` or ``[3].start``."""
        match = _INDEXED.fullmatch(field)
        if match is None:
            return self.fields.get(field, field)
        name = self.fields.get(match[2], match[2])
        return f"$[{match[1]}].{name}" if self.is_indexed else name

    def render(self, problems: tuple[tuple[str, str], ...]) -> dict[str, list[str]]:
        """Return the sentences of every field, in the words of the interface."""
        errors: dict[str, list[str]] = {}
        for field, sentence in problems:
            text = re.sub(r"\{(\w+)\}", lambda match: self.fields.get(match[1], match[1]), sentence)
            errors.setdefault(self.of(field), []).append(text)
        return errors


def get_names(endpoint: Endpoint, profile: Profile) -> Names:
    """Return the names of an endpoint: those on the wire, or, for ``strict`` and the command line, the internal ones.

    What upstream has no name of its own for is called as on the wire by both.
    """
    fields = _WIRE[endpoint]
    is_internal = endpoint == "command_line" or (profile == "strict" and endpoint != "schedule")
    if not is_internal:
        return Names(fields, is_indexed=endpoint.endswith("_batch"))
    return Names({**fields, **_INTERNAL}, is_indexed=False)
