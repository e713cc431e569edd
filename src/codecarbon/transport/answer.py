"""What a service answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from codecarbon.errors import ProviderDataError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Answer(NamedTuple):
    """A complete answer.

    Attributes:
        status: The HTTP status.
        headers: Its headers; look-up regards no case.
        body: The body, decompressed.
        fetched_us: When it arrived, UTC microseconds since 1970.
        service: Who answered.
        question: Path and query that were asked, without secrets.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    fetched_us: int
    service: str = ""
    question: str = ""

    @property
    def is_html(self) -> bool:
        """Whether it is a page for people, as gateways and portals send in place of a service's own answer."""
        kind = self.headers.get("Content-Type", "").lower()
        return "html" in kind or self.body.lstrip()[:1] == b"<"

    def json(self) -> Any:
        """Read the body as JSON.

        Raises:
            ProviderDataError: It is of another kind, cut off, or holds numbers that are none.
        """
        kind = self.headers.get("Content-Type", "").lower()
        if self.is_html:
            raise ProviderDataError(f"{self.service} answered {self.question} with an HTML page", self.service)
        if kind and "json" not in kind:
            raise ProviderDataError(
                f"{self.service} answered {self.question} with {kind[:80]!r} instead of JSON", self.service
            )
        try:
            return json.loads(self.body.decode("utf-8-sig"), parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise ProviderDataError(
                f"{self.service} answered {self.question} with broken JSON ({len(self.body)} bytes): "
                f"{type(error).__name__}",
                self.service,
            ) from error


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
