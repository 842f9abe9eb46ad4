-- A rebuild of the current-state rows, so that it can be continued after an interruption: one row
-- while the table workflows_shadow is made, or while workflows_old is kept.
-- `filled_id` is the last workflow that was folded as a whole, in the order of ids, and
-- `filled_events` counts the events up to it; from `followed_position` on, the feed is followed.
-- `forgets` counts the events that were forgotten meanwhile: whoever folded an event before it was
-- forgotten must not write what came of it.
CREATE TABLE row_rebuild (
    is_current        boolean     NOT NULL DEFAULT true CHECK (is_current) PRIMARY KEY,
    step              text        NOT NULL COLLATE "C" CHECK (step IN ('fill', 'follow', 'kept')),
    epoch             bigint      NOT NULL,
    form              text        NOT NULL COLLATE "C",
    filled_id         uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    filled_events     bigint      NOT NULL DEFAULT 0,
    followed_position bigint      NOT NULL,
    forgets           bigint      NOT NULL DEFAULT 0,
    started_at        timestamptz NOT NULL DEFAULT now()
);
