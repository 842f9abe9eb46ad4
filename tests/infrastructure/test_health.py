"""Health on both bodies of the wire: what it tells, when it tells it, and who cannot stop it."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2 as pb
from grpc_health.v1.health_pb2_grpc import HealthStub

from infrastructure.rpc import health as health_module
from infrastructure.rpc.health import FAILURES_TO_UNREADY, Health, Obstacle, Readiness
from infrastructure.telemetry.events import InertEvents
from tests.support.http2 import Http2, data
from tests.support.waiting import until
from tests.support.wire_server import SOON, Serving, WireServer

NAME, ALIAS = "tests.Service", "service"
WATCH = "/grpc.health.v1.Health/Watch"
CHECK = "/grpc.health.v1.Health/Check"
SERVING = pb.HealthCheckResponse.SERVING
NOT_SERVING = pb.HealthCheckResponse.NOT_SERVING
UNKNOWN = pb.HealthCheckResponse.SERVICE_UNKNOWN
NO_WINDOW = {4: 0}  # SETTINGS_INITIAL_WINDOW_SIZE: nothing may be sent on a stream


@pytest.fixture
def health() -> Health:
    """Health of a service with two names."""
    return Health([NAME, ALIAS])


@pytest.fixture
def server(serving: Serving, health: Health) -> Iterator[WireServer]:
    """A server that offers it."""
    with serving(health.methods, health.streams, patience=1.0) as server:
        yield server


def check(server: WireServer, name: str) -> Any:
    """The status of a name."""
    return (
        HealthStub(server.channel).Check(pb.HealthCheckRequest(service=name), timeout=SOON).status
    )


def watch(server: WireServer, name: str) -> Any:
    """A call that watches a name."""
    return HealthStub(server.channel).Watch(pb.HealthCheckRequest(service=name), timeout=SOON)


def refusal(call: Any) -> Any:
    """The error that a call ends with."""
    with pytest.raises(grpc.RpcError) as caught:
        next(call) if hasattr(call, "__next__") else call()
    return caught.value


def test_the_names_of_the_service_follow_its_readiness_and_the_process_lives(
    server: WireServer, health: Health
) -> None:
    health.become(ready=False)
    assert [check(server, name) for name in ("", NAME, ALIAS)] == [
        SERVING,
        NOT_SERVING,
        NOT_SERVING,
    ]
    listed = HealthStub(server.channel).List(pb.HealthListRequest(), timeout=SOON).statuses
    assert {name: found.status for name, found in listed.items()} == {
        "": SERVING,
        NAME: NOT_SERVING,
        ALIAS: NOT_SERVING,
    }
    health.become(ready=True)
    assert check(server, NAME) == SERVING


def test_a_watcher_hears_of_changes_only_and_of_the_stop_last(
    server: WireServer, health: Health
) -> None:
    watching = watch(server, NAME)
    assert next(watching).status == SERVING
    for ready, heard in ((True, None), (False, NOT_SERVING), (False, None), (True, SERVING)):
        health.become(ready=ready)
        if heard is not None:
            assert next(watching).status == heard
    health.stop()
    health.become(ready=True)
    assert health.obstacle == "The service stops"
    assert next(watching).status == NOT_SERVING
    watching.cancel()


def test_an_unknown_name_is_refused_and_not_remembered(server: WireServer, health: Health) -> None:
    assert next(watch(server, "elsewhere")).status == UNKNOWN
    error = refusal(lambda: check(server, "elsewhere"))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert "elsewhere" not in health._statuses
    until(lambda: not health._watchers)


def test_a_name_that_is_too_long_and_a_request_that_is_none_are_refused(server: WireServer) -> None:
    for error in (
        refusal(watch(server, "x" * 256)),
        refusal(lambda: check(server, "x" * 256)),
        refusal(lambda: server.call(CHECK)(b"\xff", timeout=SOON)),
        refusal(server.stream(WATCH)(iter([b"\xff"]), timeout=SOON)),
    ):
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_watchers_are_counted_and_leave_room_when_they_go(
    server: WireServer, health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "MAX_WATCHERS", 2)
    watching = [watch(server, NAME) for _ in range(2)]
    assert [next(each).status for each in watching] == [SERVING] * 2
    assert refusal(watch(server, NAME)).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    watching[0].cancel()
    until(lambda: len(health._watchers) == 1)
    assert next(watch(server, NAME)).status == SERVING


def test_watchers_that_come_and_go_or_do_not_read_and_checks_without_a_body_stop_nothing(
    server: WireServer, health: Health
) -> None:
    steady = watch(server, NAME)
    assert next(steady).status == SERVING
    with Http2(server.address, NO_WINDOW) as deaf, Http2(server.address) as silent:
        name = pb.HealthCheckRequest(service=NAME).SerializeToString()
        for _ in range(20):
            deaf.send(*deaf.call(WATCH, name))
            silent.send(silent.headers(CHECK), silent.headers(WATCH))
        until(lambda: len(health._watchers) > 1)
        for turn in range(100):
            watching = watch(server, NAME)
            health.become(ready=bool(turn % 2))
            watching.cancel()
        assert check(server, NAME) == SERVING
        until(lambda: len(health._watchers) == 1)  # The deaf ones were given up.
        assert silent.ending_of(1)["grpc-status"] == str(grpc.StatusCode.DEADLINE_EXCEEDED.value[0])
    health.stop()
    while next(steady).status != NOT_SERVING:
        pass


def test_a_call_without_its_message_is_unimplemented(server: WireServer) -> None:
    with Http2(server.address) as client:
        cut = client.headers(CHECK)
        frame = data(cut.stream_id, b"message")
        frame.data = frame.data[:-2]
        client.send(cut, frame)
        assert client.ending_of(cut.stream_id)["grpc-status"] == "12"


class Told(InertEvents):
    """Keeps what operators see."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def ready(self) -> None:
        """See Events."""
        self.lines.append("ready")

    def not_ready(self, why: str) -> None:
        """See Events."""
        self.lines.append(f"not ready: {why}")


def test_readiness_falls_after_failures_in_a_row_and_each_change_is_reported_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health_module, "CHECK_EVERY", 0.001)
    passing = Obstacle("slow")
    lasting = Obstacle("read-only", lasting=True, sentence="It takes no writes")
    answers = [
        None, passing, None, *[passing] * FAILURES_TO_UNREADY, passing, None, lasting, lasting, None
    ]  # fmt: skip
    seen: list[int] = []
    told_to_all: list[str] = []
    health, told = Health([NAME]), Told()

    def obstacle() -> Obstacle | None:
        seen.append(health.status(NAME))
        told_to_all.append(health.obstacle)
        return answers.pop(0) if answers else None

    readiness = Readiness(health, obstacle, told)
    until(lambda: not answers)
    readiness.stop()
    assert seen[:6] == [SERVING] * 5 + [NOT_SERVING]
    assert seen[7:9] == [SERVING, NOT_SERVING]
    assert told_to_all[8] == "It takes no writes"
    assert (health.status(NAME), health.obstacle) == (SERVING, "")
    assert told.lines == ["not ready: slow", "ready", "not ready: read-only", "ready"]
