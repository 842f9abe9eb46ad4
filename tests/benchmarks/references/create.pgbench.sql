-- Reference (c): what one CreateWorkflow inserts, as one transaction of one statement, prepared.
WITH new AS (
    SELECT uuidv7() AS id, nextval('pgbench_positions') AS position, now() AS moment, '{"previous":"","recorded_at":"2026-01-01T00:00:00.000001Z","content":"0000000000000000000000000000000000000000000000000000000000000000"}' AS state, sha256(convert_to(random()::text, 'UTF8')) AS salt, '{"actor":"anonymous","request_id":"0199c0de-0000-7000-8000-000000000001","method":"CreateWorkflow","event":{"user_id":"benchmark","name":"Nightly report of the northern warehouse","payload":"{\"url\": \"https://example.com/reports/nightly\", \"method\": \"POST\", \"timeout\": 30, \"headers\": {\"accept\": \"application/json\", \"x-report\": \"warehouse-north\"}}","kind":"http","interval":60,"max_failures":100,"log_retention": false,"at":"2026-01-01T00:00:00.000001Z"}}' AS content
), event AS (
    INSERT INTO workflow_events (
        originator_id, originator_version, notification_id, append_id, topic, state, salt, content
    )
    SELECT id, 1, position, id, 'created.v1', convert_to(state, 'UTF8'), salt, convert_to(content, 'UTF8')
    FROM new
)
INSERT INTO workflows (
    id, user_id, name, name_folded, payload, kind, interval_minutes, max_failures, log_retention,
    build_status, failures, generation, created_at, updated_at, version, position,
    created_position, digest, shape
)
SELECT id, 'benchmark', 'Nightly report of the northern warehouse',
       'nightly report of the northern warehouse',
       '{"url": "https://example.com/reports/nightly", "method": "POST", "timeout": 30, "headers": {"accept": "application/json", "x-report": "warehouse-north"}}',
       'http', 60, 100, false, 'pending', 0, 1, moment, moment, 1, position, position,
       '\x0000000000000000000000000000000000000000000000000000000000000000'::bytea, 1
FROM new;
