"""Rows of a large database, in the binary form that COPY reads.

Each workflow has one event, in the stored form that the service writes; all is made of positions.
"""

from datetime import UTC, datetime, timedelta
from hashlib import md5, sha256
from struct import Struct
from uuid import UUID

from application.ports import NewEvent, Origin
from domain.events import Created
from infrastructure.eventstore import stored_form
from infrastructure.readmodel.rows import ROW_SHAPE
from tests.benchmarks import bodies

BIG_USER = "user-0"
"""The owner of the first workflows; a load is given their count."""

USERS = 10_000  # users that own the other workflows
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)

BEGIN = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""What COPY reads before the first row: its signature, no flags, no extension."""

END = b"\xff\xff"
"""What COPY reads after the last row."""

COPY_EVENTS = """
    COPY workflow_events (
        originator_id, notification_id, state, salt, content, originator_version, append_id, topic
    ) FROM STDIN (FORMAT binary)
"""
COPY_WORKFLOWS = """
    COPY workflows (
        id, user_id, name, name_folded, position, created_position, digest, shape, payload, kind,
        interval_minutes, max_failures, log_retention, build_status, failures, generation,
        created_at, updated_at, version
    ) FROM STDIN (FORMAT binary)
"""

_FIRST_ID = 1_760_000_000_000  # milliseconds, as in a UUID of version 7
_USER_MARK, _NUMBER_MARK = "@USER@", "@NUMBER@"
_POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

_SHORT, _INTEGER, _BIGINT = Struct(">h"), Struct(">i"), Struct(">q")


def creation(number: object, user_id: str) -> NewEvent:
    """What the service would record at a position."""
    fact = Created(
        user_id=user_id,
        name=f"Report {number}",
        payload=bodies.PAYLOAD,
        kind="http",
        interval=60,
        max_failures=bodies.MAX_FAILURES,
        log_retention=False,
        build_status="pending",
        at=MOMENT,
    )
    return NewEvent(fact, Origin("anonymous", f"request-{number}"), "")


def salt_of(number: int) -> bytes:
    """The salt of the event at a position: as long and as random as the service's own."""
    return sha256(b"%d" % number).digest()


def owner(number: int, big: int) -> str:
    """The owner of a workflow: those up to `big` belong to BIG_USER."""
    return BIG_USER if number <= big else f"user-{1 + number % USERS}"


def block(positions: range, big: int) -> tuple[bytes, bytes]:
    """The rows of some positions, as COPY_EVENTS and COPY_WORKFLOWS read them."""
    pairs = [_pair(number, owner(number, big).encode()) for number in positions]
    events, workflows = zip(*pairs, strict=True)
    return b"".join(events), b"".join(workflows)


def _pair(number: int, user: bytes) -> tuple[bytes, bytes]:
    """An event and its workflow."""
    digits, position = b"%d" % number, _field(_BIGINT.pack(number))
    salt, content = salt_of(number), _CONTENT % {b"user": user, b"number": digits}
    state = stored_form.state_of(content, salt, b"", stored_form.moment_of(MOMENT))
    tail = md5(digits, usedforsecurity=False).hexdigest()[:15]
    one = bytes.fromhex(f"{_FIRST_ID + number:012x}7{number % 4096:03x}8{tail}")
    stored = (_field(state), _field(salt), _field(content))
    event = (_EVENT, one, position, *stored, _EVERY_EVENT)
    workflow = (
        *(_WORKFLOW, one, _field(user), _field(b"Report " + digits), _field(b"report " + digits)),
        *(position, position, _field(stored_form.digest(state)), _EVERY_WORKFLOW),
    )
    return b"".join(event), b"".join(workflow)


def _field(value: bytes) -> bytes:
    """A column."""
    return _INTEGER.pack(len(value)) + value


def _content() -> bytes:
    """The content of a creation, in which user and position are filled in later."""
    content = stored_form.content_of(creation(_NUMBER_MARK, _USER_MARK))
    content = content.replace(b"%", b"%%").replace(_USER_MARK.encode(), b"%(user)b")
    return content.replace(_NUMBER_MARK.encode(), b"%(number)b")


def _fields(*values: bytes) -> bytes:
    return b"".join(map(_field, values))


_CONTENT = _content()
_TIME = _BIGINT.pack((MOMENT - _POSTGRES_EPOCH) // timedelta(microseconds=1))
_ONE = _BIGINT.pack(1)

# How a row begins: the number of its columns, and the length of the UUID in the first one.
_EVENT = _SHORT.pack(8) + _INTEGER.pack(16)
_WORKFLOW = _SHORT.pack(19) + _INTEGER.pack(16)

# Columns that are the same in every row.
_EVERY_EVENT = _fields(
    _ONE, UUID("00000000-0000-7000-8000-000000000000").bytes, Created.stored_name.encode()
)
_EVERY_WORKFLOW = _fields(
    _INTEGER.pack(ROW_SHAPE),
    bodies.PAYLOAD.encode(),
    b"http",
    _INTEGER.pack(60),
    _INTEGER.pack(bodies.MAX_FAILURES),
    b"\0",
    b"pending",
    _INTEGER.pack(0),
    _ONE,
    _TIME,
    _TIME,
    _ONE,
)
