-- Ends an erasure: its receipt is stored, nothing names the user, and the fence is gone. Without a
-- receipt, an erasure that found nothing leaves no trace.
CREATE FUNCTION end_erasure_v1(this_receipt uuid, signed_note text) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    erased_user text;
BEGIN
    PERFORM pg_advisory_xact_lock(5005205);
    SELECT user_id INTO erased_user FROM erasures WHERE id = this_receipt AND receipt IS NULL
    FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    IF signed_note IS NULL THEN
        DELETE FROM erasures WHERE id = this_receipt
        AND NOT EXISTS (SELECT FROM erased_workflows WHERE receipt_id = this_receipt);
    ELSE
        UPDATE erasures SET user_id = NULL, receipt = signed_note
        WHERE id = this_receipt AND erased_at IS NOT NULL;
        UPDATE user_holds SET user_id = NULL WHERE user_id = erased_user;
        UPDATE access_log SET user_id = NULL WHERE user_id = erased_user;
    END IF;
    PERFORM pg_advisory_xact_lock(5005201);
    UPDATE feed_epoch SET is_anyone_fenced = EXISTS (
        SELECT FROM erasures WHERE user_id IS NOT NULL
    );
END
$$;

-- With the owner's rights: a service can forget a user, and change no event in any other way.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION end_erasure_v1(uuid, text) SECURITY DEFINER SET search_path = %I, pg_temp',
                   current_schema());
    REVOKE EXECUTE ON FUNCTION end_erasure_v1(uuid, text) FROM PUBLIC;
END
$$;
