-- Finds the workflows of a user, whether or not their rows or search entries are there. `named` is how
-- the content of a creation names the user: "user_id":"...", as it is stored.
-- Rows and search entries are not believed: a workflow belongs to whom its first event names.
CREATE FUNCTION workflows_of_v1(erased_user text, named bytea) RETURNS SETOF uuid
LANGUAGE sql STABLE
SET enable_seqscan = on
SET enable_hashjoin = on
SET enable_mergejoin = on
AS $$
    WITH rowless AS MATERIALIZED (
        SELECT e.originator_id AS id FROM workflow_events AS e
        WHERE e.originator_version = 1
          AND NOT EXISTS (SELECT FROM workflows AS w WHERE w.id = e.originator_id)
    ), candidates AS MATERIALIZED (
        SELECT id FROM workflows WHERE user_id = erased_user
        UNION SELECT workflow_id FROM event_search WHERE user_id = erased_user
        UNION SELECT id FROM rowless
    )
    SELECT c.id FROM candidates AS c JOIN workflow_events AS e
        ON e.originator_id = c.id AND e.originator_version = 1
    WHERE position(named IN e.content) > 0
$$;
