"""How the guard finds out who calls: at once if it can, or on the lane of checks.

A token that was verified before is found in a microsecond. The verification of a new one takes
longer than everything else that the thread of calls does for a call, so it happens elsewhere, where
callers take turns: a client that sends ever new tokens delays itself, and not the others.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from application.access import ANONYMOUS, Caller
from infrastructure.lanes.lane import Ticket
from infrastructure.wire.calls import Call, Stream

Found = Callable[[Caller | Exception], None]

_SIZE = 1024  # bytes that a token counts as in the lane


class Identification(Protocol):
    """Finds the caller of a call."""

    def known(self, call: Call | Stream) -> Caller | None:
        """The caller, None if `find` must be asked. Never waits. Raises Unauthenticated."""
        ...

    def find(self, call: Call | Stream, found: Found) -> None:
        """Calls `found` once with the caller or a refusal, on any thread."""
        ...


class Anyone:
    """The identification of a service without authentication: every caller is anonymous."""

    def known(self, _: Call | Stream) -> Caller | None:
        """See Identification."""
        return ANONYMOUS

    def find(self, _: Call | Stream, found: Found) -> None:
        """See Identification."""
        found(ANONYMOUS)


class Verifier(Protocol):
    """Knows or verifies the credentials of calls."""

    def known(self, call: Call | Stream) -> Caller | None:
        """The caller, None if `verified` must find out. Raises Unauthenticated."""
        ...

    def verified(self, call: Call | Stream) -> Caller:
        """The caller. Raises Unauthenticated."""
        ...


class Checks(Protocol):
    """The lane of checks."""

    def submit(
        self,
        submission: Callable[[], Any],
        caller: str,
        size: int,
        deadline: float | None,
        answer: Found,
    ) -> Ticket[Any, Any]:
        """See Lane.submit."""
        ...


class Identified:
    """The identification of a service with authentication."""

    def __init__(self, verifier: Verifier, checks: Checks) -> None:
        self.known = verifier.known
        self._verified = verifier.verified
        self._checks = checks

    def find(self, call: Call | Stream, found: Found) -> None:
        """See Identification."""
        verified = partial(self._verified, call)
        self._checks.submit(verified, call.peer, _SIZE, call.deadline, found)
