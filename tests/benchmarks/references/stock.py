"""Reference (b): a stock eventsourcing application, one save a call, behind a threaded server."""

import json
import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import grpc
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate
from psycopg.conninfo import conninfo_to_dict
from workflows import workflows_pb2 as pb

from tests.benchmarks.bodies import SERVICE

THREADS = 16


class Workflow(Aggregate):
    """A workflow as the library's examples write aggregates."""

    def __init__(
        self,
        user_id: str,
        name: str,
        payload: str,
        kind: str,
        interval: int,
        max_failures: int,
        log_retention: bool,
    ) -> None:
        self.user_id = user_id
        self.name = name
        self.payload = payload
        self.kind = kind
        self.interval = interval
        self.max_failures = max_failures
        self.log_retention = log_retention
        self.build_status = "pending"
        self.failures = 0


class StockWorkflows(Application[UUID]):
    """Its events go to the table stockworkflows_events, which the library makes itself."""

    def create(self, request: pb.CreateWorkflowRequest) -> UUID:
        """Saves a new workflow in a transaction of its own."""
        workflow = Workflow(
            user_id=request.user_id,
            name=request.name,
            payload=request.payload,
            kind=request.kind,
            interval=request.interval,
            max_failures=request.max_consecutive_job_failures_allowed,
            log_retention=request.log_retention,
        )
        self.save(workflow)
        return workflow.id


def _environment(dsn: str) -> Mapping[str, str]:
    """The library's settings: where the database is, and every default."""
    parts = conninfo_to_dict(dsn)
    if passfile := parts.get("passfile"):  # The library has no setting for it; libpq has.
        os.environ["PGPASSFILE"] = str(passfile)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(parts["dbname"]),
        "POSTGRES_HOST": str(parts["host"]),
        "POSTGRES_PORT": str(parts.get("port") or 5432),
        "POSTGRES_USER": str(parts["user"]),
        "POSTGRES_PASSWORD": str(parts.get("password") or ""),
    }


def _serve(dsn: str) -> None:
    workflows = StockWorkflows(env=_environment(dsn))

    def create(request: pb.CreateWorkflowRequest, _: object) -> pb.CreateWorkflowResponse:
        return pb.CreateWorkflowResponse(id=str(workflows.create(request)))

    handler = grpc.unary_unary_rpc_method_handler(
        create,
        request_deserializer=pb.CreateWorkflowRequest.FromString,
        response_serializer=pb.CreateWorkflowResponse.SerializeToString,
    )
    server = grpc.server(ThreadPoolExecutor(THREADS), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, {"CreateWorkflow": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(json.dumps({"address": f"127.0.0.1:{port}"}) + "\n")
    sys.stdout.flush()
    server.wait_for_termination()


if __name__ == "__main__":
    _serve(sys.argv[1])
