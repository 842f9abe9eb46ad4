"""What a damaged workflow costs its neighbours: calls for it come all the time."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event, Thread

import grpc
from workflows import workflows_pb2 as pb
from workflows.workflows_pb2_grpc import WorkflowsServiceStub

from tests.benchmarks import bodies
from tests.benchmarks.generators import CallsFailed
from tests.benchmarks.results import NATIVE, Row, Target
from tests.benchmarks.workbench import Workbench, execute

PER_SECOND = 27  # calls for the damaged workflow; as many once cost a third of everybody's rate
INCREMENT = "IncrementWorkflowConsecutiveJobFailuresCount"
ALONE = "the same without those calls"
_SOON = 30.0  # seconds


def damage(bench: Workbench) -> list[Row]:
    """Reads and increments of 1,000 workflows, 128 in flight, beside calls for a damaged one."""
    ids = bench.workflows("neighbours", bench.sizes.workflows)
    (damaged,) = bench.workflows("damaged", 1)
    # Without its row it is replayed, and without its first event it cannot be.
    execute(
        bench.main,
        f"DELETE FROM workflows WHERE id = '{damaged}'",
        f"UPDATE workflow_events SET state = state || ' ' WHERE originator_id = '{damaged}'",
    )
    numbers = iter(range(1_000_000))

    def reads() -> float:
        sent = bodies.gets(ids, "neighbours")
        return bench.loads.different(bench.service(), "GetWorkflow", sent, bench.sizes.calls).rate

    def increments() -> float:
        calls = bench.sizes.calls // 4
        sent = bodies.increments(ids, calls, f"beside damage {next(numbers)}")
        return bench.loads.different(bench.service(), INCREMENT, sent, calls).rate

    def beside(measure: "partial[float]") -> float:
        with _calls_for(damaged, bench.service().address):
            return measure()

    both = {"GetWorkflow": partial(reads), "Increment": partial(increments)}
    found = []
    for name, measure in both.items():
        measure()
        rates = bench.alternate({"beside": partial(beside, measure), "alone": measure})
        what = f"{name} of {len(ids):,} workflows, beside {PER_SECOND} calls/s for a damaged one"
        found.append(
            Row(what, "calls/s", NATIVE, rates["beside"], ALONE, rates["alone"], Target(0.95))
        )
    return found


@contextmanager
def _calls_for(workflow_id: str, address: str) -> Iterator[None]:
    """Reads and increments of a damaged workflow in turn. Raises CallsFailed if one succeeds."""
    over = Event()
    succeeded: list[str] = []

    def call(stub: WorkflowsServiceStub) -> None:
        number = 0
        while not over.wait(1 / PER_SECOND):
            number += 1
            try:
                if number % 2:
                    stub.GetWorkflowByID(pb.GetWorkflowByIDRequest(id=workflow_id), timeout=_SOON)
                else:
                    stub.IncrementWorkflowConsecutiveJobFailuresCount(
                        pb.IncrementWorkflowConsecutiveJobFailuresCountRequest(
                            id=workflow_id, job_id=f"damaged {number}"
                        ),
                        timeout=_SOON,
                    )
            except grpc.RpcError as refused:
                if refused.code() is grpc.StatusCode.DATA_LOSS:
                    continue
            succeeded.append(workflow_id)

    with grpc.insecure_channel(address) as channel:
        thread = Thread(target=call, args=(WorkflowsServiceStub(channel),))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
    if succeeded:
        raise CallsFailed(f"{len(succeeded)} calls for the damaged workflow were no DATA_LOSS")
