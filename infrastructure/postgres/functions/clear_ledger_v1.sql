-- Removes the ledger entries of an erasure of which everything is forgotten, notes when that was, and
-- gives the erasure its number if it found anything.
-- The ledger has no index by workflow, which each append would pay for: it is read as a whole.
CREATE FUNCTION clear_ledger_v1(this_receipt uuid) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = on
SET enable_hashjoin = on
AS $$
DECLARE
    removed bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(5005205);  -- One number after the other.
    PERFORM FROM erasures WHERE id = this_receipt AND receipt IS NULL FOR UPDATE;
    DELETE FROM command_ledger AS l USING erased_workflows AS w
    WHERE w.receipt_id = this_receipt AND w.workflow_id = l.workflow_id;
    GET DIAGNOSTICS removed = ROW_COUNT;

    UPDATE erasures SET
        ledger_entries = ledger_entries + removed,
        erased_at = coalesce(erased_at, date_trunc('milliseconds', clock_timestamp())),
        position = coalesce(position, (SELECT max(notification_id) FROM workflow_events)),
        number = coalesce(number, CASE
            WHEN EXISTS (SELECT FROM erased_workflows WHERE receipt_id = this_receipt)
            THEN (SELECT coalesce(max(e.number), 0) + 1 FROM erasures AS e)
        END)
    WHERE id = this_receipt AND receipt IS NULL AND NOT EXISTS (
        SELECT FROM erased_workflows WHERE receipt_id = this_receipt AND NOT is_forgotten
    );
END
$$;

-- With the owner's rights: a service can forget a user, and change no event in any other way.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION clear_ledger_v1(uuid) SECURITY DEFINER SET search_path = %I, pg_temp',
                   current_schema());
    REVOKE EXECUTE ON FUNCTION clear_ledger_v1(uuid) FROM PUBLIC;
END
$$;
