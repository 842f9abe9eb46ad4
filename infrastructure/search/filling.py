"""The SQL that fills the search: the database reads the stored events itself.

Nothing of an event passes through the service, whose interpreter serves calls meanwhile: that costs
a creation 1 µs of it, where decoding it costs 25. So the names of the stored fields stand here too:
a shape with another name for an owner or a job needs a change here.
"""

# A creation tells its owner; any other event has that of its workflow. An event of a workflow whose
# creation was erased has none any more, and is not entered.
ENTER = """
    INSERT INTO event_search (
        position, workflow_id, version, user_id, type, changed_fields, actor, caller, request_id,
        trace_id, key_digest, job_id, recorded_at
    )
    SELECT e.position, e.workflow_id, e.version, owner.user_id, e.type,
           coalesce(updated.fields, of_type.fields), e.content ->> 'actor',
           regexp_replace(e.content ->> 'actor', '(.)#[^#]*$', '\\1'),
           e.content ->> 'request_id', e.content ->> 'trace_id',
           sha256(%(key_prefix)s || convert_to(e.content ->> 'idempotency_key', 'UTF8')),
           nullif(e.content -> 'event' ->> 'job_id', ''), e.recorded_at
    FROM (
        SELECT notification_id AS position, originator_id AS workflow_id,
               originator_version AS version, split_part(topic, '.', 1) AS type,
               convert_from(content, 'UTF8')::jsonb AS content,
               (convert_from(state, 'UTF8')::jsonb ->> 'recorded_at')::timestamptz AS recorded_at
        FROM workflow_events
        WHERE notification_id > %(after)s AND notification_id <= %(up_to)s
          AND content IS NOT NULL AND (originator_version = 1) = %(creations)s
        OFFSET 0  -- So that what was read once is not read again for each column.
    ) AS e
    CROSS JOIN LATERAL (
        SELECT CASE WHEN %(creations)s THEN e.content -> 'event' ->> 'user_id' ELSE (
            SELECT s.user_id FROM event_search AS s
            WHERE s.workflow_id = e.workflow_id ORDER BY s.position LIMIT 1
        ) END AS user_id
    ) AS owner
    JOIN json_to_recordset(%(of_types)s) AS of_type (type text, fields text[]) USING (type)
    LEFT JOIN json_to_recordset(%(updated)s) AS updated (position bigint, fields text[])
           ON updated.position = e.position
    WHERE owner.user_id IS NOT NULL
"""
"""Enters the creations, or all other events, between two positions, the first of them excluded."""

# The last row before the batch is absorbed if less than SPACING positions lie between the two rows.
ENTER_TIMES = """
    WITH absorbed AS (
        DELETE FROM feed_times
        WHERE position > least(%(after)s, %(up_to)s::bigint / %(spacing)s * %(spacing)s)
          AND position <= %(up_to)s
        RETURNING earliest
    )
    INSERT INTO feed_times (position, latest, earliest)
    SELECT %(up_to)s,
           greatest(max(recorded_at), (
               SELECT latest FROM feed_times WHERE position <= %(after)s
               ORDER BY position DESC LIMIT 1
           )),
           least(min(recorded_at), (SELECT min(earliest) FROM absorbed))
    FROM (
        SELECT (convert_from(state, 'UTF8')::jsonb ->> 'recorded_at')::timestamptz AS recorded_at
        FROM workflow_events
        WHERE notification_id > %(after)s AND notification_id <= %(up_to)s
        OFFSET 0  -- As above.
    ) AS times
"""
"""Enters the times of the events between two positions."""

SPACING = 1000
"""About how many positions lie between two rows of times, however small the batches are."""
