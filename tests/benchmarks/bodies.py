"""What the benchmarks send: gRPC frames around messages of the contract, encoded beforehand."""

from collections.abc import Sequence

from google.protobuf.message import Message
from workflows import workflows_pb2 as pb

from infrastructure import contract

SERVICE = contract.SERVICE.full_name
USER = "benchmark"
NAME = "Nightly report of the northern warehouse"
PAYLOAD = (
    '{"url": "https://example.com/reports/nightly", "method": "POST", "timeout": 30,'
    ' "headers": {"accept": "application/json", "x-report": "warehouse-north"}}'
)
MAX_FAILURES = 100


def frame(message: Message) -> bytes:
    """A message as gRPC sends it: uncompressed, after its length."""
    body = message.SerializeToString()
    return b"\0" + len(body).to_bytes(4, "big") + body


def create(user_id: str = USER) -> bytes:
    """A workflow without an idempotency key: every call makes another one."""
    return frame(
        pb.CreateWorkflowRequest(
            user_id=user_id,
            name=NAME,
            payload=PAYLOAD,
            kind="http",
            interval=60,
            max_consecutive_job_failures_allowed=MAX_FAILURES,
        )
    )


def gets(ids: Sequence[str], user_id: str) -> list[bytes]:
    """One reading call a workflow."""
    return [frame(pb.GetWorkflowRequest(id=one, user_id=user_id)) for one in ids]


def increments(ids: Sequence[str], calls: int, jobs: str) -> list[bytes]:
    """Calls that count a failure each, the workflows in turn; every job id is another one."""
    return [
        frame(
            pb.IncrementWorkflowConsecutiveJobFailuresCountRequest(
                id=ids[number % len(ids)], job_id=f"{jobs}-{number}"
            )
        )
        for number in range(calls)
    ]


def resets(ids: Sequence[str]) -> list[bytes]:
    """One resetting call a workflow."""
    return [frame(pb.ResetWorkflowConsecutiveJobFailuresCountRequest(id=one)) for one in ids]


def page(user_id: str, cursor: str = "") -> bytes:
    """One page of a user's list."""
    return frame(pb.ListWorkflowsRequest(user_id=user_id, cursor=cursor))
