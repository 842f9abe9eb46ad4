"""The statements by which histories read events. Each walks an index."""

from functools import cache

LAST_VERSION = """
    SELECT coalesce(max(originator_version), 0) FROM workflow_events WHERE originator_id = %s
"""

_COLUMNS = "originator_id::text, originator_version, notification_id, topic, state, salt"
_SIZE = "octet_length(state) + coalesce(octet_length(content), 0)"

_PAGE = """
    SELECT fits, {columns}, CASE WHEN fits THEN content END FROM (
        SELECT *, row_number() OVER page = 1
               OR (row_number() OVER page <= %(limit)s AND sum(size) OVER page <= %(room)s) AS fits
        FROM (
            SELECT *, {size} AS size FROM ({found}) AS found
            ORDER BY originator_version {order} LIMIT %(limit)s::bigint + 1
        ) AS sized
        WINDOW page AS (ORDER BY originator_version {order} ROWS UNBOUNDED PRECEDING)
    ) AS measured
    ORDER BY originator_version {order}
"""
_SPAN = """
    (SELECT * FROM workflow_events
     WHERE originator_id = %(id)s AND originator_version > %(above)s
       AND originator_version < %(below)s {named}
     ORDER BY originator_version {order} LIMIT %(limit)s::bigint + 1)
"""

EVENTS = f"""
    SELECT fits, {_COLUMNS}, CASE WHEN fits THEN content END FROM (
        SELECT *, place = 1 OR sum(size) OVER (ORDER BY place ROWS UNBOUNDED PRECEDING) <= %(room)s
               AS fits
        FROM (
            SELECT e.*, place, {_SIZE} AS size
            FROM unnest(%(ids)s::uuid[], %(versions)s::bigint[])
                 WITH ORDINALITY AS asked (id, version, place)
            JOIN workflow_events AS e
              ON e.originator_id = asked.id AND e.originator_version = asked.version
        ) AS found
    ) AS measured
    ORDER BY place
"""  # noqa: S608 - constants

# Positions grow with versions, so the last version at a position is found by halving.
VERSIONS_AT = """
    WITH RECURSIVE halves (id, low, high) AS (
        SELECT asked.id, 0::bigint, (
            SELECT coalesce(max(originator_version), 0) FROM workflow_events
            WHERE originator_id = asked.id
        )
        FROM unnest(%(ids)s::uuid[]) AS asked (id)
        UNION ALL
        SELECT id, CASE WHEN e.notification_id <= %(position)s THEN middle ELSE low END,
               CASE WHEN e.notification_id <= %(position)s THEN high ELSE middle - 1 END
        FROM halves
        CROSS JOIN LATERAL (SELECT (low + high + 1) / 2 AS middle) AS halved
        JOIN workflow_events AS e ON e.originator_id = id AND e.originator_version = middle
        WHERE low < high
    )
    SELECT id::text, low FROM halves WHERE low = high
"""

# `latest` is the running maximum, so the search for a time begins near its end.
BEGIN_BEFORE = """
    SELECT coalesce((
        SELECT position FROM feed_times WHERE latest <= %s AND position <= %s
        ORDER BY latest DESC, position DESC LIMIT 1
    ), 0)
"""
FIRST_LATER = """
    SELECT min(notification_id) FROM (
        SELECT notification_id FROM workflow_events
        WHERE notification_id > %s AND notification_id <= %s
          AND (convert_from(state, 'UTF8')::json ->> 'recorded_at')::timestamptz > %s
        ORDER BY notification_id LIMIT 1
    ) AS later
"""

LOAD_LEDGER = """
    SELECT l.key, l.workflow_id::text, l.request_digest, l.version, l.threshold_reached, l.position
    FROM unnest(%s::text[]) AS asked(key)
    JOIN command_ledger AS l ON l.key = decode(asked.key, 'hex')
"""


@cache
def page(names: tuple[str, ...], *, newest_first: bool) -> str:
    """The statement for a page of one workflow's events: of these stored names, or of all.

    Each name has a scan of its own, as a literal: so it can use the index of landmarks.
    """
    order = "DESC" if newest_first else "ASC"
    named = [f"AND topic = '{name}'" for name in names] or [""]
    found = " UNION ALL ".join(_SPAN.format(named=each, order=order) for each in named)
    return _PAGE.format(columns=_COLUMNS, size=_SIZE, order=order, found=found)


ERASURES = """
    SELECT w.workflow_id::text, w.receipt_id::text, e.erased_at
    FROM unnest(%s::uuid[]) AS asked(id)
    JOIN erased_workflows AS w ON w.workflow_id = asked.id
    JOIN erasures AS e ON e.id = w.receipt_id
"""
