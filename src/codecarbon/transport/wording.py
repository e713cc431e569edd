"""Short texts about what went wrong on the way to a service."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ReadTimeoutError

if TYPE_CHECKING:
    from codecarbon.transport.answer import Answer

_LONGEST = 300
_MEMBERS = ("error", "message", "detail", "title", "msg")
# How libraries name the object that failed, in front of what happened to it.
_OBJECTS = re.compile(r"(<[^>]*>|\w+\(host='[^']*', port=[^)]*\)): ")


def excerpt(answer: Answer) -> str:
    """Say in one line what an answer with an error status tells people; empty when it tells nothing."""
    text = answer.body.decode("utf-8", "replace").strip()
    if answer.is_html:
        title = re.search(r"(?is)<title[^>]*>(.*?)</title>", text)
        return f"an HTML page ({one_line(title[1])})" if title else "an HTML page"
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return one_line(text)
    if isinstance(content, dict):
        said = [content[name] for name in _MEMBERS if isinstance(content.get(name), str) and content[name].strip()]
        if said:
            return one_line(": ".join(said))
    return one_line(text) if content else ""


def one_line(text: str) -> str:
    """Make one printable line of a text, cut to a length that fits into a message."""
    line = "".join(char if char.isprintable() else " " for char in " ".join(text.split()))
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "…"


def cause_of(error: Exception) -> str:
    """Say in a few words why there was no answer; may still hold secrets."""
    inner = _innermost(error)
    if isinstance(inner, ReadTimeoutError | requests.exceptions.ReadTimeout):
        return "no data in time"
    # A refused connection is a ConnectTimeoutError to urllib3.
    if isinstance(inner, ConnectTimeoutError) and not isinstance(inner, NewConnectionError):
        return "no connection in time"
    text = one_line(_OBJECTS.sub("", str(inner)) or type(inner).__name__)
    if isinstance(error, requests.exceptions.SSLError):
        return f"its certificate or its TLS is not accepted: {text}"
    if isinstance(error, requests.exceptions.ProxyError):
        return f"the proxy does not work: {text}"
    return text


def _innermost(error: BaseException) -> BaseException:
    """The lowest of the errors that libraries wrapped, which is the one that says something."""
    for _ in range(10):
        wrapped = (getattr(error, "reason", None), getattr(error, "original_error", None), *error.args)
        inner = next((item for item in wrapped if isinstance(item, BaseException)), None)
        if inner is None:
            break
        error = inner
    return error
