"""A handler's failure is there to ask for, whatever the level of the log."""

from __future__ import annotations

from codecarbon.errors import HandlerError


class _Full:
    def out(self, total, delta):
        raise HandlerError("the disk is full", handler="full")


def test_failure_of_a_handler_can_be_asked_for(rig):
    tracker = rig.tracker(output_handlers=[_Full()], log_level="critical")
    tracker.start()
    assert tracker.handler_faults == ()
    rig.pass_s(1)
    assert tracker.stop() is not None
    (fault,) = tracker.handler_faults
    assert (fault.handler, fault.message, fault.count) == ("_Full", "the disk is full", 1)
