"""Explores what processes can do to each other: every order of their steps, with every fault at every step.

Processes are threads of which one runs at a time. Whatever they do outside themselves is an `Operation`, at which they
stop; the explorer chooses whose operation comes next and how it ends, performs it, and lets that process run to its
next one. It goes through all choices depth first. A path is walked again with the results that it had the first time,
so that only new steps cost anything; and a state that was met before (files, books, and every process's own variables)
is not explored twice, since all that can follow from it has been seen. Nothing else is left out: there is no bound on
how often processes alternate.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

PATIENCE_S = 60.0


class GoneError(BaseException):
    """The process does not exist any more: it does nothing, not even to tidy up."""


class Operation(NamedTuple):
    """What a process is about to do outside itself.

    Attributes:
        kind: Its name.
        perform: Does it, in one of its variants, and returns its result; an exception is a result too.
        variants: The ways in which it may go, with what each takes of the budget for faults; the good one first.
        is_private: Whether it neither sees nor changes what other processes do; then its moment makes no difference.
    """

    kind: str
    perform: Callable[[str], Any]
    variants: Callable[[], list[tuple[str, int]]]
    is_private: bool = False


class Choice(NamedTuple):
    """One step of a path: which process, what happens to it, and what that costs."""

    who: str
    what: str
    cost: int


class Result(NamedTuple):
    """What an operation gave."""

    value: Any
    error: BaseException | None


@dataclass
class Node:
    """A place on the current path where a choice was made."""

    choices: list[Choice]
    before: Any
    index: int = 0
    result: Result | None = None
    is_last: bool = False

    @property
    def choice(self) -> Choice:
        """The one that is being explored."""
        return self.choices[self.index]


@dataclass
class Report:
    """How much was explored."""

    runs: int = 0
    steps: int = 0
    states: int = 0
    ends: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    longest: int = 0


class Actor:
    """A process: a thread that stops at each operation.

    Attributes:
        name: Its name, which is also that of its kind: where it is a state of the whole.
        pending: The operation that it stands before; None when it does not run.
        is_over: Whether it has ended.
        is_crashed: Whether it was ended.
        steps: How many operations it has behind it.
    """

    def __init__(self, name: str, body: Callable[[Actor], None], *, after: str = "") -> None:
        self.name = name
        self.after = after
        self._body = body
        self.begin()

    def begin(self) -> None:
        """Be as new."""
        self.pending: Operation | None = None
        self.is_over = self.is_crashed = self._is_gone = False
        self.steps = 0
        self._known: list[Result] = []
        self._go, self._stopped = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._stopped.acquire()
        self._result = Result(None, None)
        self._thread: threading.Thread | None = None
        self._fault: BaseException | None = None

    def start(self, known: Sequence[Result] = ()) -> None:
        """Run to the first operation, or to the one after those whose results are known."""
        self._known = list(known)
        self.steps = len(known)
        self._thread = threading.Thread(target=self._main, daemon=True)
        self._thread.start()
        self._wait()

    def act(self, operation: Operation) -> Any:
        """Stop before an operation; called on the process's thread."""
        if self._is_gone:
            raise GoneError
        if self._known:
            self._result = self._known.pop(0)
        else:
            self.pending = operation
            self._stopped.release()
            self._go.acquire()
        if self._is_gone:
            raise GoneError
        if self._result.error is not None:
            raise self._result.error.with_traceback(None)
        return self._result.value

    def resume(self, result: Result) -> None:
        """Take the operation's result, and run to the next one."""
        self.pending = None
        self.steps += 1
        self._result = result
        self._go.release()
        self._wait()

    def kill(self) -> None:
        """End it where it stands."""
        self._is_gone = True
        if self.pending is not None:
            self.pending = None
            self._go.release()
            self._wait()
        self.is_over = True

    def state(self, write: Callable[[Any], str]) -> tuple[Any, ...]:
        """Where it stands, and what its variables hold."""
        if self.is_over or self.pending is None:
            return (self.is_over, self.is_crashed)
        assert self._thread is not None
        places = []
        frame = sys._current_frames()[self._thread.ident]  # type: ignore[index] # it was started
        while frame.f_code is not Actor._main.__code__:
            if frame.f_code is not Actor.act.__code__:
                variables = sorted((name, write(value)) for name, value in frame.f_locals.items())
                places.append((frame.f_code.co_name, frame.f_lasti, tuple(variables)))
            assert frame.f_back is not None
            frame = frame.f_back
        return (self.pending.kind, tuple(places))

    def _wait(self) -> None:
        assert self._stopped.acquire(timeout=PATIENCE_S), f"{self.name} hangs"
        if self._fault is not None:
            raise self._fault

    def _main(self) -> None:
        try:
            self._body(self)
        except GoneError:
            pass
        except BaseException as error:  # noqa: BLE001 (raised again where the test is)
            self._fault = error
        self.is_over = True
        self._stopped.release()


