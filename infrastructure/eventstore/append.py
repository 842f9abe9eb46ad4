"""The changes of one append as append_events_v1() takes them: arrays, JSON, and stored bytes."""

import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from msgspec.json import Encoder

from application.ports import Change
from infrastructure.eventstore import stored_form
from infrastructure.postgres.connection import array_of
from infrastructure.readmodel.rows import moved_row, new_row

Record = dict[str, Any]
_json = Encoder()
Parameters = tuple[str, str, str | None, str | None, bytes, str | None, str | None, str | None]


def parameters(changes: Sequence[Change], now: datetime) -> Parameters:
    """All but the first parameter of append_events_v1()."""
    events = _Events(sum(len(change.events) for change in changes), now)
    new: list[Record] = []
    moved: list[Record] = []
    entries: list[Record] = []
    restored: list[str] = []
    for change in changes:
        before = len(events.records)
        base, digest = change.base, events.record(change)
        rebuilt = base is not None and base.rebuilt
        if change.events or rebuilt:
            row = new_row(change) if base is None or rebuilt else moved_row(change, base)
            row["version"] = change.version
            row["digest"] = digest.hex()
            if base is None:
                row["first"] = before + 1
            if change.events:
                row["offset"] = len(events.records)
            elif base is not None:
                row["position"] = base.position
            (new if base is None or rebuilt else moved).append(row)
            if rebuilt:
                restored.append(change.workflow_id)
        if change.ledger:
            entries += _entries(change, before)
    return (
        array_of(change.workflow_id for change in changes),
        array_of(str(change.base_version) for change in changes),
        array_of(restored) if restored else None,
        as_json(events.records),
        b"".join(events.stored),
        as_json(new),
        as_json(moved),
        as_json(entries),
    )


def as_json(records: Sequence[Record]) -> str | None:
    """Records as a JSON array; None if there are none."""
    return _json.encode(records).decode() if records else None


class _Events:
    """The events of an append: a record for each, and their stored bytes in one piece."""

    def __init__(self, count: int, now: datetime) -> None:
        self.records: list[Record] = []
        self.stored: list[bytes] = []
        self._length = 0
        self._moment = stored_form.moment_of(now)
        # One call for all salts: a call costs more than its bytes.
        self._salts = secrets.token_bytes(stored_form.SALT_BYTES * count)

    def record(self, change: Change) -> bytes:
        """Adds a change's events, each chained to the one before. Returns the last digest."""
        digest = change.base.digest if change.base else b""
        for version, new in enumerate(change.events, change.base_version + 1):
            at = stored_form.SALT_BYTES * len(self.records)
            salt = self._salts[at : at + stored_form.SALT_BYTES]
            content = stored_form.content_of(new)
            state = stored_form.state_of(content, salt, digest, self._moment)
            digest = stored_form.digest(state)
            self.records.append(
                {
                    "id": change.workflow_id,
                    "version": version,
                    "offset": len(self.records) + 1,
                    "topic": new.event.stored_name,
                    "start": self._length + 1,
                    "state_length": len(state),
                    "content_length": len(content),
                }
            )
            self.stored += (state, salt, content)
            self._length += len(state) + len(salt) + len(content)
        return digest


def _entries(change: Change, before: int) -> Iterator[Record]:
    """A change's ledger entries; `before` counts the events of the append before its own."""
    end = before + len(change.events)
    for key, entry in change.ledger.items():
        # Positions of recorded events are known; those of new events are still offsets.
        place = "position" if entry.version == change.base_version else "offset"
        yield {
            place: change.position(entry.version, end),
            "id": entry.workflow_id,
            "key": key.hex(),
            "request_digest": entry.request_digest.hex(),
            "version": entry.version,
            "threshold_reached": entry.threshold_reached,
        }
