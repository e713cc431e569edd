"""JSON as configuration files have it: with ``//`` and ``/* */`` comments, and commas before a closing bracket.

No small, kept library reads exactly this: JSON5 allows far more, and would let typing errors pass. So what JSON does
not have is blanked out, outside of strings only, and the standard library reads the rest; places in its complaints
stay right, because nothing moves.
"""

from __future__ import annotations

import json
import re
from typing import Any

_STRING = r'(?P<string>"(?:[^"\\\n]|\\.)*")'
_COMMENTS = re.compile(_STRING + r"|//[^\n]*|/\*.*?\*/", re.DOTALL)
# A comma behind a value and before a closing bracket.
_COMMAS = re.compile(_STRING + r"|(?<=[^\s,:{\[])(?P<blanks>\s*),(?=\s*[}\]])", re.DOTALL)


def read_tolerant_json(text: str) -> Any:
    """Read JSON with comments and trailing commas.

    Raises:
        ValueError: It is not even that; the message tells line and column.
    """
    plain = _COMMENTS.sub(_blanked, text.removeprefix("\ufeff"))
    return json.loads(_COMMAS.sub(_blanked, plain))


def _blanked(match: re.Match[str]) -> str:
    return match[0] if match["string"] is not None else re.sub(r"[^\n]", " ", match[0])
