"""A service that cannot start says why in a sentence; several that start at once all do."""

import socket
from collections.abc import Sequence

import pytest

from tests.support.service import NotStarted, Service


def refused_start(*flags: str, **environment: str) -> NotStarted:
    """How a service that must not start did not."""
    with Service(*flags, **environment) as service, pytest.raises(NotStarted) as caught:
        assert service.announced
    return caught.value


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_that_another_service_has_is_refused(
    service: Service, shared_database: str, workers: str
) -> None:
    refusal = refused_start(
        *("--listen", service.address), *("--database-url", shared_database), "--workers", workers
    )
    assert refusal.exit_code == 1
    assert f"{service.address} is in use" in refusal.output
    assert "Traceback" not in refusal.output


def test_a_port_that_another_program_has_is_refused(shared_database: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        refusal = refused_start("--listen", address, "--database-url", shared_database)
    assert (refusal.exit_code, f"{address} is in use" in refusal.output) == (1, True)


def test_a_database_that_cannot_be_reached_is_named_without_its_password() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        refusal = refused_start("--database-url", f"postgresql://me:s3cret@127.0.0.1:{port}/mine")
    assert refusal.exit_code == 1
    assert f"127.0.0.1:{port}/mine cannot be reached" in refusal.output
    assert "s3cret" not in refusal.output
    assert "Traceback" not in refusal.output


@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        ({"WORKFLOWS_LISTEN": "0.0.0.0:50052"}, "--listen 0.0.0.0:50052: "),
        ({"WORKFLOWS_LISTEN": "50052"}, "--listen 50052: "),
        ({"WORKFLOWS_PAGE_SIZE": "0"}, "WORKFLOWS_PAGE_SIZE=0: must be 1 to 1000"),
        ({"WORKFLOWS_WORKERS": "many"}, "WORKFLOWS_WORKERS=many: must be 1 to 64"),
        ({"WORKFLOWS_DATABASE_URL": "postgresql://me:s3cret@[/"}, "WORKFLOWS_DATABASE_URL: "),
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_is_named(environment: dict[str, str], complaint: str) -> None:
    flags = (
        ()
        if "WORKFLOWS_LISTEN" not in environment
        else ("--listen", environment["WORKFLOWS_LISTEN"])
    )
    refusal = refused_start(*flags, **environment)
    assert refusal.exit_code == 1
    assert complaint in refusal.output
    assert "Traceback" not in refusal.output
    assert "s3cret" not in refusal.output


def test_services_that_start_at_once_on_an_empty_database_all_serve(empty_database: str) -> None:
    on = ("--database-url", empty_database)
    with Service(*on) as one, Service(*on) as two, Service(*on) as three:
        services: Sequence[Service] = (one, two, three)
        workflow_id = one.client.created("alice")
        assert [s.client.get(workflow_id, "alice").version for s in services] == [1, 1, 1]
