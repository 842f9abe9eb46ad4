-- Begins an erasure anew from its receipt, because a restored database knows nothing of it, or not that
-- it was completed. Holds and accesses no longer name the user. Returns whether there is anything to do.
CREATE FUNCTION repeat_erasure_v1(
    this_receipt uuid, this_number bigint, why text, basis text, asked_by text, done_at timestamptz, ids uuid[]
) RETURNS boolean
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(5005205);
    INSERT INTO erasures (id, number, reason, legal_basis, actor, erased_at)
    VALUES (this_receipt, this_number, why, basis, asked_by, done_at)
    ON CONFLICT (id) DO UPDATE SET number = this_number, erased_at = done_at
    WHERE erasures.receipt IS NULL;
    INSERT INTO erased_workflows (workflow_id, receipt_id)
    SELECT DISTINCT e.originator_id, this_receipt FROM workflow_events AS e
    WHERE e.originator_id = ANY (ids) AND e.originator_version = 1
    ON CONFLICT (workflow_id) DO NOTHING;
    -- The rows go with the content: now they still tell who it was.
    UPDATE user_holds SET user_id = NULL
    WHERE user_id IN (SELECT w.user_id FROM workflows AS w WHERE w.id = ANY (ids));
    UPDATE access_log SET user_id = NULL
    WHERE user_id IN (SELECT w.user_id FROM workflows AS w WHERE w.id = ANY (ids));
    RETURN EXISTS (SELECT FROM erasures WHERE id = this_receipt AND receipt IS NULL);
END
$$;

-- With the owner's rights: a service can forget a user, and change no event in any other way.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION repeat_erasure_v1(uuid, bigint, text, text, text, timestamptz, uuid[]) SECURITY DEFINER SET search_path = %I, pg_temp',
                   current_schema());
    REVOKE EXECUTE ON FUNCTION repeat_erasure_v1(uuid, bigint, text, text, text, timestamptz, uuid[]) FROM PUBLIC;
END
$$;
