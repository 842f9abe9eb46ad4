-- Notes the workflows of an erasure that has begun. Returns how many there are.
CREATE FUNCTION gather_erasure_v1(this_receipt uuid, named bytea) RETURNS bigint
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO erased_workflows (workflow_id, receipt_id)
    SELECT found.id, e.id FROM erasures AS e, workflows_of_v1(e.user_id, named) AS found(id)
    WHERE e.id = this_receipt AND e.receipt IS NULL
    ON CONFLICT (workflow_id) DO NOTHING;
    RETURN (SELECT count(*) FROM erased_workflows WHERE receipt_id = this_receipt);
END
$$;

-- With the owner's rights: a service can forget a user, and change no event in any other way.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION gather_erasure_v1(uuid, bytea) SECURITY DEFINER SET search_path = %I, pg_temp',
                   current_schema());
    REVOKE EXECUTE ON FUNCTION gather_erasure_v1(uuid, bytea) FROM PUBLIC;
END
$$;
