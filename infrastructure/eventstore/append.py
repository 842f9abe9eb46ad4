"""The changes of one append as append_events_v1() takes them: arrays and JSON."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import orjson

from application.ports import Change
from infrastructure.eventstore import stored_form
from infrastructure.postgres.connection import array_of
from infrastructure.readmodel.rows import moved_row, new_row

Record = dict[str, Any]
Parameters = tuple[str, str, str | None, str | None, str | None, str | None, str | None]


def parameters(
    changes: Sequence[Change], now: datetime, created_at: Callable[[str], int]
) -> Parameters:
    """All but the first parameter of append_events_v1().

    `created_at` tells the feed position of a workflow's creation, for those whose row is written
    anew because it was lost or outdated.
    """
    events: list[Record] = []
    new: list[Record] = []
    moved: list[Record] = []
    entries: list[Record] = []
    restored: list[str] = []
    for change in changes:
        before = len(events)
        digest = _record_events(change, now, events)
        if change.events:
            place = {"offset": len(events), "version": change.version, "digest": digest.hex()}
            if change.base is None:
                new.append(new_row(change) | place | {"first": before + 1})
            elif change.base.rebuilt:
                restored.append(change.workflow_id)
                created = {"created_position": created_at(change.workflow_id)}
                new.append(new_row(change) | place | created)
            else:
                moved.append(moved_row(change, change.base) | place)
        entries += _entries(change, before)
    return (
        array_of(change.workflow_id for change in changes),
        array_of(str(change.base_version) for change in changes),
        array_of(restored) if restored else None,
        as_json(events),
        as_json(new),
        as_json(moved),
        as_json(entries),
    )


def as_json(records: Sequence[Record]) -> str | None:
    """Records as a JSON array; None where there are none."""
    return orjson.dumps(records, option=orjson.OPT_UTC_Z).decode() if records else None


def _record_events(change: Change, now: datetime, events: list[Record]) -> bytes:
    """Appends a change's events, each chained to the one before; the digest of the last."""
    digest = change.base.digest if change.base else b""
    for version, recorded in enumerate(change.events, change.base_version + 1):
        state = stored_form.write(recorded, digest, now)
        digest = stored_form.digest(state)
        events.append(
            {
                "id": change.workflow_id,
                "version": version,
                "offset": len(events) + 1,
                "topic": recorded.event.stored_name,
                "state": state.decode(),
            }
        )
    return digest


def _entries(change: Change, before: int) -> Iterator[Record]:
    """A change's ledger entries; `before` is how many events of the append precede its own."""
    end = before + len(change.events)
    for key, entry in change.ledger.items():
        # Positions of what is already recorded are known; those of new events are offsets still.
        place = "position" if entry.version == change.base_version else "offset"
        yield {
            place: change.position(entry.version, end),
            "id": entry.workflow_id,
            "scope": key.scope,
            "key": key.key,
            "request_hash": entry.request_hash.hex(),
            "version": entry.version,
            "threshold_reached": entry.threshold_reached,
        }
