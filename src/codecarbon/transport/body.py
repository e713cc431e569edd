"""Reading a body as it arrives, so that one that comes in a trickle can be given up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests
from urllib3.exceptions import DecodeError, ProtocolError, ReadTimeoutError, SSLError
from urllib3.response import HTTPResponse

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK_BYTES = 64 * 1024


def parts_of(response: requests.Response) -> Iterator[bytes]:
    """Give the parts of a body, decompressed, each as soon as it is there.

    ``iter_content`` waits until a part has its full size, and the time-out for data begins anew with every byte, so
    that a slow sender could hold a caller for ever. With urllib3 before 2, which has nothing better, it is used all the
    same.

    Raises:
        requests.RequestException: The body is cut off, garbled or late, as ``iter_content`` says it.
    """
    raw = response.raw
    if not isinstance(raw, HTTPResponse) or not hasattr(raw, "read1"):
        yield from response.iter_content(_CHUNK_BYTES)
        return
    try:
        while part := raw.read1(_CHUNK_BYTES, decode_content=True):
            yield part
    except ProtocolError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error
    except DecodeError as error:
        raise requests.exceptions.ContentDecodingError(error) from error
    except ReadTimeoutError as error:
        raise requests.exceptions.ConnectionError(error) from error
    except SSLError as error:
        raise requests.exceptions.SSLError(error) from error
