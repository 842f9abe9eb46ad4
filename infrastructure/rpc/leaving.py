"""What happens if a caller leaves while its call goes from one place of work to the next."""

from collections.abc import Callable
from threading import Lock


class Leaving:
    """Remembers that a caller left, for whatever is registered later. Safe on any thread."""

    __slots__ = ("_changing", "_left", "_what")

    def __init__(self) -> None:
        self._changing = Lock()
        self._left = False
        self._what: Callable[[], object] | None = None

    def becomes(self, what: Callable[[], object]) -> None:
        """Replaces what happens; it happens at once if the caller has left."""
        with self._changing:
            self._what = what
            if not self._left:
                return
        what()

    def leave(self) -> None:
        """The caller has left."""
        with self._changing:
            self._left = True
            what = self._what
        if what is not None:
            what()
