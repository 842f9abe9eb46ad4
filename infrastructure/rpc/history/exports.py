"""ExportPack: from its request to what is asked, and from pieces of a pack to its responses."""

from collections.abc import Iterator
from dataclasses import fields

from google.protobuf.message import Message
from workflows import history_pb2 as pb

from application.exports import ExportRequest, Packs
from domain.errors import InvalidFields
from domain.fields import violations
from infrastructure.rpc.history.filters import Complaints, time
from infrastructure.rpc.history.render import progress_of
from infrastructure.rpc.method import Surroundings
from infrastructure.rpc.pumps import Messages
from infrastructure.rpc.stream import StreamReply
from infrastructure.rpc.workflows.convert import workflow_id

_FIELDS = frozenset(field.name for field in fields(ExportRequest))
_NOT_EXPORTED = f"cannot choose what is exported; {', '.join(sorted(_FIELDS))} are accepted"


def asked(request: pb.ExportPackRequest, _: Surroundings) -> ExportRequest:
    """An export. Raises InvalidFields, which names every bad field."""
    given, complaints = request.filter, Complaints()
    others = [field.name for field, _ in given.ListFields() if field.name not in _FIELDS]
    complaints.found += [(f"filter.{name}", _NOT_EXPORTED) for name in others]
    since, until = (time(given, name, complaints) for name in ("since", "until"))
    wanted = complaints.gather(
        lambda: ExportRequest(workflow_id(given.workflow_id), given.user_id, since, until), None
    )
    if wanted is None or complaints.found:
        raise InvalidFields(violations(complaints.found))
    return wanted


def messages(packs: Packs) -> Messages:
    """The responses to exports, made of the pieces of packs."""

    def responses(wanted: ExportRequest, reply: StreamReply) -> Iterator[Message]:
        for piece in packs.pieces(wanted, lambda: not reply.ended):
            yield pb.ExportPackResponse(data=piece.data, progress=progress_of(piece.progress))

    return responses
