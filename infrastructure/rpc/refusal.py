"""What a client receives instead of an answer: a gRPC status with google.rpc details."""

from collections.abc import Sequence
from dataclasses import field
from random import uniform

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details
from google.rpc.status_pb2 import Status

from domain.values import value
from infrastructure.contract import DETAILS_KEY, SERVICE
from infrastructure.wire.calls import Metadata

MAX_MESSAGE = 1024  # bytes: larger statuses lose their code on the way
PUSHBACK = "grpc-retry-pushback-ms"
"""The key by which a server tells gRPC's own retries how long to wait."""

Code = grpc.StatusCode


@value()
class Refusal:
    """A code, a sentence for people, a reason for machines, and details."""

    code: Code
    message: str
    reason: str
    details: Sequence[Message] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    beside: Metadata = ()
    """Further trailing metadata, for clients that read no details."""
    again_in: float = 0.0
    """Seconds that a retry must wait, because the call met a bound; 0 if it did not."""

    def trailing(self) -> Metadata:
        """The trailing metadata that carries the details, and how long gRPC's retries wait."""
        info = details.ErrorInfo(
            reason=self.reason, domain=SERVICE.full_name, metadata=self.metadata
        )
        status = Status(code=self.code.value[0], message=self.text())
        status.details.extend(_packed(detail) for detail in (info, *self.details))
        if not self.again_in:
            return (
                *self.beside,
                (DETAILS_KEY, status.SerializeToString()),
            )
        # Each a little later than it must be: clients that were refused together come apart.
        wait = round(1000 * self.again_in * uniform(1, 2))  # noqa: S311 - no secret
        delay = Duration()
        delay.FromMilliseconds(wait)
        status.details.append(_packed(details.RetryInfo(retry_delay=delay)))
        return (*self.beside, (PUSHBACK, str(wait)), (DETAILS_KEY, status.SerializeToString()))

    def text(self) -> str:
        """The sentence, within what a status can carry."""
        return self.message.encode()[:MAX_MESSAGE].decode(errors="ignore")


def _packed(detail: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(detail)
    return packed
