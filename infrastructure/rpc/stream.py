"""The answer of a stream: messages one by one at the client's pace, then an end."""

from collections.abc import Callable
from threading import Condition
from time import perf_counter
from typing import Any

import grpc
from google.protobuf.message import Message

from application.access import ANONYMOUS, Caller, Rule
from infrastructure.identity.cause import Cause
from infrastructure.lanes.refusals import CallerLeft, Draining
from infrastructure.rpc.allowance import Place
from infrastructure.rpc.guard import Guard, refuse, share_of
from infrastructure.rpc.load import STREAM
from infrastructure.wire.calls import Metadata, Stream

Source = Callable[[Any, "StreamReply"], None]
"""Begins to answer what a row's `convert` returned; may raise.

It runs on the thread that takes calls or on that of a lane, so it must return at once, and go on
from other threads. `Pumps` makes one of a function that blocks.
"""

Take = Callable[[], Message | bytes | None]
"""Returns the next message, or its bytes, None if there is none now. Must be quick; may raise."""


class StreamReply(Cause):
    """The answer to one call, message by message. Safe on any thread.

    A source either calls `send` for each message, from a thread that may wait, or `offer`, and is
    then asked for a message each time that the one before was sent. Either ends with `complete` or
    `refuse`; what comes after the end is ignored.
    """

    def __init__(self, method: str, stream: Stream, rule: Rule, guard: Guard) -> None:
        """`method` is a full name, `rule` that of the method."""
        super().__init__(stream.metadata)
        self._method = method
        self._stream = stream
        self._rule = rule
        self._guard = guard
        self._started = perf_counter()
        self._changing = Condition()
        self._slot: Message | None = None
        self._completion: Metadata | None = None
        self._leave: Callable[[], object] = _nothing
        self._stop: Callable[[], object] = _nothing
        self._place: Place | None = None
        self._ended = False

    @property
    def deadline(self) -> float:
        """When the client stops waiting, by the monotonic clock."""
        return self._stream.deadline

    @property
    def share(self) -> str:
        """To whom the shares of what is bounded belong."""
        return share_of(self.caller, self._stream)

    @property
    def ended(self) -> bool:
        """Whether the stream was completed, refused or cancelled."""
        return self._ended

    def enter(self) -> None:
        """Goes through the gate; called once. Raises Draining or Overloaded."""
        self._guard.gate.enter_stream(self._drain)
        self._stream.when_cancelled(self._cancelled)

    def admit(self, caller: Caller) -> None:
        """Notes who calls. Raises NotPermitted if the method is not for that caller."""
        if caller is not ANONYMOUS:
            self._rule.admit(caller)
            self.caller = caller

    def take_part(self) -> None:
        """Takes part of what the caller may take. Raises ShareExceeded or RateExceeded."""
        if self._guard.of_streams is None:
            return
        place = self._guard.of_streams.enter(self.share, STREAM.cost)
        with self._changing:
            if not self._ended:
                self._place = place
                return
        place.leave()

    def admit_for(self, owner: str) -> None:
        """Raises NotPermitted if the caller may not act for the owner whom the request names."""
        self._rule.admit_for(self.caller, owner)

    def when_cancelled(self, leave: Callable[[], object]) -> None:
        """Registers what happens once if the stream is cancelled, or ended because all stops.

        `leave` runs at once if the stream has ended.
        """
        with self._changing:
            self._leave = leave
            if not self._ended:
                return
        leave()

    def when_stopped(self, stop: Callable[[], object]) -> None:
        """Registers what happens before the stream is ended because the service stops.

        `stop` may end the stream itself, and say how to go on elsewhere.
        """
        self._stop = stop

    def offer(self, take: Take) -> None:
        """Calls `take` for a message when the one before was sent; replaces what was offered."""
        self._stream.offer(lambda: self._taken(take))

    def send(self, message: Message) -> None:
        """Sends a message; waits until the one before it is on its way. Raises CallerLeft."""
        with self._changing:
            self._changing.wait_for(lambda: self._slot is None or self._ended)
            if self._ended:
                raise CallerLeft
            self._slot = message
        self.offer(self._next)

    def complete(self, trailing: Metadata = ()) -> None:
        """Ends the stream with OK after all that was sent."""
        with self._changing:
            if self._slot is not None:
                self._completion = trailing
                return
        if self._end(grpc.StatusCode.OK.name):
            self._stream.complete(trailing)

    def refuse(self, error: Exception) -> None:
        """Ends the stream with the status of a refusal or a fault."""
        with self._changing:
            if self._ended:
                return
            self._ended = True
            self._changing.notify_all()
        self._report(refuse(self._method, self._stream, error))

    def _next(self) -> Message | None:
        """What was sent last; ends the stream if nothing follows."""
        with self._changing:
            message, self._slot = self._slot, None
            trailing = self._completion
            self._changing.notify_all()
        if message is None and trailing is not None:
            self.complete(trailing)
        return message

    def _taken(self, take: Take) -> bytes | None:
        if self._ended:
            return None
        try:
            message = take()
            return message.SerializeToString() if isinstance(message, Message) else message
        except Exception as error:  # noqa: BLE001 - nothing unmapped may leave, whatever it is
            self.refuse(error)
            return None

    def _drain(self) -> None:
        self._stop()
        self.refuse(Draining())
        self._leave()

    def _cancelled(self) -> None:
        if self._end(grpc.StatusCode.CANCELLED.name):
            self._leave()

    def _end(self, code: str) -> bool:
        """Whether the stream had not ended before."""
        with self._changing:
            if self._ended:
                return False
            self._ended = True
            self._changing.notify_all()
        self._report(code)
        return True

    def _report(self, code: str) -> None:
        self._guard.gate.leave_stream(self._drain)
        if self._place is not None:
            self._place.leave()
        seconds = perf_counter() - self._started
        self._guard.observer.call_ended(self._method, code, seconds, self)


def _nothing() -> None:
    """What happens on a cancellation if nothing was registered."""
