-- What histories look up. Neither costs anything when a workflow is created or a failure is counted.

-- The last event of each type before a version: with the creation, which is version 1, and the last
-- failure, these lead to the state at that version, however many events there are. The names in the
-- predicate are the two that are recorded most often; later shapes of events need not be added.
CREATE INDEX workflow_events_landmarks
    ON workflow_events (originator_id, topic, originator_version)
    WHERE topic <> 'created.v1' AND topic <> 'failure_incremented.v1';

-- A list of the past shows workflows that were deleted since.
CREATE INDEX workflows_deleted ON workflows (user_id, created_position DESC)
    WHERE deleted_at IS NOT NULL;

-- From a time to the position near which it was.
CREATE INDEX feed_times_latest ON feed_times (latest, position);
