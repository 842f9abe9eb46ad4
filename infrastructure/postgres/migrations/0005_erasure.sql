-- Whether any user is being erased: appends look closer then.
ALTER TABLE feed_epoch ADD COLUMN is_anyone_fenced boolean NOT NULL DEFAULT false;

-- Erasures of users. While one is under way, `user_id` is the fence: nothing is recorded for that user.
-- When it is complete, `receipt` holds the signed note, and the user is named nowhere. An erasure that
-- is done again after a restore never names the user. `number` counts the erasures that found anything,
-- in the order in which they were done, and is the same in every database: it is the place of the receipt
-- in the log of receipts.
CREATE TABLE erasures (
    id             uuid        NOT NULL PRIMARY KEY,
    number         bigint,
    user_id        text        COLLATE "C",
    reason         text        NOT NULL COLLATE "C",
    legal_basis    text        NOT NULL COLLATE "C",
    actor          text        NOT NULL COLLATE "C",
    asked_at       timestamptz NOT NULL DEFAULT now(),
    events         bigint      NOT NULL DEFAULT 0,
    ledger_entries bigint      NOT NULL DEFAULT 0,
    search_entries bigint      NOT NULL DEFAULT 0,
    position       bigint,
    erased_at      timestamptz,
    receipt        text        COLLATE "C",
    CONSTRAINT erasures_name_nobody_in_the_end CHECK (user_id IS NULL OR receipt IS NULL)
);

CREATE UNIQUE INDEX erasures_fence ON erasures (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX erasures_by_number ON erasures (number) WHERE receipt IS NOT NULL;

-- The workflows of each erasure; `is_forgotten` once all content of a workflow is gone.
CREATE TABLE erased_workflows (
    workflow_id  uuid    NOT NULL PRIMARY KEY,
    receipt_id   uuid    NOT NULL REFERENCES erasures ON DELETE CASCADE,
    is_forgotten boolean NOT NULL DEFAULT false
);

CREATE INDEX erased_workflows_of_receipt ON erased_workflows (receipt_id, workflow_id);
CREATE INDEX erased_workflows_to_forget ON erased_workflows (receipt_id, workflow_id)
    WHERE NOT is_forgotten;

-- Holds: who may not be erased, who said so, and who released it. A released hold no longer names the
-- user once that user is erased.
CREATE TABLE user_holds (
    id             bigint      NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id        text        COLLATE "C",
    reason         text        NOT NULL COLLATE "C",
    held_by        text        NOT NULL COLLATE "C",
    held_at        timestamptz NOT NULL DEFAULT now(),
    release_reason text        COLLATE "C",
    released_by    text        COLLATE "C",
    released_at    timestamptz
);

CREATE UNIQUE INDEX user_holds_current ON user_holds (user_id) WHERE released_at IS NULL;
CREATE INDEX user_holds_of_user ON user_holds (user_id);
