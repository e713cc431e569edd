"""JSON as configuration files have it: with ``//`` and ``/* */`` comments, and commas before a closing bracket.

No small, kept library reads exactly this: JSON5 allows far more, and would let typing errors pass. So what JSON does
not have is blanked out, outside of strings only, and the standard library reads the rest; places in its complaints
stay right, because nothing moves.
"""

from __future__ import annotations

import json
import re
from typing import Any

# A string, or a comment, or a comma that only blanks and comments part from a closing bracket.
_TOKENS = re.compile(
    r"""(?P<string>"(?:[^"\\\n]|\\.)*")
      | (?P<comment>//[^\n]*|/\*.*?\*/)
      | (?P<comma>,(?=(?:\s|//[^\n]*|/\*.*?\*/)*[}\]]))""",
    re.VERBOSE | re.DOTALL,
)


def read_tolerant_json(text: str) -> Any:
    """Read JSON with comments and trailing commas.

    Raises:
        ValueError: It is not even that; the message tells line and column.
    """
    return json.loads(_TOKENS.sub(_blanked, text.removeprefix("\ufeff")))


def _blanked(match: re.Match[str]) -> str:
    if match["string"] is not None:
        return match[0]
    return re.sub(r"[^\n]", " ", match[0])
