-- The truth: every event of every workflow, in the order in which they were committed.
-- notification_id is the feed position: gapless, assigned under the append lock, never a sequence.
-- state is the exact stored bytes; each names the SHA-256 of its predecessor in the same stream.
-- append_id tells which append wrote the row, so that a lost acknowledgement can be settled.
CREATE TABLE workflow_events (
    originator_id      uuid   NOT NULL,
    originator_version bigint NOT NULL CHECK (originator_version > 0),
    notification_id    bigint NOT NULL CHECK (notification_id > 0),
    append_id          uuid   NOT NULL,
    topic              text   NOT NULL,
    state              bytea  NOT NULL,
    CONSTRAINT workflow_events_pkey PRIMARY KEY (originator_id, originator_version)
);

CREATE UNIQUE INDEX workflow_events_notification_id_idx ON workflow_events (notification_id);

-- What a command with a key was and how it was answered; kept as long as the history.
CREATE TABLE command_ledger (
    scope             text    NOT NULL,
    key               text    NOT NULL,
    workflow_id       uuid    NOT NULL,
    request_hash      bytea   NOT NULL,
    version           bigint  NOT NULL,
    position          bigint  NOT NULL,
    threshold_reached boolean NOT NULL,
    append_id         uuid    NOT NULL,
    CONSTRAINT command_ledger_pkey PRIMARY KEY (scope, key)
);
