"""Imports an evidence pack into an empty database: the same events, and the rows that they fold to.

Digests are those of the pack: they run over bytes that do not change. Positions are counted anew
if the pack does not hold the whole feed. The ledger is not in a pack: a key that was used there
may be used again here. Nor is the log of receipts: a receipt that is imported says what was erased
and when, and has no number here.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4
from zipfile import ZipFile

import orjson
from psycopg import Connection

from application.folds import Folded, fold
from application.ports import Forgotten, StoredDataDamaged, StoredEvent
from application.receipts import ReceiptRefused, parse_receipt
from infrastructure.eventstore.feed import decode
from infrastructure.eventstore.streams import START, read_streams
from infrastructure.packs.verify import verified
from infrastructure.readmodel.shadow import row_of

_APPEND_LOCK = "SELECT pg_advisory_xact_lock(5005201)"
_IS_EMPTY = "SELECT NOT EXISTS (SELECT FROM workflow_events) AND NOT EXISTS (SELECT FROM workflows)"
_COPY = """
    COPY workflow_events (
        originator_id, originator_version, notification_id, append_id, topic, state, salt, content
    ) FROM STDIN
"""
_INSERT = """
    INSERT INTO workflows
    SELECT made.* FROM json_populate_recordset(NULL::workflows, %s::json) AS made
"""
_RECEIPT = """
    INSERT INTO erasures (id, reason, legal_basis, actor, erased_at, receipt)
    VALUES (%s, %s, %s, %s, %s, %s)
"""
_ERASED = """
    INSERT INTO erased_workflows (workflow_id, receipt_id, is_forgotten)
    SELECT DISTINCT originator_id, %s::uuid, true FROM workflow_events
    WHERE originator_id = ANY (%s::uuid[])
"""


class ImportRefused(Exception):
    """A pack cannot be imported. The text explains why."""


class Imported(NamedTuple):
    """What was imported."""

    events: int
    workflows: int


def import_pack(connection: Connection[Any], pack: Path, policy: str = "") -> Imported:
    """Verifies a pack, by its own policy if none is given, and imports it: all of it, or nothing.

    Raises ImportRefused if the pack is broken or begins in the middle of a workflow, or if the
    database is not empty.
    """
    try:
        verified(str(pack), policy)
    except Exception as broken:
        why = str(broken) or type(broken).__name__
        raise ImportRefused(f"{pack} is no sound pack: {why}") from broken
    with connection.transaction(), ZipFile(pack) as archive:
        connection.execute(_APPEND_LOCK)
        if connection.execute(_IS_EMPTY).fetchone() != (True,):
            raise ImportRefused("The database holds workflows already; name an empty one.")
        with archive.open("events.jsonl") as lines:
            events = _copy(connection, lines)
        with archive.open("receipts.jsonl") as lines:
            _keep_receipts(connection, lines)
        try:
            workflows = sum(_insert(connection, part) for part in _folded(connection))
        except StoredDataDamaged as damaged:
            raise ImportRefused(
                f"{damaged}. A pack is imported if it has each workflow from its first event on:"
                " export it without --since."
            ) from damaged
    return Imported(events, workflows)


def _copy(connection: Connection[Any], lines: Iterable[bytes]) -> int:
    """Stores events exactly as they were; returns how many."""
    append_id, count = uuid4(), 0
    with connection.cursor() as cursor, cursor.copy(_COPY) as rows:
        for count, event in enumerate(map(event_of, lines), 1):
            kept = (event.name, event.state, event.salt, event.content)
            rows.write_row((event.workflow_id, event.version, count, append_id, *kept))
    return count


def event_of(line: bytes) -> StoredEvent:
    """The event in a line of a pack."""
    found = orjson.loads(line)
    salt, content = found["salt"], found["content"]
    return StoredEvent(
        found["workflow_id"],
        found["version"],
        found["position"],
        found["name"],
        found["state"].encode(),
        None if salt is None else bytes.fromhex(salt),
        None if content is None else content.encode(),
    )


def _keep_receipts(connection: Connection[Any], lines: Iterable[bytes]) -> None:
    """Notes which erasure took away the content that is missing. Raises ImportRefused."""
    for line in lines:
        try:
            erasure = parse_receipt(orjson.loads(line)["receipt"])
        except ReceiptRefused as unreadable:
            raise ImportRefused(f"receipts.jsonl: {unreadable}") from unreadable
        why = (erasure.reason, erasure.legal_basis, erasure.actor)
        connection.execute(_RECEIPT, (erasure.id, *why, erasure.erased_at, erasure.receipt))
        erased = [each.workflow_id for each in erasure.workflows]
        connection.execute(_ERASED, (erasure.id, erased))


def _folded(connection: Connection[Any]) -> Iterator[list[Folded]]:
    """Every workflow, a part at a time; each event is read and verified again."""
    place, last = START, None
    while events := read_streams(connection, place):
        whole: list[Folded] = []
        for stored in events:
            if last is not None and last.workflow_id != stored.workflow_id:
                whole.append(last)
                last = None
            last = fold(last, decode(stored))
        place = place._replace(workflow_id=events[-1].workflow_id, version=events[-1].version)
        yield whole
    yield [last] if last else []


def _insert(connection: Connection[Any], workflows: Iterable[Folded]) -> int:
    """Writes the rows of workflows; those of which something was erased have none."""
    made = list(workflows)
    rows = [
        row_of(each, each.workflow) for each in made if not isinstance(each.workflow, Forgotten)
    ]
    if rows:
        json = orjson.dumps(rows, option=orjson.OPT_UTC_Z).decode()
        connection.execute(_INSERT, (json,))
    return len(made)
