"""A mark: an instant that costs a timestamp when it is made and is resolved against the samples once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codecarbon._sensors import Reading
    from codecarbon.measure.hub import Stream
    from codecarbon.measure.parts import Choice


class Segment:
    """The streams between one start and the next stop; marks belong to the segment they were made in.

    Attributes:
        streams: Attached streams; one that gets ready late is appended.
        choice: Which channels supply each component, as decided last.
        absent: Components that should be there and are not, each with its reason.
    """

    __slots__ = ("_boundaries", "absent", "choice", "streams")

    def __init__(self) -> None:
        self.streams: list[Stream] = []
        self.choice: Choice | None = None
        self.absent: dict[str, str] = {}
        self._boundaries: dict[int, Mark] = {}

    def boundary(self, t_ns: int) -> Mark:
        """The shared mark of a five-minute boundary, so that neighbouring slots touch exactly."""
        return self._boundaries.setdefault(t_ns, Mark(t_ns, self))


class Mark:
    """An instant of a session.

    Attributes:
        t_ns: The instant on the monotonic clock.
        segment: The segment of the session that it lies in.
    """

    __slots__ = ("_readings", "segment", "t_ns")

    def __init__(self, t_ns: int, segment: Segment) -> None:
        self.t_ns = t_ns
        self.segment = segment
        self._readings: list[Reading | None] = []

    def reading(self, index: int) -> Reading:
        """Totals of a stream's channels at this instant; asked once more only while they are provisional.

        Before a stream's first sample its totals are zero, as they are at that sample.

        Args:
            index: The stream's place in the segment.
        """
        readings = self._readings
        while len(readings) <= index:
            readings.append(None)
        reading = readings[index]
        if reading is None or not reading.is_final:
            sampler = self.segment.streams[index].sampler
            later = sampler.resolve(self.t_ns) if sampler.head else sampler.zero()
            if reading is not None and later.is_coarse:
                # Nobody asked for so long that the ring lost the instant: what was known is the better answer.
                reading.freeze()
            else:
                reading = readings[index] = later
        return reading

    def __repr__(self) -> str:
        return f"Mark(t_ns={self.t_ns})"
