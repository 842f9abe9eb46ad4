"""What happens if a caller leaves while its call goes from one place of work to the next."""

from collections.abc import Callable
from threading import Lock


class Leaving:
    """Remembers that a caller left, for whatever is registered later. Safe on any thread.

    What is registered holds the call's request, and is held by the call. `end` parts them: what
    only the garbage collector frees stays for minutes, and a flood of it fills the memory.
    """

    __slots__ = ("_begun", "_changing", "_ended", "_left", "_what")

    def __init__(self) -> None:
        self._changing = Lock()
        self._begun = self._ended = self._left = False
        self._what: Callable[[], object] | None = None

    def begins_with(self, what: Callable[[], object]) -> None:
        """As `becomes`, but does nothing if something was registered before."""
        self._register(what, first=True)

    def becomes(self, what: Callable[[], object]) -> None:
        """Replaces what happens; it happens at once if the caller has left."""
        self._register(what, first=False)

    def leave(self) -> None:
        """The caller has left."""
        with self._changing:
            self._left = True
            what = self._what
        if what is not None:
            what()

    def end(self) -> None:
        """The call has its answer: nothing happens any more, and nothing is kept."""
        with self._changing:
            self._ended = True
            self._what = None

    def _register(self, what: Callable[[], object], *, first: bool) -> None:
        with self._changing:
            if self._ended or (first and self._begun):
                return
            self._begun = True
            self._what = what
            if not self._left:
                return
        what()
