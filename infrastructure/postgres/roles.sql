-- The rights of a service: it appends and reads, and can neither change nor delete what is recorded,
-- nor create anything. Run it as the owner of the tables after each `workflows migrate`, as often as
-- you like, and let a role that can log in have these rights:
--
--     psql "$OWNERS_DATABASE_URL" -f infrastructure/postgres/roles.sql
--     psql "$OWNERS_DATABASE_URL" -c "CREATE ROLE app LOGIN PASSWORD '...' IN ROLE workflows_service"
--
-- Forgetting events, beginning an epoch and migrating are done as the owner.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'workflows_service') THEN
        CREATE ROLE workflows_service NOLOGIN;
    END IF;
END
$$;

GRANT SELECT ON schema_migrations, service_secrets, feed_epoch, recorded_events
    TO workflows_service;
-- Events and what commands were answered: recorded once, and never changed.
GRANT SELECT, INSERT ON workflow_events, command_ledger TO workflows_service;
-- A row is made of its events at any time.
GRANT SELECT, INSERT, UPDATE, DELETE ON workflows TO workflows_service;
GRANT SELECT, INSERT, DELETE ON append_fences, lost_rows TO workflows_service;
GRANT SELECT, UPDATE ON readiness_probe TO workflows_service;
-- Erasures, holds and accesses are recorded and never removed; what an erasure takes away, it takes
-- away by functions with the owner's rights.
GRANT SELECT ON erasures, erased_workflows, row_rebuild TO workflows_service;
GRANT SELECT, INSERT ON user_holds, access_log TO workflows_service;
GRANT UPDATE (release_reason, released_by, released_at) ON user_holds TO workflows_service;
GRANT EXECUTE ON FUNCTION begin_erasure_v1, gather_erasure_v1, forget_events_v1, clear_ledger_v1,
    end_erasure_v1, repeat_erasure_v1 TO workflows_service;
-- What the followers write; the feed fills it again if it is lost.
GRANT SELECT, INSERT, UPDATE ON followers TO workflows_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON event_search, feed_times TO workflows_service;
