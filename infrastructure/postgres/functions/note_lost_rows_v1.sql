-- Notes the rows that are taken away, so that lists know that they lack them. Those that an append or a
-- forgetting takes away are struck off there, in the same transaction.
CREATE FUNCTION note_lost_rows_v1() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO lost_rows SELECT id, user_id, created_position FROM gone
        ON CONFLICT DO NOTHING;
        RETURN NULL;
    END IF;
    BEGIN
        INSERT INTO lost_rows SELECT id, user_id, created_position FROM workflows
        ON CONFLICT DO NOTHING;
    EXCEPTION WHEN data_corrupted OR index_corrupted THEN
        -- Whoever empties a damaged table must not be kept from it: the events know the owners too.
        INSERT INTO lost_rows
        SELECT originator_id, convert_from(content, 'UTF8')::json -> 'event' ->> 'user_id',
               notification_id
        FROM workflow_events WHERE originator_version = 1 AND content IS NOT NULL
        ON CONFLICT DO NOTHING;
    END;
    RETURN NULL;
END
$$;

CREATE TRIGGER note_deleted_rows AFTER DELETE ON workflows REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION note_lost_rows_v1();
CREATE TRIGGER note_truncated_rows BEFORE TRUNCATE ON workflows
FOR EACH STATEMENT EXECUTE FUNCTION note_lost_rows_v1();
