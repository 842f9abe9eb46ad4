"""The rows that a list of the past may show: those of deleted workflows too."""

from typing import Any

from application.ports import OTHER_BYTES, Candidate, ListedWorkflow
from infrastructure.readmodel.rows import COLUMN_OF, USABLE

_SHOWN = ", ".join(
    f"w.{COLUMN_OF.get(field, field)}{'::text' if field == 'id' else ''}"
    for field in ListedWorkflow._fields
)
_AS_THEY_STAND = f"w.position <= %(position)s AND {USABLE}"
_OF_USER = "user_id = %(user_id)s AND created_position < %(before)s"

# A row that stands is read with its payload, as far as there is room.
CANDIDATES = f"""
    SELECT stands, gone, {_SHOWN.replace("w.", "")} FROM (
        SELECT *, row_number() OVER newest = 1 OR sum(size) OVER newest <= %(room)s AS fits
        FROM (
            SELECT w.*, {_AS_THEY_STAND} AS stands, w.deleted_at IS NOT NULL AS gone,
                   CASE WHEN {_AS_THEY_STAND} THEN octet_length(w.payload) ELSE 0 END
                   + {OTHER_BYTES} AS size
            FROM (
                (SELECT * FROM workflows WHERE {_OF_USER} AND deleted_at IS NULL
                 ORDER BY created_position DESC LIMIT %(limit)s)
                UNION ALL
                (SELECT * FROM workflows WHERE {_OF_USER} AND deleted_at IS NOT NULL
                 ORDER BY created_position DESC LIMIT %(limit)s)
                ORDER BY created_position DESC LIMIT %(limit)s
            ) AS w
        ) AS sized
        WINDOW newest AS (ORDER BY created_position DESC ROWS UNBOUNDED PRECEDING)
    ) AS measured
    WHERE fits ORDER BY created_position DESC
"""  # noqa: S608 - constants


def candidate_of(row: tuple[Any, ...]) -> Candidate:
    """The candidate in a row of CANDIDATES."""
    stands, gone, *columns = row
    listed = ListedWorkflow._make(columns)
    return Candidate(
        listed.id, listed.created_position, not stands, listed if stands and not gone else None
    )
