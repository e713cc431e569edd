"""The one way to other services: sessions with time-outs, retry, pace and a breaker, and a cache on disk.

Nothing here knows a service; providers of carbon intensity and clients of other services build on it.
"""

from codecarbon.transport.answer import Answer
from codecarbon.transport.breaker import CircuitBreaker
from codecarbon.transport.cache import Cached, DiskCache
from codecarbon.transport.proxy import Proxy
from codecarbon.transport.rate import TokenBucket
from codecarbon.transport.redact import fingerprint, redact
from codecarbon.transport.session import Transport

__all__ = [
    "Answer",
    "Cached",
    "CircuitBreaker",
    "DiskCache",
    "Proxy",
    "TokenBucket",
    "Transport",
    "fingerprint",
    "redact",
]