class World:
    """What actors act on. A test's own subclass keeps it."""

    actors: list[Actor]
    budget = 0
    may_crash = True

    def begin(self) -> None:
        """A path begins: nobody has ended."""

    def save(self) -> Any:
        """Return all that can change, but for the actors."""
        raise NotImplementedError

    def load(self, saved: Any) -> None:
        """Go back to it."""
        raise NotImplementedError

    def state(self) -> Hashable:
        """Tell states apart."""
        raise NotImplementedError

    def write(self, value: Any) -> str:
        """Tell values of variables apart."""
        raise NotImplementedError

    def ended(self, actor: Actor) -> None:
        """An actor has ended, or was ended."""

    def check(self, trace: list[Choice]) -> None:
        """Raise if something is wrong after a step."""

    def finish(self) -> None:
        """Raise if something is wrong in the end, when all has been made good that can be."""

    def extras(self) -> list[tuple[str, int]]:
        """What may happen besides; each is performed by `happen`."""
        return []

    def happen(self, what: str) -> None:
        """Let something happen."""


class Explorer:
    """Goes through everything that can happen in a world."""

    def __init__(self, world: World, *, most_runs: int = 1_000_000) -> None:
        self.world = world
        self.report = Report()
        self._most_runs = most_runs
        self._by_name = {actor.name: actor for actor in world.actors}
        self._stack: list[Node] = []
        self._seen: set[Hashable] = set()
        self._ends: set[Hashable] = set()
        self._start = world.save()

    def explore(self) -> Report:
        """Explore it all.

        Raises:
            AssertionError: Something is wrong; its message has the path that leads there.
        """
        report = self.report
        while report.runs < self._most_runs:
            self._begin()
            try:
                self._go()
            except AssertionError as error:
                path = "\n".join(f"  {node.choice.who}: {node.choice.what}" for node in self._stack)
                raise AssertionError(f"{error}\nafter\n{path}") from error
            finally:
                for actor in self.world.actors:
                    if not actor.is_over:
                        actor.kill()
            report.runs += 1
            report.longest = max(report.longest, len(self._stack))
            while self._stack and self._stack[-1].index + 1 == len(self._stack[-1].choices):
                self._stack.pop()
            if not self._stack:
                report.states, report.ends = len(self._seen), len(self._ends)
                return report
            self._stack[-1].index += 1
            self._stack[-1].result, self._stack[-1].is_last = None, False
        raise AssertionError(f"more than {self._most_runs} runs")

    # --- inside ----------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Bring everybody to where the path stands; what they heard on the way is known, in whatever order they run."""
        world, path = self.world, self._stack[:-1]
        world.begin()
        self._left = world.budget - sum(node.choice.cost for node in path)
        for actor in world.actors:
            actor.begin()
            own = [node for node in path if node.choice.who == actor.name]
            if own and own[-1].is_last:
                actor.is_over, actor.is_crashed = True, own[-1].choice.what == "crash"
                world.ended(actor)
            elif own or not actor.after:
                actor.start([node.result for node in own if node.result is not None])
        world.load(self._stack[-1].before if self._stack else self._start)

    def _go(self) -> None:
        if self._stack:
            self._live(self._stack[-1])
        while True:
            choices = self._choices()
            state = (self._left, self.world.state(), *(actor.state(self.world.write) for actor in self.world.actors))
            if not choices:
                if state not in self._ends:
                    self._ends.add(state)
                    self.world.finish()
                return
            if state in self._seen:
                return
            self._seen.add(state)
            node = Node(choices, self.world.save())
            self._stack.append(node)
            self._live(node)

    def _live(self, node: Node) -> None:
        self.report.steps += 1
        if node.choice.cost:
            self.report.faults[node.choice.what] += 1
        self._step(node)
        self.world.check([node.choice for node in self._stack])

    def _choices(self) -> list[Choice]:
        found = []
        actors = self.world.actors
        running = [actor for actor in actors if actor.pending is not None]
        for actor in running:
            assert actor.pending is not None
            kind = actor.pending.kind
            ways = [Choice(actor.name, f"{kind} {how}", cost) for how, cost in actor.pending.variants()]
            if actor.pending.is_private:
                return [way for way in ways if way.cost <= self._left]
            found += ways
        if self.world.may_crash:
            found += [Choice(actor.name, "crash", 1) for actor in running if actor.steps]
        found += [
            Choice(actor.name, "restart", 0)
            for actor in actors
            if actor.after and not actor.is_over and actor.pending is None and self._by_name[actor.after].is_crashed
        ]
        if running:
            found += [Choice("world", what, cost) for what, cost in self.world.extras()]
        return [choice for choice in found if choice.cost <= self._left]

    def _step(self, node: Node) -> None:
        who, what, cost = node.choice
        self._left -= cost
        if who == "world":
            self.world.happen(what)
            return
        actor = self._by_name[who]
        if what == "restart":
            actor.start()
        elif what == "crash":
            actor.is_crashed = True
            actor.kill()
        else:
            assert actor.pending is not None
            kind, _, how = what.partition(" ")
            assert actor.pending.kind == kind, f"a path did not repeat itself: {actor.pending.kind} for {kind}"
            node.result = self._perform(actor.pending, how)
            actor.resume(node.result)
        node.is_last = actor.is_over
        if actor.is_over:
            self.world.ended(actor)

    @staticmethod
    def _perform(operation: Operation, how: str) -> Result:
        try:
            return Result(operation.perform(how), None)
        except AssertionError:
            raise
        except BaseException as error:  # noqa: BLE001 (it is the process's)
            return Result(None, error)
