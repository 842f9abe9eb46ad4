-- Begins an erasure anew from its receipt, because a restored database knows nothing of it. Returns
-- whether there is anything to do.
CREATE FUNCTION repeat_erasure_v1(
    this_receipt uuid, why text, basis text, asked_by text, done_at timestamptz, ids uuid[]
) RETURNS boolean
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO erasures (id, reason, legal_basis, actor, erased_at)
    VALUES (this_receipt, why, basis, asked_by, done_at) ON CONFLICT (id) DO NOTHING;
    INSERT INTO erased_workflows (workflow_id, receipt_id)
    SELECT DISTINCT e.originator_id, this_receipt FROM workflow_events AS e
    WHERE e.originator_id = ANY (ids) AND e.originator_version = 1
    ON CONFLICT (workflow_id) DO NOTHING;
    RETURN EXISTS (SELECT FROM erasures WHERE id = this_receipt AND receipt IS NULL);
END
$$;

-- With the owner's rights: a service can forget a user, and change no event in any other way.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION repeat_erasure_v1(uuid, text, text, text, timestamptz, uuid[]) SECURITY DEFINER SET search_path = %I, pg_temp',
                   current_schema());
    REVOKE EXECUTE ON FUNCTION repeat_erasure_v1(uuid, text, text, text, timestamptz, uuid[]) FROM PUBLIC;
END
$$;
