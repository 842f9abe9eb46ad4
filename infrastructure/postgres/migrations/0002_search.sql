-- How far each follower of the feed has come, in which epoch, and what went wrong last.
-- A follower that writes to this database stores its position in the transaction that writes.
CREATE TABLE followers (
    name       text        NOT NULL COLLATE "C" PRIMARY KEY,
    epoch      bigint      NOT NULL,
    position   bigint      NOT NULL CHECK (position >= 0),
    updated_at timestamptz NOT NULL DEFAULT now(),
    failures   integer     NOT NULL DEFAULT 0,  -- tries in a row that failed
    fault      text        NOT NULL DEFAULT '',
    fault_at   timestamptz
) WITH (fillfactor = 50);

-- By what events are found; filled by the follower `search`, and may be emptied and filled again.
-- What is erased is not in it. `caller` is the actor without the id of its token. `key_digest` is
-- keyed as the ledger's keys are: nobody can test a guess at an idempotency key.
CREATE TABLE event_search (
    position       bigint      NOT NULL PRIMARY KEY,
    workflow_id    uuid        NOT NULL,
    version        bigint      NOT NULL,
    user_id        text        NOT NULL COLLATE "C",
    type           text        NOT NULL COLLATE "C",
    changed_fields text[]      NOT NULL,
    actor          text        NOT NULL COLLATE "C",
    caller         text        NOT NULL COLLATE "C",
    request_id     text        NOT NULL COLLATE "C",
    trace_id       text        COLLATE "C",
    key_digest     bytea,
    job_id         text        COLLATE "C",
    recorded_at    timestamptz NOT NULL
);

-- One index for each filter that few events meet; every one ends in the order of the pages.
CREATE INDEX event_search_by_workflow ON event_search (workflow_id, position);
CREATE INDEX event_search_by_user ON event_search (user_id, position);
CREATE INDEX event_search_by_caller ON event_search (caller, position);
CREATE INDEX event_search_by_request ON event_search (request_id, position);
CREATE INDEX event_search_by_trace ON event_search (trace_id, position)
    WHERE trace_id IS NOT NULL;
CREATE INDEX event_search_by_key ON event_search (key_digest, position)
    WHERE key_digest IS NOT NULL;
CREATE INDEX event_search_by_job ON event_search (job_id, position) WHERE job_id IS NOT NULL;
-- Most events create a workflow: those are as easily found without an index.
CREATE INDEX event_search_by_type ON event_search (type, position) WHERE type <> 'created';

-- Times by position, a row every thousand positions or so: `latest` is the latest time at which any
-- event up to `position` was recorded, `earliest` the earliest time of an event since the row before.
CREATE TABLE feed_times (
    position bigint      NOT NULL PRIMARY KEY,
    latest   timestamptz NOT NULL,
    earliest timestamptz NOT NULL
);
