-- Begins the erasure of a user: from now on, appends record nothing for that user. Returns the id of the
-- erasure: the given one, or that of an erasure which is under way.
-- Raises WF005 if the user is held.
CREATE FUNCTION begin_erasure_v1(
    new_receipt uuid, erased_user text, why text, basis text, asked_by text
) RETURNS uuid
LANGUAGE plpgsql
AS $$
DECLARE
    under_way uuid;
BEGIN
    PERFORM pg_advisory_xact_lock(5005205);  -- Holds and erasures of users, one after the other.
    IF EXISTS (SELECT FROM user_holds WHERE user_id = erased_user AND released_at IS NULL) THEN
        RAISE EXCEPTION 'the user is held' USING ERRCODE = 'WF005';
    END IF;

    SELECT id INTO under_way FROM erasures WHERE user_id = erased_user;
    IF FOUND THEN
        RETURN under_way;
    END IF;

    PERFORM pg_advisory_xact_lock(5005201);  -- After every append that did not see the fence.
    INSERT INTO erasures (id, user_id, reason, legal_basis, actor)
    VALUES (new_receipt, erased_user, why, basis, asked_by);
    UPDATE feed_epoch SET is_anyone_fenced = true WHERE NOT is_anyone_fenced;
    RETURN new_receipt;
END
$$;

-- With the owner's rights: a service can forget a user, and change no event in any other way.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION begin_erasure_v1(uuid, text, text, text, text) SECURITY DEFINER SET search_path = %I, pg_temp',
                   current_schema());
    REVOKE EXECUTE ON FUNCTION begin_erasure_v1(uuid, text, text, text, text) FROM PUBLIC;
END
$$;
