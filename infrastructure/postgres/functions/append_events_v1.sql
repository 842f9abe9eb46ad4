-- Appends the changes of one batch and returns the last position before it, and its epoch. If a stream
-- has moved on or a key is taken, records nothing and returns the workflows to leave out.
-- Raises WF001 if the feed ends before a position that the caller has seen in this epoch: the
-- database lost something. Raises WF002 if the append was settled as not recorded before it arrived,
-- and WF004 if anything in it is of a user who is being erased.
--
-- What is new stands apart from what moved on: the row of a new workflow is inserted without a look
-- for an old one, the row of a known one is updated in the columns that can change.
--
-- One statement is one transaction: a client can neither forget the lock nor freeze while it holds
-- it between two statements. The lock makes the order of positions the order of commits; it is an
-- advisory one, so that VACUUM, ANALYZE and CREATE INDEX CONCURRENTLY go on beside it.
--
-- Positions come as offsets from the last one, counted from 1: `offset` of an event, of the last
-- event of a row, and of the event that a ledger entry stands for. `stored` holds the bytes of all
-- events in one piece: from `start`, counted from 1, an event's state, its salt and its content.
-- `restored` are the workflows whose row was missing, of another shape or behind their events; they are
-- among new_rows, with their `position` if nothing happens to them. Rows are not believed then.
CREATE FUNCTION append_events_v1(
    this_append uuid, seen_epoch bigint, seen_position bigint,
    ids uuid[], base_versions bigint[], restored uuid[],
    new_events json, stored bytea, new_rows json, moved_rows json, new_entries json,
    OUT last_position bigint, OUT current_epoch bigint, OUT left_out uuid[]
)
LANGUAGE plpgsql
AS $$
DECLARE
    is_anyone_fenced boolean;
