-- The current state of every workflow, written in the transaction that appends its events.
-- A row is the fold of its events, so it also serves as the snapshot that commands are decided on;
-- a deleted workflow keeps its row, so that nothing can be recorded after its deletion.
CREATE EXTENSION IF NOT EXISTS btree_gin;
CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE TABLE workflows (
    id               uuid        NOT NULL PRIMARY KEY,
    user_id          text        NOT NULL,
    name             text        NOT NULL,
    name_folded      text        NOT NULL,
    payload          text        NOT NULL,
    kind             text        NOT NULL,
    interval_minutes integer     NOT NULL,
    max_failures     integer     NOT NULL,
    log_retention    boolean     NOT NULL,
    build_status     text        NOT NULL,
    failures         integer     NOT NULL,
    generation       bigint      NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    terminated_at    timestamptz,
    deleted_at       timestamptz,
    version          bigint      NOT NULL,
    position         bigint      NOT NULL,
    created_position bigint      NOT NULL,
    digest           bytea       NOT NULL,
    shape            smallint    NOT NULL
) WITH (fillfactor = 80);

-- One index for each way to walk a user's list: every one ends in the order of the pages.
CREATE INDEX workflows_newest ON workflows (user_id, created_position DESC)
    WHERE deleted_at IS NULL;
CREATE INDEX workflows_by_kind ON workflows (user_id, kind, created_position DESC)
    WHERE deleted_at IS NULL;
CREATE INDEX workflows_by_build_status ON workflows (user_id, build_status, created_position DESC)
    WHERE deleted_at IS NULL;
-- Two common values may never meet: without this one, a walk by either would end at the list's end.
CREATE INDEX workflows_by_kind_and_build_status
    ON workflows (user_id, kind, build_status, created_position DESC) WHERE deleted_at IS NULL;
CREATE INDEX workflows_terminated ON workflows (user_id, created_position DESC)
    WHERE deleted_at IS NULL AND terminated_at IS NOT NULL;
CREATE INDEX workflows_by_interval ON workflows (user_id, interval_minutes)
    WHERE deleted_at IS NULL;
CREATE INDEX workflows_by_name ON workflows USING gin (user_id, name_folded gin_trgm_ops)
    WITH (gin_pending_list_limit = 512) WHERE deleted_at IS NULL;
