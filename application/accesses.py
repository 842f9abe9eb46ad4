"""Who reads the history of others: recorded before the answer, or there is no answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from application.access import ANONYMOUS, Caller
from application.ports import AppendRefused, StoreUnavailable


class Subject(NamedTuple):
    """Whose history a request reads: what it names of a user, a workflow or an event.

    A text is empty, and the position 0, if it names none.
    """

    user_id: str = ""
    workflow_id: str = ""
    position: int = 0


class Access(NamedTuple):
    """One read of the history of others, by an actor and a method.

    `caller` is the actor without the id of its token.
    """

    actor: str
    caller: str
    method: str
    subject: Subject
    request_id: str


class AccessNotRecorded(StoreUnavailable):
    """An access cannot be recorded, so the read is refused."""

    def __init__(self, refused: StoreUnavailable) -> None:
        super().__init__(
            "This read of the history of others cannot be recorded, so it is refused",
            reason="ACCESS_NOT_RECORDED",
            retry=refused.retry,
            lasting=refused.lasting,
            why=refused.why,
        )


class AccessLog(Protocol):
    """Where accesses are recorded. For one thread."""

    def record(self, accesses: Sequence[Access]) -> None:
        """Records accesses durably, all or none.

        Raises StoreUnavailable, or AppendRefused if it cannot hold one of them.
        """
        ...


@dataclass(frozen=True, slots=True)
class Recorder:
    """Records the accesses of a batch of callers together: they share one commit."""

    log: AccessLog

    def answer(self, batch: Sequence[Access]) -> Iterator[Access | AccessNotRecorded]:
        """Each access, now recorded, or why it cannot be. Raises AccessNotRecorded for all."""
        try:
            self.log.record(batch)
        except StoreUnavailable as refused:
            raise AccessNotRecorded(refused) from refused
        except AppendRefused:
            for access in batch:  # One of them is at fault: the others must not suffer for it.
                yield self._alone(access)
        else:
            yield from batch

    def _alone(self, access: Access) -> Access | AccessNotRecorded:
        try:
            self.log.record([access])
        except StoreUnavailable as refused:
            return AccessNotRecorded(refused)
        except AppendRefused as refused:
            return AccessNotRecorded(StoreUnavailable(retry=False, why=str(refused)))
        return access


def is_own(caller: Caller, owner: str) -> bool:
    """Whether a caller reads the own history, as its credential proves.

    `owner` is the user whom the request names, empty if it names none. Nothing proves who an
    anonymous caller is, so its reads are recorded whomever they name.
    """
    return caller is not ANONYMOUS and owner == caller.subject
