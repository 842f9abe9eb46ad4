"""WatchEvents: from its request to a watch, and from what the watch holds to its responses."""

from workflows import history_pb2 as pb

from application.history.entries import Entry
from application.watches import WatchRequest, WatchStopped
from infrastructure.rpc.history import render
from infrastructure.rpc.history.filters import Complaints, watched
from infrastructure.rpc.method import Surroundings
from infrastructure.rpc.stream import StreamReply
from infrastructure.watching.hub import Hub
from infrastructure.watching.watch import Watch


def asked(request: pb.WatchEventsRequest, _: Surroundings) -> WatchRequest:
    """A watch. Raises InvalidFields, which names every bad field."""
    complaints = Complaints()
    wanted = watched(request.filter, complaints)
    return WatchRequest.checked(wanted, request.after, request.cursor, complaints.found)


def shown(entry: Entry, checkpoint_size: int) -> bytes:
    """An event as part of a response: encoded once for all watches that show it."""
    return pb.WatchEventsResponse(events=[render.event(entry, checkpoint_size)]).SerializeToString()


class WatchSource:
    """Begins watches, each at the pace of its client. See Source."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def __call__(self, request: WatchRequest, reply: StreamReply) -> None:
        """See Source. Raises TooManyWatches."""

        def take() -> bytes | None:
            parcel = watch.take()
            if parcel is None:
                return None
            rest = pb.WatchEventsResponse(
                cursor=self._hub.cursor(watch, parcel.position),
                place=pb.Place(position=parcel.position, feed=str(watch.feed)),
            )
            # Messages one after the other are one message, by the rules of protobuf.
            return parcel.event + rest.SerializeToString()

        def stop() -> None:
            watch.refuse(lambda after: WatchStopped(self._hub.cursor(watch, after)))
            self._hub.leave(watch)

        watch = Watch(request.filter, lambda: reply.offer(take), reply.refuse)
        reply.when_cancelled(lambda: self._hub.leave(watch))
        reply.when_stopped(stop)
        self._hub.join(watch, request, reply.share)
