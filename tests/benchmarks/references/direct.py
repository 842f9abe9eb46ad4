"""Reference (e): the service's own wire with nothing behind it, trailing metadata and all."""

import json
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import grpc
from workflows import workflows_pb2 as pb

from infrastructure.wire.calls import Call, Method, Services
from infrastructure.wire.direct import DirectWire
from infrastructure.wire.limits import Limits
from tests.benchmarks.bodies import SERVICE
from tests.benchmarks.references.noop import FOUND, ID

_TRAILING = (("x-workflow-version", "1"), ("x-event-position", "1234567"))

_ANSWERS: Mapping[str, tuple[Any, Callable[[], Any]]] = {
    "CreateWorkflow": (pb.CreateWorkflowRequest, lambda: pb.CreateWorkflowResponse(id=ID)),
    "GetWorkflow": (pb.GetWorkflowRequest, lambda: pb.GetWorkflowResponse(**FOUND)),
    "ResetWorkflowConsecutiveJobFailuresCount": (
        pb.ResetWorkflowConsecutiveJobFailuresCountRequest,
        pb.ResetWorkflowConsecutiveJobFailuresCountResponse,
    ),
    "IncrementWorkflowConsecutiveJobFailuresCount": (
        pb.IncrementWorkflowConsecutiveJobFailuresCountRequest,
        pb.IncrementWorkflowConsecutiveJobFailuresCountResponse,
    ),
}


def _method(request_type: Any, response: Callable[[], Any]) -> Method:
    def answer(request: bytes, call: Call) -> None:
        request_type.FromString(request)
        call.answer(response().SerializeToString(), _TRAILING)

    return answer


def _serve() -> None:
    limits = Limits()
    server = grpc.server(
        ThreadPoolExecutor(1), options=limits.options(shares_port=False, pending=DirectWire.pending)
    )
    methods = {f"/{SERVICE}/{name}": _method(*answer) for name, answer in _ANSWERS.items()}
    direct = DirectWire(server, Services(methods), limits)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    direct.open()
    sys.stdout.write(json.dumps({"address": f"127.0.0.1:{port}"}) + "\n")
    sys.stdout.flush()
    Event().wait()


if __name__ == "__main__":
    _serve()
