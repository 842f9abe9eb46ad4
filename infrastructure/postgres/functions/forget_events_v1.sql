-- Forgets the content of the next events of an erasure, at most `most`, with the rows and the search
-- entries of their workflows. Returns whether there is more to forget.
CREATE FUNCTION forget_events_v1(this_receipt uuid, most integer) RETURNS boolean
LANGUAGE plpgsql
AS $$
DECLARE
    next_ids uuid[];
    forgotten bigint;
    unlisted bigint;
BEGIN
    PERFORM FROM erasures WHERE id = this_receipt AND receipt IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- The follower that fills the search holds this row while it reads events and writes entries.
    PERFORM FROM followers WHERE name = 'search' FOR UPDATE;

    next_ids := ARRAY(
        SELECT workflow_id FROM erased_workflows
        WHERE receipt_id = this_receipt AND NOT is_forgotten ORDER BY workflow_id LIMIT 200
    );
    UPDATE workflow_events AS e SET salt = NULL, content = NULL
    FROM (
        SELECT originator_id, originator_version FROM workflow_events
        WHERE originator_id = ANY (next_ids) AND content IS NOT NULL
        LIMIT most
    ) AS next
    WHERE e.originator_id = next.originator_id AND e.originator_version = next.originator_version;
    GET DIAGNOSTICS forgotten = ROW_COUNT;

    DELETE FROM event_search WHERE workflow_id = ANY (next_ids);
    GET DIAGNOSTICS unlisted = ROW_COUNT;

    UPDATE erased_workflows AS w SET is_forgotten = true
    WHERE w.workflow_id = ANY (next_ids) AND NOT EXISTS (
        SELECT FROM workflow_events AS e
        WHERE e.originator_id = w.workflow_id AND e.content IS NOT NULL
    );
    UPDATE erasures SET events = events + forgotten, search_entries = search_entries + unlisted
    WHERE id = this_receipt;
    RETURN EXISTS (
        SELECT FROM erased_workflows WHERE receipt_id = this_receipt AND NOT is_forgotten
    );
END
$$;

-- With the owner's rights: a service can forget a user, and change no event in any other way.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION forget_events_v1(uuid, integer) SECURITY DEFINER SET search_path = %I, pg_temp',
                   current_schema());
    REVOKE EXECUTE ON FUNCTION forget_events_v1(uuid, integer) FROM PUBLIC;
END
$$;
