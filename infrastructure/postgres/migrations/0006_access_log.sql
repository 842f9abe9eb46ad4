-- Who read or exported the history of others; kept as long as the history. An entry no longer names
-- the user once that user is erased. `caller` is the actor without the id of its token.
CREATE TABLE access_log (
    id          bigint      NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    accessed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor       text        NOT NULL COLLATE "C",
    caller      text        NOT NULL COLLATE "C",
    method      text        NOT NULL COLLATE "C",
    user_id     text        COLLATE "C",
    workflow_id uuid,
    request_id  text        NOT NULL COLLATE "C"
);

CREATE INDEX access_log_of_user ON access_log (user_id, id DESC) WHERE user_id IS NOT NULL;
CREATE INDEX access_log_of_workflow ON access_log (workflow_id, id DESC)
    WHERE workflow_id IS NOT NULL;
CREATE INDEX access_log_by_caller ON access_log (caller, id DESC);
CREATE INDEX access_log_by_time ON access_log (accessed_at, id);
