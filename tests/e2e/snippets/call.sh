.venv/bin/workflows call CreateWorkflow '{
  "user_id": "alice",
  "name": "Nightly report",
  "payload": {"url": "https://example.org/report"},
  "kind": "http",
  "interval": 1440,
  "max_consecutive_job_failures_allowed": 3,
  "idempotency_key": "nightly-report-1"
}'

.venv/bin/workflows call ListWorkflows '{
  "user_id": "alice",
  "filters": {"query": "REPORT", "kind": "http"}
}'
