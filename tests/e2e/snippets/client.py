from workflows.client import connected
from workflows.workflows_pb2 import CreateWorkflowRequest
from workflows.workflows_pb2_grpc import WorkflowsServiceStub

with connected("127.0.0.1:50052") as channel:
    service = WorkflowsServiceStub(channel)
    report = CreateWorkflowRequest(user_id="alice", kind="script", payload="{}", interval=1440)
    report.max_consecutive_job_failures_allowed = 3
    for number in range(300):
        report.name = report.idempotency_key = f"Report {number}"
        print(service.CreateWorkflow(report).id, flush=True)