BEGIN
    -- As a condition it is a plain expression; a statement of its own would cost more.
    IF pg_advisory_xact_lock(5005201) IS NULL THEN
        RETURN;
    END IF;

    SELECT (SELECT coalesce(max(notification_id), 0) FROM workflow_events),
           (SELECT f.epoch FROM feed_epoch AS f), (SELECT f.is_anyone_fenced FROM feed_epoch AS f),
           array_agg(c.id)
    INTO last_position, current_epoch, is_anyone_fenced, left_out
    FROM unnest(ids, base_versions) AS c(id, base_version)
    LEFT JOIN workflows AS w ON w.id = c.id
    -- Without its row, a known workflow has moved on, too: it may have been forgotten.
    WHERE c.base_version <> coalesce(CASE WHEN restored IS NULL THEN
        coalesce(w.version, CASE WHEN c.base_version > 0 THEN -1 END)
    END, (
        SELECT CASE WHEN bool_or(v.content IS NULL) THEN -1 ELSE max(v.originator_version) END
        FROM workflow_events AS v WHERE v.originator_id = c.id
    ), 0);

    IF last_position < seen_position AND current_epoch = seen_epoch THEN
        RAISE EXCEPTION 'the feed ends at %, before %', last_position, seen_position
            USING ERRCODE = 'WF001';
    END IF;

    IF EXISTS (SELECT FROM append_fences WHERE append_id = this_append) THEN
        RAISE EXCEPTION 'append % was settled as not recorded', this_append
            USING ERRCODE = 'WF002';
    END IF;

    IF is_anyone_fenced AND EXISTS (
        SELECT FROM erasures AS f WHERE f.user_id IN (
            SELECT w.user_id FROM workflows AS w WHERE w.id = ANY (ids)
            UNION ALL SELECT r.user_id FROM json_to_recordset(new_rows) AS r(user_id text)
        )
    ) THEN
        RAISE EXCEPTION 'a user is being erased' USING ERRCODE = 'WF004';
    END IF;

    IF new_entries IS NOT NULL THEN
        SELECT left_out || array_agg(e.id) INTO left_out
        FROM json_to_recordset(new_entries) AS e(id uuid, key text)
        JOIN command_ledger AS l ON l.key = decode(e.key, 'hex');
    END IF;

    IF left_out IS NOT NULL THEN
        RETURN;
    END IF;

    IF new_events IS NOT NULL THEN
        INSERT INTO workflow_events (
            originator_id, originator_version, notification_id, append_id, topic, state, salt,
            content
        )
        SELECT e.id, e.version, last_position + e."offset", this_append, e.topic,
               substr(stored, e.start, e.state_length),
               substr(stored, e.start + e.state_length, 32),
               substr(stored, e.start + e.state_length + 32, e.content_length)
        FROM json_to_recordset(new_events) AS e(
            id uuid, version bigint, "offset" bigint, topic text, start integer,
            state_length integer, content_length integer
        );
    END IF;

    IF restored IS NOT NULL THEN
        DELETE FROM workflows WHERE id = ANY (restored);
        DELETE FROM lost_rows WHERE id = ANY (restored);
    END IF;

    IF new_rows IS NOT NULL THEN
        INSERT INTO workflows (
            id, user_id, name, name_folded, payload, kind, interval_minutes, max_failures,
            log_retention, build_status, failures, generation, created_at, updated_at,
            terminated_at, deleted_at, version, position, created_position, digest, shape
        )
        SELECT r.id, r.user_id, r.name, r.name_folded, r.payload, r.kind, r.interval_minutes,
               r.max_failures, r.log_retention, r.build_status, r.failures, r.generation,
               r.created_at, r.updated_at, r.terminated_at, r.deleted_at, r.version,
               coalesce(r.position, last_position + r."offset"),
               CASE WHEN r.first IS NOT NULL THEN last_position + r.first ELSE (
                   SELECT v.notification_id FROM workflow_events AS v
                   WHERE v.originator_id = r.id AND v.originator_version = 1
               ) END,
               decode(r.digest, 'hex'), r.shape
        FROM json_to_recordset(new_rows) AS r(
            id uuid, first bigint, "offset" bigint, position bigint, user_id text, name text,
            name_folded text, payload text, kind text, interval_minutes integer,
            max_failures integer, log_retention boolean, build_status text, failures integer,
            generation bigint, created_at timestamptz, updated_at timestamptz,
            terminated_at timestamptz, deleted_at timestamptz, version bigint, digest text,
            shape integer
        );
    END IF;

    IF moved_rows IS NOT NULL THEN
        UPDATE workflows AS w SET
            name = r.name, name_folded = r.name_folded,
            payload = coalesce(r.payload, w.payload),  -- A payload that stays is not sent again.
            interval_minutes = r.interval_minutes, max_failures = r.max_failures,
            build_status = r.build_status, failures = r.failures, generation = r.generation,
            updated_at = r.updated_at, terminated_at = r.terminated_at,
            deleted_at = r.deleted_at, version = r.version,
            position = last_position + r."offset", digest = decode(r.digest, 'hex')
        FROM json_to_recordset(moved_rows) AS r(
            id uuid, "offset" bigint, name text, name_folded text, payload text,
            interval_minutes integer, max_failures integer, build_status text, failures integer,
            generation bigint, updated_at timestamptz, terminated_at timestamptz,
            deleted_at timestamptz, version bigint, digest text
        )
        WHERE w.id = r.id;
    END IF;

    IF new_entries IS NOT NULL THEN
        INSERT INTO command_ledger (
            key, workflow_id, request_digest, version, position, threshold_reached, append_id
        )
        SELECT decode(e.key, 'hex'), e.id, decode(e.request_digest, 'hex'), e.version,
               coalesce(e.position, last_position + e."offset"), e.threshold_reached, this_append
        FROM json_to_recordset(new_entries) AS e(
            id uuid, key text, request_digest text, version bigint, position bigint,
            "offset" bigint, threshold_reached boolean
        );
    END IF;
END
$$;
