"""A client at full load: `python -m tests.faults.creating ADDRESS SECONDS`.

Creates workflows, many calls in flight, and prints how many were acknowledged.
"""

import sys
import time
from threading import Semaphore
from typing import Any

import grpc
from workflows.workflows_pb2 import CreateWorkflowRequest
from workflows.workflows_pb2_grpc import WorkflowsServiceStub

IN_FLIGHT = 32
REQUEST = CreateWorkflowRequest(
    user_id="writer",
    name="nightly",
    kind="script",
    payload="{}",
    interval=5,
    max_consecutive_job_failures_allowed=3,
)


def main(address: str, seconds: float) -> int:
    """How many workflows were created."""
    room = Semaphore(IN_FLIGHT)
    calls: list[Any] = []
    with grpc.insecure_channel(address) as channel:
        stub = WorkflowsServiceStub(channel)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            room.acquire()
            call = stub.CreateWorkflow.future(REQUEST)
            call.add_done_callback(lambda _: room.release())
            calls.append(call)
        return sum(bool(call.result().id) for call in calls)


if __name__ == "__main__":
    print(main(sys.argv[1], float(sys.argv[2])), flush=True)  # noqa: T201 - this is the answer
