-- Records who reads the history of others. The user is noted as the owner of the workflow that is read,
-- or as an owner of any: a name that is no user's is not kept, so that nobody who was erased is named
-- again. A workflow is named by its id or by the position of one of its events.
CREATE FUNCTION record_accesses_v1(
    actors text[], callers text[], methods text[], users text[], ids text[], positions bigint[], requests text[]
) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    -- Before the end of an erasure, which takes the name of its user out of the log, or after it.
    PERFORM pg_advisory_xact_lock_shared(5005205);
    INSERT INTO access_log (actor, caller, method, user_id, workflow_id, request_id)
    SELECT a.actor, a.caller, a.method, coalesce(
               (SELECT w.user_id FROM workflows AS w WHERE w.id = found.id),
               CASE WHEN found.id IS NULL AND (
                   EXISTS (SELECT FROM workflows AS w
                           WHERE w.user_id = a.user_id AND w.deleted_at IS NULL)
                   OR EXISTS (SELECT FROM workflows AS w
                              WHERE w.user_id = a.user_id AND w.deleted_at IS NOT NULL)
               ) THEN a.user_id END
           ), found.id, a.request_id
    FROM unnest(actors, callers, methods, users, ids, positions, requests) WITH ORDINALITY
        AS a(actor, caller, method, user_id, workflow_id, position, request_id, place),
    LATERAL (
        SELECT coalesce(a.workflow_id::uuid, (
            SELECT e.originator_id FROM workflow_events AS e WHERE e.notification_id = a.position
        ))
    ) AS found(id)
    ORDER BY a.place;
END
$$;
