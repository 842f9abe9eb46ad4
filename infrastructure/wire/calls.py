"""What a wire and its users agree on: one call, and the methods that answer calls.

A wire carries the bytes of unary calls between clients and methods. It has two bodies: `direct`
(grpcio's core, fast) and `handled` (the public `grpc.Server`, slower). Nothing outside this
package knows which of them runs.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import grpc

Metadata = Sequence[tuple[str, str | bytes]]
"""Keys and values as they travel beside a message; values of keys that end in -bin are bytes."""


class Call(Protocol):
    """One call, until it is answered. Answering is safe from any thread, and happens once."""

    @property
    def metadata(self) -> Metadata:
        """What the client sent beside its message."""
        ...

    @property
    def deadline(self) -> float:
        """When the client stops waiting, by the monotonic clock; far off if it gave no deadline."""
        ...

    @property
    def peer(self) -> str:
        """The client's address as gRPC writes it, such as ipv4:127.0.0.1:50500."""
        ...

    @property
    def identities(self) -> Sequence[str]:
        """The names in the client's verified certificate; empty without one."""
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


Method = Callable[[bytes, Call], None]
"""Takes a request's bytes and its call, which it ends once, now or later, from any thread."""
