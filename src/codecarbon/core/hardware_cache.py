"""Old path of the cache of detected hardware."""

__all__ = ["clear_cache"]


def clear_cache() -> None:
    """Nothing is left to clear: every tracker looks at the machine itself, which takes a few milliseconds."""
