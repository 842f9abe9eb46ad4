-- Tells what became of an append whose acknowledgement was lost: where the changes end that it
-- recorded. If it recorded nothing, it never will: its id is fenced, and append_events_v1 refuses it.
-- Under the append lock the question has an answer: the old session has committed or has ended.
-- Raises WF003 if the epoch is another one than when the append was sent: then nobody knows.
CREATE FUNCTION settle_append_v1(
    this_append uuid, sent_epoch bigint, lock_within_ms integer, ends json, keys text[]
) RETURNS TABLE (workflow_id text, end_position bigint)
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM set_config('lock_timeout', lock_within_ms::text, true);
    PERFORM pg_advisory_xact_lock(5005201);

    IF sent_epoch <> (SELECT epoch FROM feed_epoch) THEN
        RAISE EXCEPTION 'a new epoch began after append % was sent', this_append
            USING ERRCODE = 'WF003';
    END IF;

    RETURN QUERY
    SELECT c.id::text, e.notification_id
    FROM json_to_recordset(ends) AS c(id uuid, version bigint)
    JOIN workflow_events AS e ON e.originator_id = c.id AND e.originator_version = c.version
    WHERE e.append_id = this_append
    UNION
    SELECT l.workflow_id::text, l.position
    FROM unnest(keys) AS asked(key)
    JOIN command_ledger AS l ON l.key = decode(asked.key, 'hex')
    WHERE l.append_id = this_append;

    IF NOT FOUND THEN
        INSERT INTO append_fences (append_id) VALUES (this_append) ON CONFLICT DO NOTHING;
        -- Nothing is on its way for longer than a day.
        DELETE FROM append_fences WHERE fenced_at < now() - interval '1 day';
    END IF;
END
$$;
