"""The stored form of an event: its name, and the exact bytes that are hashed, kept and read back.

The bytes are one JSON object: `previous`, the SHA-256 of the stored bytes of the event before it
in its workflow (empty for the first); `metadata`, who caused it and when it was recorded; `event`,
the fact. Each event so vouches for all that went before it.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from application.ports import NewEvent, Origin, StoredDataDamaged
from domain.events import WorkflowEvent
from infrastructure.eventstore.shapes import SHAPES, Shape


class EventMetadata(BaseModel):
    """Who caused an event, how to find the call again, and when it was recorded."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    recorded_at: AwareDatetime
    actor: str
    request_id: str
    trace_id: str
    idempotency_key: str

    @property
    def origin(self) -> Origin:
        """Who caused the event."""
        return Origin(self.actor, self.request_id, self.trace_id)


@dataclass(frozen=True, slots=True)
class Stored:
    """An event read back: the fact, its metadata, its predecessor's digest and its own."""

    event: WorkflowEvent
    metadata: EventMetadata
    previous: bytes
    digest: bytes


def write(recorded: NewEvent, previous: bytes, recorded_at: datetime) -> bytes:
    """The bytes of an event that follows the one with the digest `previous`."""
    origin = recorded.origin
    return orjson.dumps(
        {
            "previous": previous.hex(),
            "metadata": {
                "recorded_at": recorded_at,
                "actor": origin.actor,
                "request_id": origin.request_id,
                "trace_id": origin.trace_id,
                "idempotency_key": recorded.idempotency_key,
            },
            "event": recorded.event,
        },
        option=orjson.OPT_UTC_Z,
    )


def digest(state: bytes) -> bytes:
    """SHA-256 of stored bytes."""
    return sha256(state).digest()


def read(name: str, state: bytes) -> Stored:
    """The event in stored bytes; its name must be one that we wrote.

    Raises StoredDataDamaged where name or bytes are not what this service ever stored.
    """
    shape = SHAPES.get(name)
    if shape is None:
        raise StoredDataDamaged(f"an event has the unknown stored name {name!r}")
    try:
        envelope = orjson.loads(state)
        fact: Shape = shape.model_validate_json(orjson.dumps(envelope.pop("event")))
        metadata = EventMetadata.model_validate_json(orjson.dumps(envelope.pop("metadata")))
        previous = bytes.fromhex(envelope.pop("previous"))
    except (ValidationError, ValueError, KeyError, AttributeError, TypeError) as damage:
        raise StoredDataDamaged(f"a stored event named {name} cannot be read") from damage
    if envelope:
        raise StoredDataDamaged(f"a stored event named {name} has unknown parts")
    return Stored(fact.lift(), metadata, previous, digest(state))
