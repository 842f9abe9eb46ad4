"""SearchEvents: from its request to a search, and from what was found to its reply."""

from workflows import history_pb2 as pb

from application.searches import SearchPage, SearchRequest
from infrastructure.rpc.history import convert, render
from infrastructure.rpc.history.filters import Complaints, criteria
from infrastructure.rpc.method import Rendered, Surroundings


def asked(request: pb.SearchEventsRequest, _: Surroundings) -> SearchRequest:
    """A search. Raises InvalidFields, which names every bad field."""
    complaints = Complaints()
    wanted = criteria(request.filter, complaints)
    return SearchRequest.checked(
        wanted,
        complaints.found,
        newest_first=complaints.gather(lambda: convert.newest_first(request.order), True),
        size=request.page_size,
        cursor=request.cursor,
    )


def found(page: SearchPage) -> Rendered:
    """The events of a page."""
    return pb.SearchEventsResponse(
        events=[render.event(entry, page.checkpoint_size) for entry in page.entries],
        cursor=page.cursor,
        place=render.place(page.place),
        emptied_by=page.emptied_by,
    ), ()
