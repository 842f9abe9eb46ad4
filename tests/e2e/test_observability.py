"""What operators see: a line for each call, counts of all processes, traces to the database."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import grpc
import httpx
import psutil
import pytest
from workflows import workflows_pb2 as pb
from workflows.workflows_pb2_grpc import WorkflowsServiceStub

from tests.support.collector import Collector
from tests.support.database import select
from tests.support.http2 import Http2
from tests.support.service import Service
from tests.support.waiting import until

CREATE = "workflows.WorkflowsService/CreateWorkflow"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
METADATA = (("x-request-id", "order-7"), ("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01"))
REQUEST = pb.CreateWorkflowRequest(
    user_id="ada",
    name="Name of a secret",
    payload='{"secret": "payload"}',
    kind="script",
    interval=1,
    max_consecutive_job_failures_allowed=1,
    idempotency_key="key-of-a-secret",
)


@pytest.fixture
def serve_http(database: str) -> Iterator[Callable[..., Service]]:
    """Starts services with an HTTP door."""
    started: list[Service] = []

    def start(*flags: str, **environment: str) -> Service:
        door = ("--http-listen", "127.0.0.1:0")
        started.append(Service("--database-url", database, *door, *flags, **environment))
        return started[-1]

    yield start
    for service in started:
        service.close()


def test_a_call_leaves_a_line_with_its_ids_and_nothing_that_was_sent(
    serve_http: Callable[..., Service],
) -> None:
    service = serve_http()
    create(service.address, metadata=METADATA)
    until(lambda: lines_about_calls(service))

    [entry] = lines_about_calls(service)
    assert (entry["method"], entry["code"], entry["caller"]) == (CREATE, "OK", "anonymous")
    assert (entry["request_id"], entry["trace_id"]) == ("client:order-7", TRACE)
    assert "secret" not in service.log()


def test_a_line_has_the_request_id_that_is_kept_with_the_events(
    serve_http: Callable[..., Service], database: str
) -> None:
    service = serve_http(WORKFLOWS_LOG_CALLS="all")
    create(service.address)
    until(lambda: lines_about_calls(service))

    [entry] = lines_about_calls(service)
    [content] = select(database, "SELECT content FROM workflow_events")
    assert entry["request_id"] in bytes(content[0]).decode()


def test_a_call_that_never_reached_its_method_leaves_a_line_too(
    serve_http: Callable[..., Service],
) -> None:
    service = serve_http()
    with Http2(service.address) as client:
        client.send(client.headers(f"/{CREATE}", ends=True))  # A call without its message.
        assert client.ending_of(1)["grpc-status"] == str(grpc.StatusCode.UNIMPLEMENTED.value[0])
    httpx.post(f"http://{service.announced['http']}/{CREATE}", content="{", trust_env=False)
    until(lambda: len(lines_about_calls(service)) == 2)

    said = [(entry["method"], entry["code"]) for entry in lines_about_calls(service)]
    assert said == [(CREATE, "UNIMPLEMENTED"), (CREATE, "UNKNOWN")]


def test_each_worker_answers_with_the_counts_of_all(serve_http: Callable[..., Service]) -> None:
    service = serve_http("--workers", "2")
    address, calls = service.address, 40
    with ThreadPoolExecutor(8) as threads:  # A connection each, so both workers get some.
        list(threads.map(lambda _: create(address), range(calls)))

    for _ in range(10):  # Whichever worker takes the connection.
        page = metrics(service)
        ended = (
            f'rpc_server_call_duration_seconds_count{{rpc_method="{CREATE}",rpc_status_code="OK"}}'
        )
        assert page[ended] == calls
        assert page["workflows_events_recorded_total"] == 1
        assert page["workflows_worker_restarts"] == 0
    until(lambda: len(lines_about_calls(service)) == calls)


def test_a_worker_that_died_is_counted_and_its_counts_stay(
    serve_http: Callable[..., Service],
) -> None:
    service = serve_http("--workers", "2")
    create(service.address)
    for worker in workers_of(service):
        worker.kill()

    until(lambda: answered(service) and metrics(service)["workflows_worker_restarts"] > 0)
    assert metrics(service)["workflows_events_recorded_total"] == 1


def test_a_trace_goes_from_the_client_through_the_batch_to_the_database(
    serve_http: Callable[..., Service],
) -> None:
    with closing(Collector()) as collector:
        service = serve_http(
            WORKFLOWS_TRACES=collector.url, OTEL_BSP_SCHEDULE_DELAY="100", NO_PROXY="127.0.0.1"
        )
        create(service.address, metadata=METADATA)
        until(lambda: collector.named(CREATE) and collector.named("batch of writes"))
        service.stop()

    [call] = collector.named(CREATE)
    assert call.trace_id.hex() == TRACE
    assert call.parent_span_id.hex() == "00f067aa0ba902b7"
    [batch] = collector.named("batch of writes")
    assert [link.span_id for link in call.links] == [batch.span_id]
    assert [link.span_id for link in batch.links] == [call.span_id]
    below = [span.name for span in collector.spans if span.parent_span_id == batch.span_id]
    assert sorted(below) == ["append", "load"]


def create(address: str, metadata: Any = ()) -> None:
    """Makes the workflow of these tests, on a connection of its own."""
    with grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        WorkflowsServiceStub(channel).CreateWorkflow(REQUEST, metadata=metadata, timeout=30)


def lines_about_calls(service: Service) -> list[dict[str, Any]]:
    """The entries of the log about calls."""
    entries = [json.loads(line) for line in service.log().splitlines()]
    return [entry for entry in entries if entry["event"] == "call"]


def metrics(service: Service) -> dict[str, float]:
    """The page of metrics, by line."""
    page = httpx.get(f"http://{service.announced['http']}/metrics", trust_env=False)
    samples = [line.rpartition(" ") for line in page.text.splitlines() if line[:1] != "#"]
    return {name: float(value) for name, _, value in samples}


def answered(service: Service) -> bool:
    """Whether a worker takes connections at the HTTP door."""
    try:
        return bool(metrics(service))
    except httpx.TransportError:
        return False


def workers_of(service: Service) -> list[psutil.Process]:
    """The server processes of a service with several."""
    return [
        child
        for child in psutil.Process(service.pid).children()
        if "spawn_main" in " ".join(child.cmdline())
    ]
