"""A large record with streams, rows and ledger, loaded without the service.

Each workflow has four events: a creation, two failures and a build status. Those of a thousand
workflows come in turns, as they would from a busy service.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import psycopg

from application.ports import NewEvent, Origin
from domain.events import BuildStatusChanged, Created, FailureIncremented, WorkflowEvent
from infrastructure.eventstore import stored_form
from infrastructure.readmodel.rows import ROW_SHAPE
from tests.benchmarks import bodies

TURNS = 1000  # workflows whose events come in turns
_FIRST_ID = 1_760_000_000_000  # milliseconds, as in a UUID of version 7
_AT = datetime(2026, 1, 1, tzinfo=UTC)
_NUMBER = "@NUMBER@"
_NOBODY = UUID(int=0)

_EVENTS = """
    COPY workflow_events (
        originator_id, originator_version, notification_id, append_id, topic, state, salt, content
    ) FROM STDIN (FORMAT binary)
"""
_ROWS = """
    COPY workflows (
        id, user_id, name, name_folded, payload, kind, interval_minutes, max_failures,
        log_retention, build_status, failures, generation, created_at, updated_at, version,
        position, created_position, digest, shape
    ) FROM STDIN (FORMAT binary)
"""
_LEDGER = """
    COPY command_ledger (
        key, workflow_id, request_digest, version, position, threshold_reached, append_id
    ) FROM STDIN (FORMAT binary)
"""
_FACTS: Sequence[WorkflowEvent] = (
    Created(
        user_id="user",
        name="Report",
        payload=bodies.PAYLOAD,
        kind="http",
        interval=60,
        max_failures=9,
        log_retention=False,
        build_status="pending",
        at=_AT,
    ),
    FailureIncremented(failures=1, job_id=f"job-1-{_NUMBER}", at=_AT + timedelta(seconds=1)),
    FailureIncremented(failures=2, job_id=f"job-2-{_NUMBER}", at=_AT + timedelta(seconds=2)),
    BuildStatusChanged(build_status="success", generation=1, at=_AT + timedelta(seconds=3)),
)
EVENTS_A_WORKFLOW = len(_FACTS)


def load(dsn: str, begin: int, end: int) -> None:
    """Loads the events after the position `begin` up to `end`, multiples of 4 * TURNS."""
    with psycopg.connect(dsn) as events, psycopg.connect(dsn) as others:
        streams: list[list[bytes]] = []
        with events.cursor().copy(_EVENTS) as copy:
            copy.set_types(["uuid", "int8", "int8", "uuid", "text", "bytea", "bytea", "bytea"])
            for row in _events(begin, end, streams):
                copy.write_row(row)
        with others.cursor().copy(_LEDGER) as copy:
            copy.set_types(["bytea", "uuid", "bytea", "int8", "int8", "bool", "uuid"])
            for row in _entries(begin, end):
                copy.write_row(row)
        with others.cursor().copy(_ROWS) as copy:
            copy.set_types(
                [
                    "uuid",
                    *["text"] * 5,
                    "int4",
                    "int4",
                    "bool",
                    "text",
                    "int4",
                    "int8",
                    "timestamptz",
                    "timestamptz",
                    "int8",
                    "int8",
                    "int8",
                    "bytea",
                    "int4",
                ]
            )
            for row in _rows(begin, end, streams):
                copy.write_row(row)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE workflow_events, workflows, command_ledger")


def _places(begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The number of the workflow, the version and the position of each event, in turns."""
    for position in range(begin, end):
        block, place = divmod(position, TURNS * EVENTS_A_WORKFLOW)
        version, number = divmod(place, TURNS)
        yield block * TURNS + number, version + 1, position + 1


def _events(begin: int, end: int, digests: list[list[bytes]]) -> Iterator[tuple[object, ...]]:
    first = begin // EVENTS_A_WORKFLOW
    contents = [
        stored_form.content_of(NewEvent(fact, Origin("anonymous", f"r-{_NUMBER}"), "key"))
        for fact in _FACTS
    ]
    moment = stored_form.moment_of(_AT)
    for number, version, position in _places(begin, end):
        if version == 1:
            digests.append([b""])
        chain = digests[number - first]
        content = contents[version - 1].replace(_NUMBER.encode(), b"%d" % number)
        salt = sha256(b"%d" % position).digest()
        state = stored_form.state_of(content, salt, chain[-1], moment)
        chain[:] = [stored_form.digest(state)]
        name = _FACTS[version - 1].stored_name
        yield _id(number), version, position, _NOBODY, name, state, salt, content


def _entries(begin: int, end: int) -> Iterator[tuple[object, ...]]:
    for number, version, position in _places(begin, end):
        key = sha256(b"key %d" % position).digest()
        yield key, _id(number), key, version, position, False, _NOBODY


def _rows(begin: int, end: int, digests: Sequence[Sequence[bytes]]) -> Iterator[tuple[object, ...]]:
    first = begin // EVENTS_A_WORKFLOW
    for number, version, position in _places(begin, end):
        if version == EVENTS_A_WORKFLOW:
            yield (
                *(_id(number), "user", "Report", "report", bodies.PAYLOAD, "http", 60, 9, False),
                *("success", 2, 1, _AT, _AT + timedelta(seconds=3), version, position),
                position - TURNS * (EVENTS_A_WORKFLOW - 1),
                *(digests[number - first][-1], ROW_SHAPE),
            )


def _id(number: int) -> UUID:
    tail = sha256(b"%d" % number).hexdigest()[:15]
    return UUID(hex=f"{_FIRST_ID + number:012x}7{number % 4096:03x}8{tail}")
