"""Asking people, and showing signs of life while a service is asked."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Generic, NamedTuple, TextIO, TypeVar

import typer

from codecarbon.cli import offset_words as words
from codecarbon.cli import text

if TYPE_CHECKING:
    from collections.abc import Callable

_Result = TypeVar("_Result")
# Until then an answer is quick enough to say nothing.
_QUIET_S = 1.0


class Manner(NamedTuple):
    """How to deal with whoever gave the command.

    Attributes:
        is_yes: Do not ask.
        is_json: One JSON document on standard output; everything else goes to standard error.
    """

    is_yes: bool = False
    is_json: bool = False

    @property
    def can_go_on(self) -> bool:
        """Whether there is somebody to ask, or nobody needs to be."""
        return self.is_yes or (_is_person(sys.stdin) and _is_person(sys.stderr))

    def tell(self, content: str, environment: str) -> None:
        """Print something for people, the account's mark before every line."""
        typer.echo(words.marked(content, environment), nl=False, err=self.is_json)

    def agrees(self, question: str, environment: str) -> bool:
        """Ask a question that is answered no by a mere return key."""
        if self.is_yes:
            return True
        from rich.console import Console
        from rich.prompt import Confirm

        console = Console(stderr=True, highlight=False, markup=False)
        mark = words.mark_of(environment)
        try:
            return Confirm.ask(f"{mark}{question}", console=console, default=False)
        except EOFError:  # Ctrl-D
            console.print()
            return False
        except KeyboardInterrupt:
            console.print()
            text.say(f"{mark}nothing was done")
            raise


def _is_person(stream: TextIO | None) -> bool:
    """Whether somebody sits at the other end; for a question the simplest terminal will do."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


class _Work(threading.Thread, Generic[_Result]):
    """Something that is done elsewhere, so that Ctrl-C reaches us at once."""

    def __init__(self, work: Callable[[], _Result]) -> None:
        super().__init__(name="codecarbon-offset", daemon=True)
        self._work = work
        self._results: list[_Result] = []
        self._error: BaseException | None = None
        # Not join(): before Python 3.13, one that Ctrl-C interrupts takes the thread for ended (bpo-45274).
        self.is_done = threading.Event()

    def run(self) -> None:
        """Do it and keep what came of it."""
        try:
            self._results.append(self._work())
        except BaseException as error:  # noqa: BLE001 (it is raised where the result is asked for)
            self._error = error
        finally:
            self.is_done.set()

    def result(self) -> _Result:
        """Give what came of it, or raise it."""
        if self._error is not None:
            raise self._error
        return self._results[0]


def watch(doing: str, environment: str, work: Callable[[], _Result], *, warning: str = "") -> _Result:
    """Do something that may take long, and say after a second what it is.

    Args:
        doing: What is done, for example "asking for the records".
        environment: The account's environment.
        work: What to do; it goes on when Ctrl-C ends the watching.
        warning: What to say at the first Ctrl-C, which then ends nothing; empty to end at once.

    Raises:
        KeyboardInterrupt: Ctrl-C, or a second one.
    """
    thread = _Work(work)
    thread.start()
    doing = f"{words.mark_of(environment)}{doing}"
    try:
        _wait(thread.is_done, doing)
    except KeyboardInterrupt:
        if not warning:
            raise
        text.say(f"{words.mark_of(environment)}{warning}")
        _wait(thread.is_done, doing)
    return thread.result()


def _wait(is_done: threading.Event, doing: str) -> None:
    if is_done.wait(_QUIET_S):
        return
    if not text.is_terminal(sys.stderr):
        text.say(f"{doing}…")
        is_done.wait()
        return
    from rich.console import Console

    with Console(stderr=True, highlight=False, markup=False).status(f"{doing}…"):
        is_done.wait()
