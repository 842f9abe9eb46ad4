"""What a client receives instead of an answer: a gRPC status with google.rpc details."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details
from google.rpc.status_pb2 import Status

from infrastructure.contract import DETAILS_KEY, SERVICE
from infrastructure.wire.calls import Metadata

MAX_MESSAGE = 1024  # bytes: larger statuses lose their code on the way

Code = grpc.StatusCode


@dataclass(frozen=True, slots=True)
class Refusal:
    """A code, a sentence for people, a reason for machines, and details."""

    code: Code
    message: str
    reason: str
    details: Sequence[Message] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    beside: Metadata = ()
    """Further trailing metadata, for clients that read no details."""

    def trailing(self) -> Metadata:
        """The trailing metadata that carries the details."""
        info = details.ErrorInfo(
            reason=self.reason, domain=SERVICE.full_name, metadata=self.metadata
        )
        status = Status(code=self.code.value[0], message=self.text())
        status.details.extend(_packed(detail) for detail in (info, *self.details))
        return (*self.beside, (DETAILS_KEY, status.SerializeToString()))

    def text(self) -> str:
        """The sentence, within what a status can carry."""
        return self.message.encode()[:MAX_MESSAGE].decode(errors="ignore")


def _packed(detail: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(detail)
    return packed
