-- Appends the changes of one batch and answers with the last position before it and with the
-- workflows whose changes were left out: their stream moved on, or one of their keys is taken.
--
-- One statement is one transaction: a client can neither forget the lock nor freeze while it holds
-- it between two statements. The lock makes the order of positions the order of commits; it is an
-- advisory one, so that VACUUM, ANALYZE and CREATE INDEX CONCURRENTLY go on beside it.
CREATE FUNCTION append_events(
    this_append uuid, new_events json, new_rows json, new_entries json,
    OUT last_position bigint, OUT left_out uuid[]
)
LANGUAGE plpgsql
-- The planner knows nothing of the batch and caches what it chose while the tables were small.
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(5005201);

    SELECT coalesce(array_agg(stale.id), '{}') INTO left_out
    FROM (
        SELECT r.id
        FROM json_to_recordset(new_rows) AS r(id uuid, base_version bigint)
        LEFT JOIN workflows AS w ON w.id = r.id
        WHERE r.base_version <> coalesce(w.version, (
            SELECT max(v.originator_version) FROM workflow_events AS v WHERE v.originator_id = r.id
        ), 0)
        UNION
        SELECT e.id
        FROM json_to_recordset(new_entries) AS e(id uuid, scope text, key text)
        JOIN command_ledger AS l ON l.scope = e.scope AND l.key = e.key
    ) AS stale;

    SELECT coalesce(max(notification_id), 0) INTO last_position FROM workflow_events;

    WITH appended AS (
        INSERT INTO workflow_events (
            originator_id, originator_version, notification_id, append_id, topic, state
        )
        SELECT e.id, e.version, last_position + row_number() OVER (ORDER BY e.ordinal),
               this_append, e.topic, convert_to(e.state, 'UTF8')
        FROM ROWS FROM (
            json_to_recordset(new_events) AS (id uuid, version bigint, topic text, state text)
        ) WITH ORDINALITY AS e(id, version, topic, state, ordinal)
        WHERE e.id <> ALL (left_out)
        RETURNING originator_id, notification_id
    ), reached AS (
        SELECT originator_id AS id, min(notification_id) AS first, max(notification_id) AS last
        FROM appended GROUP BY originator_id
    )
    INSERT INTO workflows AS w (
        id, user_id, name, name_folded, payload, kind, interval_minutes, max_failures,
        log_retention, build_status, failures, generation, created_at, updated_at, terminated_at,
        deleted_at, version, position, created_position, digest, shape
    )
    SELECT r.id, r.user_id, r.name, r.name_folded, coalesce(r.payload, before.payload), r.kind, r.interval_minutes,
           r.max_failures, r.log_retention, r.build_status, r.failures, r.generation, r.created_at,
           r.updated_at, r.terminated_at, r.deleted_at, r.version, reached.last,
           CASE WHEN r.base_version = 0 THEN reached.first ELSE (
               SELECT v.notification_id FROM workflow_events AS v
               WHERE v.originator_id = r.id AND v.originator_version = 1
           ) END,
           decode(r.digest, 'hex'), r.shape
    FROM json_to_recordset(new_rows) AS r(
        id uuid, base_version bigint, user_id text, name text, name_folded text, payload text, kind text,
        interval_minutes integer, max_failures integer, log_retention boolean, build_status text,
        failures integer, generation bigint, created_at timestamptz, updated_at timestamptz,
        terminated_at timestamptz, deleted_at timestamptz, version bigint, digest text,
        shape smallint
    )
    JOIN reached ON reached.id = r.id
    LEFT JOIN workflows AS before ON before.id = r.id AND r.payload IS NULL
    ON CONFLICT (id) DO UPDATE SET
        name = excluded.name, name_folded = excluded.name_folded,
        payload = excluded.payload,
        interval_minutes = excluded.interval_minutes, max_failures = excluded.max_failures,
        build_status = excluded.build_status, failures = excluded.failures,
        generation = excluded.generation, updated_at = excluded.updated_at,
        terminated_at = excluded.terminated_at, deleted_at = excluded.deleted_at,
        version = excluded.version, position = excluded.position, digest = excluded.digest,
        shape = excluded.shape;

    INSERT INTO command_ledger (
        scope, key, workflow_id, request_hash, version, position, threshold_reached, append_id
    )
    SELECT e.scope, e.key, e.id, decode(e.request_hash, 'hex'), e.version, w.position,
           e.threshold_reached, this_append
    FROM json_to_recordset(new_entries) AS e(
        id uuid, scope text, key text, request_hash text, version bigint,
        threshold_reached boolean
    )
    JOIN workflows AS w ON w.id = e.id
    WHERE e.id <> ALL (left_out);
END
$$;
