"""The stored form of an event: a chained part that stays, and a part that can be erased.

`state` is the JSON that digests run over: `previous`, the SHA-256 of the state of the event before
it in its workflow (empty for the first); `recorded_at`; and `content`, SHA-256(salt + content).
`salt`, 32 random bytes, and `content`, the JSON of the fact and of who caused it, stand beside it.
To erase the content of an event, set both to NULL. No digest changes then, and without the salt
nobody can test a guess at the content against the digest that remains.
"""

from datetime import datetime
from hashlib import sha256
from typing import Annotated

from msgspec import DecodeError, Meta, Struct
from msgspec.json import Decoder, Encoder

from application.ports import (
    FORGOTTEN,
    ContentAltered,
    EventMetadata,
    Forgotten,
    NewEvent,
    Origin,
    RecordedEvent,
    StoredDataDamaged,
)
from domain.events import WorkflowEvent
from infrastructure.eventstore.shapes import CONTENTS, Content, Moment, Shape

SALT_BYTES = 32


class _State(Struct, forbid_unknown_fields=True):
    """The fields of `state`; bytes are in lower-case hexadecimal digits."""

    previous: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?\Z")]
    recorded_at: Moment
    content: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


_states = Decoder(_State)
_json = Encoder()


def content_of(new: NewEvent) -> bytes:
    """The content of an event. Empty fields are left out."""
    origin = new.origin
    content: dict[str, object] = {"actor": origin.actor, "request_id": origin.request_id}
    if origin.acted_for:
        content["acted_for"] = origin.acted_for
    if origin.method:
        content["method"] = origin.method
    if origin.trace_id:
        content["trace_id"] = origin.trace_id
    if new.idempotency_key:
        content["idempotency_key"] = new.idempotency_key
    content["event"] = new.event
    if new.policy:
        content["policy"] = new.policy
        content["preceding_version"] = new.preceding_version
    return _json.encode(content)


def moment_of(recorded_at: datetime) -> str:
    """A moment as `state` holds it, with its quotes: made once for all events of an append."""
    return _json.encode(recorded_at).decode()


def state_of(content: bytes, salt: bytes, previous: bytes, moment: str) -> bytes:
    """The chained bytes of an event that follows the one with the digest `previous`.

    `moment` is what `moment_of` returns for the time of recording.
    """
    committed = sha256(salt + content).hexdigest()
    # Digits and a moment need no escapes, so this is JSON, in half the time of an encoder.
    return (
        f'{{"previous":"{previous.hex()}","recorded_at":{moment},"content":"{committed}"}}'.encode()
    )


def digest(state: bytes) -> bytes:
    """SHA-256 of an event's state: what the next event of its workflow calls `previous`."""
    return sha256(state).digest()


def read(
    workflow_id: str,
    version: int,
    position: int,
    name: str,
    state: bytes,
    salted: tuple[bytes, bytes] | None,
) -> RecordedEvent:
    """The event in stored bytes; `salted` is its salt and content, None if they were erased.

    Raises StoredDataDamaged if this service cannot have stored these bytes together.
    """
    contents = CONTENTS.get(name)
    if contents is None:
        raise StoredDataDamaged(f"an event has the unknown stored name {name!r}")
    event: WorkflowEvent | Forgotten = FORGOTTEN
    metadata: EventMetadata | Forgotten = FORGOTTEN
    try:
        chained = _states.decode(state)
        if salted is not None:
            salt, content = salted
            if sha256(salt + content).hexdigest() != chained.content:
                raise ContentAltered(f"the content of a stored event named {name} was altered")
            read_content = contents.decode(content)
            event, metadata = read_content.event.lift(), _metadata(read_content)
    except (DecodeError, UnicodeDecodeError, RecursionError) as damage:
        raise StoredDataDamaged(f"a stored event named {name} cannot be read") from damage
    return RecordedEvent(
        workflow_id,
        version,
        position,
        name,
        event,
        metadata,
        chained.recorded_at,
        bytes.fromhex(chained.previous),
        digest(state),
    )


def _metadata(content: Content[Shape]) -> EventMetadata:
    origin = Origin(
        content.actor, content.request_id, content.trace_id, content.acted_for, content.method
    )
    return EventMetadata(origin, content.idempotency_key, content.policy, content.preceding_version)
