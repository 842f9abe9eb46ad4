-- A workflow of which anything is forgotten has no current state: its row goes in the transaction
-- that forgets, from every table that holds one. Readers then meet its events, of which they learn
-- that it was forgotten.
CREATE FUNCTION forget_row_v1() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    -- Before what a rebuild writes, or after it: it holds this lock while it writes.
    PERFORM pg_advisory_xact_lock(5005204);
    -- After an append that decided on the row, and before any that would.
    PERFORM pg_advisory_xact_lock(5005201);
    DELETE FROM workflows WHERE id = NEW.originator_id;
    DELETE FROM lost_rows WHERE id = NEW.originator_id;
    UPDATE row_rebuild SET forgets = forgets + 1;
    IF to_regclass('workflows_shadow') IS NOT NULL THEN
        EXECUTE 'DELETE FROM workflows_shadow WHERE id = $1' USING NEW.originator_id;
    END IF;
    IF to_regclass('workflows_old') IS NOT NULL THEN
        EXECUTE 'DELETE FROM workflows_old WHERE id = $1' USING NEW.originator_id;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER forget_row AFTER UPDATE ON workflow_events FOR EACH ROW
WHEN (OLD.content IS NOT NULL AND NEW.content IS NULL) EXECUTE FUNCTION forget_row_v1();
