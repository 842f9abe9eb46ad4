from pathlib import Path

from workflows.client import connected, tls
from workflows.workflows_pb2 import ListWorkflowsRequest
from workflows.workflows_pb2_grpc import WorkflowsServiceStub

authorities, token = tls("authority.pem"), Path("alice.token").read_text().strip
with connected("localhost:50052", tls=authorities, token=token) as channel:
    print(WorkflowsServiceStub(channel).ListWorkflows(ListWorkflowsRequest(user_id="alice")))
