-- Overwrites what erasures have left in unused parts of the database's files. Until then no statement and
-- no dump shows it, but a search through the bytes of the files would. Run it after an erasure, as the
-- owner of the database:
--
--     psql "$OWNERS_DATABASE_URL" -f infrastructure/postgres/scrub.sql
--     workflows psql < infrastructure/postgres/scrub.sql        (the embedded database)
--
-- Each table is written anew while nobody else can use it: plan a pause, or use pg_repack instead. The
-- planner's statistics hold samples of names, so they are made anew too; those of a table that is empty
-- now stay until it has rows again. The write-ahead log, backups and logs of calls forget by their own
-- retention.
VACUUM (FULL, ANALYZE) workflow_events;
VACUUM (FULL, ANALYZE) workflows;
VACUUM (FULL, ANALYZE) command_ledger;
VACUUM (FULL, ANALYZE) event_search;
VACUUM (FULL, ANALYZE) lost_rows;
VACUUM (FULL, ANALYZE) erasures;
VACUUM (FULL, ANALYZE) user_holds;
VACUUM (FULL, ANALYZE) access_log;
VACUUM (FULL) pg_catalog.pg_statistic;
CHECKPOINT;
