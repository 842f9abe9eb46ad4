CREATE EXTENSION IF NOT EXISTS btree_gin;
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- The truth: every event of every workflow, in the order in which they were committed.
-- notification_id is the feed position: gapless, assigned under the append lock, never a sequence.
-- state is what digests run over; each names the SHA-256 of its predecessor in the same stream, and
-- the SHA-256 of its own salt and content. To forget an event is to set salt and content to NULL.
-- append_id tells which append wrote the row, so that a lost acknowledgement can be settled.
CREATE TABLE workflow_events (
    originator_id      uuid   NOT NULL,
    originator_version bigint NOT NULL CHECK (originator_version > 0),
    notification_id    bigint NOT NULL CHECK (notification_id > 0),
    append_id          uuid   NOT NULL,
    topic              text   NOT NULL COLLATE "C",
    state              bytea  NOT NULL,
    salt               bytea,
    content            bytea,
    CONSTRAINT workflow_events_pkey PRIMARY KEY (originator_id, originator_version),
    CONSTRAINT workflow_events_forgotten_whole CHECK ((salt IS NULL) = (content IS NULL))
);

CREATE UNIQUE INDEX workflow_events_notification_id_idx ON workflow_events (notification_id);

-- What the eventsourcing library reads: it knows one column of bytes, so `state` holds all of them:
-- the position (8 bytes), the length of the state (4), the state, the salt (32) and the content.
-- Nothing follows the state of an event that was forgotten.
CREATE VIEW recorded_events AS
SELECT originator_id, originator_version, notification_id, topic,
       int8send(notification_id) || int4send(octet_length(state)) || state
       || coalesce(salt || content, '') AS state
FROM workflow_events;

-- What a command with a key was and how it was answered; kept as long as the history.
-- key and request_digest are keyed digests: nothing about a user or a request can be read from them.
CREATE TABLE command_ledger (
    key               bytea   NOT NULL CONSTRAINT command_ledger_pkey PRIMARY KEY,
    workflow_id       uuid    NOT NULL,
    request_digest    bytea   NOT NULL,
    version           bigint  NOT NULL,
    position          bigint  NOT NULL,
    threshold_reached boolean NOT NULL,
    append_id         uuid    NOT NULL
);

-- The current state of every workflow, written in the transaction that appends its events.
-- A row is the fold of its events, so it also serves as the snapshot that commands are decided on.
-- A deleted workflow keeps its row, so that nothing can be recorded after its deletion.
-- Text is compared by code point: the same order and the same matches under every locale.
CREATE TABLE workflows (
    id               uuid        NOT NULL PRIMARY KEY,
    user_id          text        NOT NULL COLLATE "C",
    name             text        NOT NULL COLLATE "C",
    name_folded      text        NOT NULL COLLATE "C",
    payload          text        NOT NULL COLLATE "C",
    kind             text        NOT NULL COLLATE "C",
    interval_minutes integer     NOT NULL,
    max_failures     integer     NOT NULL,
    log_retention    boolean     NOT NULL,
    build_status     text        NOT NULL COLLATE "C",
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
    shape            integer     NOT NULL
) WITH (fillfactor = 80);

-- Rows that were taken away by another than the service, which always writes them back at once. Lists
-- look here, since a row that is gone shows in no list; whoever reads such a workflow restores its row.
CREATE TABLE lost_rows (
    id               uuid   NOT NULL PRIMARY KEY,
    user_id          text   NOT NULL COLLATE "C",
    created_position bigint NOT NULL
);

CREATE INDEX lost_rows_of_user ON lost_rows (user_id, created_position DESC);

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

-- The epoch in which positions count: one row. Another epoch begins after a restore, or after a
-- failover that lost something: positions and cursors of before then mean nothing any more. An epoch
-- is named by the second in which it began, so that a restored database cannot use a name again.
CREATE TABLE feed_epoch (
    is_current boolean NOT NULL DEFAULT true CHECK (is_current) PRIMARY KEY,
    epoch      bigint  NOT NULL
);

INSERT INTO feed_epoch (epoch) VALUES (extract(epoch FROM clock_timestamp())::bigint);

-- Appends that were settled as not recorded: what is delivered late under such an id is refused.
CREATE TABLE append_fences (
    append_id uuid        NOT NULL PRIMARY KEY,
    fenced_at timestamptz NOT NULL DEFAULT now()
);

-- Written by each server every second: whether it is ready is whether this can be committed.
CREATE TABLE readiness_probe (
    probed_at timestamptz NOT NULL
);

INSERT INTO readiness_probe VALUES (now());

-- What all server processes on this database share, and must never change: `cursor` signs the
-- cursors of lists, `ledger` keys the digests in the ledger.
CREATE TABLE service_secrets (
    name   text  NOT NULL COLLATE "C" PRIMARY KEY,
    secret bytea NOT NULL
);

INSERT INTO service_secrets (name, secret)
SELECT name, sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'))
FROM unnest(ARRAY['cursor', 'ledger']) AS made(name);
