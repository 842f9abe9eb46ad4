"""Reads of the history of others are recorded before anything of them is answered.

Which methods are recorded stands in the table of access (`Rule.recorded`), and what a request reads
is found by the names of its fields. So a method or a stream that reads history needs a rule that is
recorded, and no other line for this.

All accesses of a process wait in one lane and share its commits, so reads cost the database a
bounded number of writes, however many they are.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from google.protobuf.message import Message

from application.access import Caller, Rule
from application.accesses import Access, Subject, is_own
from application.ports import Origin
from infrastructure.identity.origin import Origins
from infrastructure.lanes.lane import Lane, Ticket
from infrastructure.wire.calls import Metadata


class Answering(Protocol):
    """The answer to a call, as Reply and StreamReply give it; see there."""

    metadata: Metadata
    caller: Caller
    origin: Origin | None

    @property
    def share(self) -> str:
        """See Reply."""
        ...

    @property
    def deadline(self) -> float:
        """See Reply."""
        ...

    def refuse(self, error: Exception) -> None:
        """See Reply."""
        ...


First = Callable[[str, Message, str, Answering, Callable[[], None]], None]
"""See Recording.first."""

_SIZE = 256  # bytes that an access counts as in the lane
_NAMED = ("user_id", "workflow_id", "id", "position")
_FILTER, _COMMAND = "filter", "command"


class Recording:
    """Records the accesses of one service's methods; see the module."""

    def __init__(
        self, lane: Lane[Access, Access], origins: Origins, rules: Mapping[str, Rule]
    ) -> None:
        """`lane` is that of accesses; `rules` are by the methods' short names."""
        self._lane = lane
        self._origins = origins
        self._rules = rules

    def covers(self, method: str) -> bool:
        """Whether calls of a method are recorded."""
        return self._rules[method].recorded

    def access(
        self, method: str, message: Message, owner: str, reply: "Answering"
    ) -> Access | None:
        """What is to be recorded of a call; None if nothing is, as of one's own history.

        `owner` is the user whom the message names, as the row of the method reads it.
        """
        subject = subject_of(message)
        if not self.covers(method) or is_own(reply.caller, owner or subject.user_id):
            return None
        reply.origin = self._origins.of(reply.metadata, reply.caller, method, owner)
        caller = reply.caller
        return Access(caller.actor, caller.name, method, subject, reply.origin.request_id)

    def first(
        self,
        method: str,
        message: Message,
        owner: str,
        reply: "Answering",
        go_on: Callable[[], None],
    ) -> None:
        """Calls `go_on` as soon as what is to be recorded of a call is recorded, on any thread.

        If it cannot be recorded, the reply is refused. Raises what `go_on` raises if that is called
        at once; later, the reply is refused with it.
        """
        access = self.access(method, message, owner, reply)
        if access is None:
            go_on()
            return

        def recorded(outcome: Access | Exception) -> None:
            if isinstance(outcome, Exception):
                reply.refuse(outcome)
                return
            try:
                go_on()
            except Exception as error:  # noqa: BLE001 - it is the outcome of this call
                reply.refuse(error)

        self.submit(access, reply.share, reply.deadline, recorded)

    def submit(
        self,
        access: Access,
        share: str,
        deadline: float | None,
        recorded: Callable[[Access | Exception], None],
    ) -> Ticket[Access, Access]:
        """Records an access, then calls `recorded`, on any thread; see Lane.submit."""
        return self._lane.submit(access, share, _SIZE, deadline, recorded)


def at_once(_: str, __: Message, ___: str, ____: Answering, go_on: Callable[[], None]) -> None:
    """Records nothing; see Recording.first."""
    go_on()


def subject_of(message: Message) -> Subject:
    """Whose history a request reads: what its fields name, or those of its filter or command."""
    described = message.DESCRIPTOR
    if _COMMAND in described.oneofs_by_name:
        named = message.WhichOneof(_COMMAND)
        return subject_of(getattr(message, named)) if named else Subject()
    if _FILTER in described.fields_by_name:
        return subject_of(getattr(message, _FILTER))
    named = {name: getattr(message, name) for name in _NAMED if name in described.fields_by_name}
    return Subject(
        named.get("user_id", ""),
        named.get("workflow_id") or named.get("id", ""),
        named.get("position", 0),
    )
