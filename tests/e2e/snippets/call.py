import grpc
from workflows import workflows_pb2, workflows_pb2_grpc

with grpc.insecure_channel("127.0.0.1:50052") as channel:
    service = workflows_pb2_grpc.WorkflowsServiceStub(channel)
    created = service.CreateWorkflow(
        workflows_pb2.CreateWorkflowRequest(
            user_id="alice",
            name="Nightly report",
            payload='{"url": "https://example.org/report"}',
            kind="http",
            interval=1440,
            max_consecutive_job_failures_allowed=3,
            idempotency_key="nightly-report-1",
        ),
        timeout=5,
    )
    workflow = service.GetWorkflow(
        workflows_pb2.GetWorkflowRequest(id=created.id, user_id="alice"), timeout=5
    )
    print(workflow.id, workflow.name, workflow.build_status)
