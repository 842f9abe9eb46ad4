curl -H 'content-type: application/json' -d '{
  "user_id": "alice",
  "name": "Nightly report",
  "payload": "{\"url\": \"https://example.org/report\"}",
  "kind": "http",
  "interval": 1440,
  "max_consecutive_job_failures_allowed": 3,
  "idempotency_key": "nightly-report-1"
}' http://127.0.0.1:50080/workflows.WorkflowsService/CreateWorkflow

curl -H 'content-type: application/json' -d '{
  "user_id": "alice",
  "filters": {"query": "REPORT", "kind": "http"}
}' http://127.0.0.1:50080/workflows.WorkflowsService/ListWorkflows
