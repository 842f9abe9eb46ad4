"""What is known of a call beside its message: who called, its ids. What logs and traces show."""

from application.access import ANONYMOUS, Caller
from application.ports import Origin
from infrastructure.identity.origin import request_id_of, traceparent_of
from infrastructure.wire.calls import Metadata


class Cause:
    """The part of a call that its observers see; see EndedCall."""

    __slots__ = ("caller", "metadata", "origin")

    def __init__(self, metadata: Metadata) -> None:
        self.metadata = metadata
        """What the client sent beside its message."""
        self.caller: Caller = ANONYMOUS
        """Who calls, as the credential proves it."""
        self.origin: Origin | None = None
        """What is kept with the events of the call; None if it can cause none."""

    @property
    def actor(self) -> str:
        """See EndedCall."""
        return self.caller.actor

    @property
    def request_id(self) -> str:
        """See EndedCall."""
        return request_id_of(self.metadata) if self.origin is None else self.origin.request_id

    @property
    def traceparent(self) -> str:
        """See EndedCall."""
        return traceparent_of(self.metadata)
