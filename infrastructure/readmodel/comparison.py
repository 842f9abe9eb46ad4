"""The rows of the shadow table beside the live ones, compared in the database."""

from collections.abc import Collection, Iterator
from typing import Any

from psycopg import Connection

from application.rebuild import Compared, Difference
from infrastructure.postgres.connection import array_of

PART = 10_000  # rows

_FIRST, _LAST = "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"
_END_OF_PART = "SELECT id::text FROM workflows_shadow WHERE id > %s ORDER BY id OFFSET %s LIMIT 1"

# A live row may be ahead of the shadow table by what was recorded since: the event that it names
# is there. It is compared when the feed was followed up to it.
_COMPARE = """
    WITH made AS MATERIALIZED (SELECT * FROM workflows_shadow WHERE {chosen}),
         live AS MATERIALIZED (SELECT * FROM workflows WHERE {chosen})
    SELECT coalesce(made.id, live.id)::text,
           CASE WHEN made.id IS NULL THEN 'surplus' WHEN live.id IS NULL THEN 'missing'
                ELSE 'differs' END,
           CASE WHEN made.id = live.id THEN ARRAY(
               SELECT a.key FROM jsonb_each(to_jsonb(made)) AS a
               JOIN jsonb_each(to_jsonb(live)) AS b ON a.key = b.key AND a.value <> b.value
               ORDER BY a.key
           ) ELSE '{{}}' END,
           (SELECT count(*) FROM made)
    FROM (SELECT) AS always LEFT JOIN (made FULL JOIN live ON made.id = live.id) ON
        ROW(made.*) IS DISTINCT FROM ROW(live.*)
        AND NOT coalesce(
            live.position > (SELECT followed_position FROM row_rebuild)
            AND CASE WHEN made.id IS NULL
                THEN live.created_position > (SELECT followed_position FROM row_rebuild)
                ELSE live.version > made.version END
            AND EXISTS (
                SELECT FROM workflow_events AS e
                WHERE e.originator_id = live.id AND e.originator_version = live.version
                  AND e.notification_id = live.position
            ), false)
"""
_RANGE = _COMPARE.format(chosen="id > %(after)s AND id <= %(end)s")
_SOME = _COMPARE.format(chosen="id = ANY (%(ids)s::uuid[])")


def compare_all(connection: Connection[Any]) -> Iterator[Compared]:
    """Compares all rows, part by part in the order of ids."""
    after = _FIRST
    while after != _LAST:
        found = connection.execute(_END_OF_PART, (after, PART - 1)).fetchone()
        end = found[0] if found else _LAST
        yield _compared(connection, _RANGE, {"after": after, "end": end})
        after = end


def compare_some(connection: Connection[Any], ids: Collection[str]) -> Compared:
    """Compares the rows of these workflows."""
    return _compared(connection, _SOME, {"ids": array_of(ids)})


def _compared(connection: Connection[Any], query: str, chosen: dict[str, str]) -> Compared:
    rows = connection.execute(query.encode(), chosen).fetchall()
    differences = [Difference(row[0], row[1], row[2]) for row in rows if row[0] is not None]
    return Compared(rows[0][3], differences)
