-- Appends the changes of one batch and answers with the last position before it; or, where a
-- stream moved on or a key is taken, records nothing and answers with the workflows to leave out.
--
-- One statement is one transaction: a client can neither forget the lock nor freeze while it holds
-- it between two statements. The lock makes the order of positions the order of commits; it is an
-- advisory one, so that VACUUM, ANALYZE and CREATE INDEX CONCURRENTLY go on beside it.
--
-- Positions come as offsets from the last one: `offset` of an event; `first` and `last` of a row,
-- which are those of the change's own events (a change without events has no row to write).
CREATE FUNCTION append_events(
    this_append uuid, ids uuid[], base_versions bigint[],
    new_events json, new_rows json, new_entries json,
    OUT last_position bigint, OUT left_out uuid[]
)
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(5005201);

    SELECT array_agg(c.id) INTO left_out
    FROM unnest(ids, base_versions) AS c(id, base_version)
    LEFT JOIN workflows AS w ON w.id = c.id
    WHERE c.base_version <> coalesce(w.version, (
        SELECT max(v.originator_version) FROM workflow_events AS v WHERE v.originator_id = c.id
    ), 0);

    IF new_entries IS NOT NULL THEN
        SELECT left_out || array_agg(e.id) INTO left_out
        FROM json_to_recordset(new_entries) AS e(id uuid, scope text, key text)
        JOIN command_ledger AS l ON l.scope = e.scope AND l.key = e.key;
    END IF;

    IF left_out IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT coalesce(max(notification_id), 0) INTO last_position FROM workflow_events;

    INSERT INTO workflow_events (
        originator_id, originator_version, notification_id, append_id, topic, state
    )
    SELECT e.id, e.version, last_position + e."offset", this_append, e.topic,
           convert_to(e.state, 'UTF8')
    FROM json_to_recordset(new_events) AS e(
        id uuid, version bigint, "offset" bigint, topic text, state text
    );

    INSERT INTO workflows AS w (
        id, user_id, name, name_folded, payload, kind, interval_minutes, max_failures,
        log_retention, build_status, failures, generation, created_at, updated_at, terminated_at,
        deleted_at, version, position, created_position, digest, shape
    )
    SELECT r.id, r.user_id, r.name, r.name_folded,
           -- A payload that stays is not sent again.
           coalesce(r.payload, (SELECT b.payload FROM workflows AS b WHERE b.id = r.id)),
           r.kind, r.interval_minutes, r.max_failures, r.log_retention, r.build_status, r.failures,
           r.generation, r.created_at, r.updated_at, r.terminated_at, r.deleted_at, r.version,
           last_position + r.last,
           -- Used where there is no row yet: the workflow is new, or its row was lost.
           CASE WHEN r.version = r.last - r.first + 1 THEN last_position + r.first ELSE (
               SELECT v.notification_id FROM workflow_events AS v
               WHERE v.originator_id = r.id AND v.originator_version = 1
           ) END,
           decode(r.digest, 'hex'), r.shape
    FROM json_to_recordset(new_rows) AS r(
        id uuid, first bigint, last bigint, user_id text, name text, name_folded text,
        payload text, kind text, interval_minutes integer, max_failures integer,
        log_retention boolean, build_status text, failures integer, generation bigint,
        created_at timestamptz, updated_at timestamptz, terminated_at timestamptz,
        deleted_at timestamptz, version bigint, digest text, shape smallint
    )
    ON CONFLICT (id) DO UPDATE SET
        name = excluded.name, name_folded = excluded.name_folded, payload = excluded.payload,
        interval_minutes = excluded.interval_minutes, max_failures = excluded.max_failures,
        build_status = excluded.build_status, failures = excluded.failures,
        generation = excluded.generation, updated_at = excluded.updated_at,
        terminated_at = excluded.terminated_at, deleted_at = excluded.deleted_at,
        version = excluded.version, position = excluded.position, digest = excluded.digest,
        shape = excluded.shape;

    IF new_entries IS NOT NULL THEN
        INSERT INTO command_ledger (
            scope, key, workflow_id, request_hash, version, position, threshold_reached, append_id
        )
        SELECT e.scope, e.key, e.id, decode(e.request_hash, 'hex'), e.version, v.notification_id,
               e.threshold_reached, this_append
        FROM json_to_recordset(new_entries) AS e(
            id uuid, scope text, key text, request_hash text, version bigint,
            threshold_reached boolean
        )
        JOIN workflow_events AS v
          ON v.originator_id = e.id AND v.originator_version = e.version;
    END IF;
END
$$;
