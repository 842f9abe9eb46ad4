"""The interface between a wire and its users: calls, streams, and the methods that answer them.

A wire carries bytes between clients and methods. It has two implementations, called bodies:
`direct` (grpcio's core, fast) and `handled` (the public `grpc.Server`, slower). Nothing outside
this package knows which of them runs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import grpc

Metadata = Sequence[tuple[str, str | bytes]]
"""Keys and values as they travel beside a message; values of keys that end in -bin are bytes."""

NAMES = ("peer_uri", "peer_dns")
"""The properties of a connection, as gRPC names them, that hold a client's names: of its
certificate's subject alternative names, and never of its common name, which authorities neglect."""


class Call(Protocol):
    """One call, until it is answered. Answering is safe from any thread, and happens once."""

    @property
    def metadata(self) -> Metadata:
        """What the client sent beside its message."""
        ...

    @property
    def deadline(self) -> float:
        """When the client stops waiting, by the monotonic clock; far ahead if it gave none."""
        ...

    @property
    def peer(self) -> str:
        """The client's address as gRPC writes it, such as ipv4:127.0.0.1:50500."""
        ...

    @property
    def identities(self) -> Sequence[str]:
        """The names in the client's verified certificate (SAN: URI, DNS); empty without one."""
        ...

    def answer(self, message: bytes, trailing: Metadata = ()) -> None:
        """Ends the call with a message."""
        ...

    def refuse(self, code: grpc.StatusCode, text: str, trailing: Metadata = ()) -> None:
        """Ends the call with a status other than OK."""
        ...

    def when_cancelled(self, leave: Callable[[], object]) -> None:
        """Registers what happens if the client cancels, or its deadline passes, before the answer.

        Must be called before the method returns. `leave` runs at once if the call is cancelled
        already.
        """
        ...


class Stream(Protocol):
    """One call whose messages go one by one, in both directions.

    It lives until the client ends it, unless `complete` or `refuse` does.
    """

    @property
    def metadata(self) -> Metadata:
        """What the client sent beside its message."""
        ...

    @property
    def deadline(self) -> float:
        """When the client stops waiting. See Call."""
        ...

    @property
    def peer(self) -> str:
        """The client's address. See Call."""
        ...

    @property
    def identities(self) -> Sequence[str]:
        """The names in the client's verified certificate. See Call."""
        ...

    def offer(self, take: Callable[[], bytes | None]) -> None:
        """Calls `take` for a message when the one before was sent; None means nothing to send.

        Never blocks, and is safe from any thread. A later offer replaces one that was not taken
        yet: a stream has one slot, however slowly its client reads. `take` must be quick.
        """
        ...

    def complete(self, trailing: Metadata = ()) -> None:
        """Ends the stream with OK once the message that was taken last was sent.

        What is offered and not taken yet is never sent.
        """
        ...

    def refuse(self, code: grpc.StatusCode, text: str, trailing: Metadata = ()) -> None:
        """Ends the stream with a status other than OK, as `complete` does."""
        ...

    def when_cancelled(self, leave: Callable[[], object]) -> None:
        """Registers what happens if the stream ends in another way than these. See Call."""
        ...


Method = Callable[[bytes, Call], None]
"""Takes a request's bytes and its call, which it ends once, now or later, from any thread."""

StreamMethod = Callable[[bytes, Stream], bool]
"""Takes one message of a stream; returns whether the stream is to be read further.

It is read further after the offered message was sent. If it is to be read further and the client
sends nothing for some seconds, the stream is ended. Otherwise it lives until its client ends it.
"""


class NotServed(Exception):
    """Why the wire itself ends a call: its code, and a reason for machines beside the sentence."""

    code: grpc.StatusCode
    reason: str
    retry = False
    """Whether the same call may succeed a little later."""


class NoMessage(NotServed):
    """The client ended its side without a whole message, which a unary method needs."""

    code, reason = grpc.StatusCode.UNIMPLEMENTED, "NO_MESSAGE"


class LateMessage(NotServed):
    """The client began a call, and did not send its message in time."""

    code, reason = grpc.StatusCode.DEADLINE_EXCEEDED, "LATE_MESSAGE"


class TooMuchMetadata(NotServed):
    """Keys and values beside the message are larger than the limit."""

    code, reason = grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MUCH_METADATA"


class TooManyCalls(NotServed):
    """More calls are under way than the process may hold."""

    code, reason, retry = grpc.StatusCode.UNAVAILABLE, "TOO_MANY_CALLS", True


class UnreadAnswers(NotServed):
    """The client makes further calls, but does not read the answers that were sent."""

    code, reason, retry = grpc.StatusCode.RESOURCE_EXHAUSTED, "UNREAD_ANSWERS", True


class MethodBroke(NotServed):
    """The method raised instead of answering."""

    code, reason = grpc.StatusCode.INTERNAL, "INTERNAL"


Refusing = Callable[[Call | Stream, NotServed, str], None]
"""Ends a call of a method, by its full name, for a reason of the wire's own.

In the service's form of a refusal.
"""


def refuse_plainly(call: Call | Stream, reason: NotServed, _: str = "") -> None:
    """Ends a call with the code and the sentence alone."""
    call.refuse(reason.code, str(reason))


@dataclass(frozen=True, slots=True)
class Services:
    """What a wire offers, by full names (/package.Service/Method), and how it refuses."""

    methods: Mapping[str, Method]
    streams: Mapping[str, StreamMethod] = field(default_factory=dict)
    refuse: Refusing = refuse_plainly
    urgent: frozenset[str] = frozenset()
    """Methods that are called however many calls are under way; they must answer at once."""

    @property
    def names(self) -> Mapping[object, str]:
        """The full names of methods and streams."""
        served: Mapping[str, object] = {**self.methods, **self.streams}
        return {method: name for name, method in served.items()}

    @property
    def urgent_methods(self) -> frozenset[Method]:
        """The methods themselves."""
        return frozenset(self.methods[name] for name in self.urgent)


class Wire(Protocol):
    """A body of the wire. It is opened once after its server started, and closed once."""

    def open(self) -> None:
        """Takes calls from now on."""
        ...

    @property
    def alive(self) -> bool:
        """Whether the threads that take calls do their work; True before `open`."""
        ...

    def close(self, within: float) -> bool:
        """Ends the threads after the server stopped; False if they do not end in time (seconds).

        No call may be answered afterwards: gRPC's core would end the process.
        """
        ...
