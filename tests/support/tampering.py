"""An attacker with all rights on the database: changes what it likes, with triggers off."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from domain.filters import folded
from infrastructure.eventstore.stored_form import digest, state_of
from infrastructure.tlog.checkpoints import CHECKPOINT
from tests.support.proofs import KeptLog

_FAR = 1_000_000
_EVENT = """
    SELECT originator_id::text, originator_version, state, salt, content FROM workflow_events
    WHERE originator_id = %s AND originator_version >= %s ORDER BY originator_version
"""


class Attacker:
    """Tampers with a database, as its superuser; `thorough` covers its tracks in other tables."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    def do(self, *statements: str) -> None:
        """Executes statements in one transaction, without triggers."""
        with psycopg.connect(self.dsn) as connection:
            connection.execute("SET session_replication_role = replica")
            for statement in statements:
                connection.execute(statement)

    def event(self, position: int) -> tuple[str, int]:
        """Workflow and version of the event at a position."""
        with psycopg.connect(self.dsn) as connection:
            found = connection.execute(
                "SELECT originator_id::text, originator_version FROM workflow_events"
                " WHERE notification_id = %s",
                (position,),
            ).fetchone()
        assert found is not None
        return found

    def workflow_at(self, position: int) -> str:
        """The workflow of the event at a position."""
        return self.event(position)[0]

    def shift(self, first: int, by: int, *, thorough: bool) -> None:
        """Moves all positions from one on; rows and ledger, too, if `thorough`."""
        self.do(
            f"UPDATE workflow_events SET notification_id = notification_id + {_FAR + by}"
            f" WHERE notification_id >= {first}",
            f"UPDATE workflow_events SET notification_id = notification_id - {_FAR}"
            f" WHERE notification_id > {_FAR}",
        )
        if thorough:
            self.do(
                f"UPDATE workflows SET position = position + {by} WHERE position >= {first}",
                "UPDATE workflows SET created_position = created_position"
                f" + {by} WHERE created_position >= {first}",
                f"UPDATE command_ledger SET position = position + {by} WHERE position >= {first}",
            )

    def insert(self, position: int, *, thorough: bool) -> None:
        """Puts the creation of a new workflow at a position, a copy of another creation."""
        new = str(uuid4())
        self.shift(position, 1, thorough=thorough)
        self.do(
            "INSERT INTO workflow_events (originator_id, originator_version, notification_id,"
            f" append_id, topic, state, salt, content) SELECT '{new}', 1, {position}, append_id,"
            " topic, state || ' ', salt, content FROM workflow_events WHERE notification_id = 1",
        )
        if thorough:
            self.do(
                "CREATE TEMPORARY TABLE forged AS SELECT w.* FROM workflows AS w JOIN"
                " workflow_events AS e ON e.originator_id = w.id WHERE e.notification_id = 1",
                f"UPDATE forged SET id = '{new}', version = 1, position = {position},"
                f" created_position = {position}, failures = 0, updated_at = created_at, digest ="
                f" (SELECT sha256(state) FROM workflow_events WHERE originator_id = '{new}')",
                "INSERT INTO workflows SELECT * FROM forged",
            )

    def remove(self, position: int, *, thorough: bool) -> None:
        """Removes an event; if `thorough`, closes the gap, and corrects rows and ledger."""
        workflow_id, version = self.event(position)
        self.do(f"DELETE FROM workflow_events WHERE notification_id = {position}")
        if thorough:
            self.do(
                f"DELETE FROM command_ledger WHERE workflow_id = '{workflow_id}'"
                f" AND version = {version}"
            )
            self.shift(position + 1, -1, thorough=True)

    def cut(self, last: int, *, thorough: bool) -> None:
        """Removes all events after a position; if `thorough`, corrects rows and ledger."""
        self.do(f"DELETE FROM workflow_events WHERE notification_id > {last}")
        if thorough:
            self.do(
                f"DELETE FROM command_ledger WHERE position > {last}",
                "UPDATE workflows AS w SET version = e.originator_version,"
                " failures = e.originator_version - 1, position = e.notification_id,"
                " digest = sha256(e.state), updated_at ="
                " (convert_from(e.content, 'UTF8')::json->'event'->>'at')::timestamptz"
                " FROM workflow_events AS e"
                f" WHERE w.position > {last} AND e.originator_id = w.id"
                "  AND e.originator_version = (SELECT max(l.originator_version)"
                "   FROM workflow_events AS l WHERE l.originator_id = w.id)",
            )

    def rewrite(self, position: int, name: str) -> None:
        """Gives a workflow another name in its creation, chains its events anew, and its row."""
        workflow_id, _ = self.event(position)
        with psycopg.connect(self.dsn) as connection:
            connection.execute("SET session_replication_role = replica")
            previous = b""
            events = connection.execute(_EVENT, (workflow_id, 1)).fetchall()
            for _, version, state, salt, content in events:
                if version == 1:
                    content = _renamed(content, name)  # noqa: PLW2901 - it is what is written
                moment = json.dumps(json.loads(state)["recorded_at"])
                forged = state_of(content, salt, previous, moment)
                previous = digest(forged)
                connection.execute(
                    "UPDATE workflow_events SET state = %s, content = %s"
                    " WHERE originator_id = %s AND originator_version = %s",
                    (forged, content, workflow_id, version),
                )
            connection.execute(
                "UPDATE workflows SET name = %s, name_folded = %s, digest = %s WHERE id = %s",
                (name, folded(name), previous, workflow_id),
            )


def sign_anew(kept: KeptLog, folder: Path) -> None:
    """Makes the log of what the database holds now, with its own key, in the old log's place.

    What witnesses cosigned stays: they do not give it away.
    """
    forged = KeptLog(kept.dsn, folder)
    forged.follow()
    shutil.rmtree(kept.folder / "tile")
    shutil.copytree(forged.folder / "tile", kept.folder / "tile")
    shutil.copy(forged.folder / CHECKPOINT, kept.folder / CHECKPOINT)


def flip(path: Path, offset: int) -> None:
    """Changes one byte of a file."""
    held = bytearray(path.read_bytes())
    held[offset] ^= 1
    path.write_bytes(held)


def _renamed(content: bytes, name: str) -> bytes:
    read: dict[str, Any] = json.loads(content)
    read["event"]["name"] = name
    return json.dumps(read).encode()


Tamper = Callable[[Attacker, KeptLog], None]
"""A way of tampering with a store and its log."""
