"""Services that tests share, each test with users of its own; and services of a test's own."""

import os
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from psycopg.conninfo import make_conninfo

from tests.support.client import Client
from tests.support.database import execute
from tests.support.service import Service

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def shared_database(postgres: str, migrated: str) -> str:
    """The DSN of the migrated database on which the shared services serve."""
    execute(postgres, f"CREATE DATABASE e2e TEMPLATE {migrated}")
    return make_conninfo(postgres, dbname="e2e")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs the tests that are marked so on both bodies of the wire, unless one is asked for."""
    if metafunc.definition.get_closest_marker("both_wires") and "WORKFLOWS_WIRE" not in os.environ:
        metafunc.parametrize("wire", ["direct", "handled"], indirect=True, scope="session")


@pytest.fixture(scope="session")
def wire(request: pytest.FixtureRequest) -> str:
    """The body of the wire on which the services run: that of the environment, as a rule."""
    return str(getattr(request, "param", os.environ.get("WORKFLOWS_WIRE", "auto")))


@pytest.fixture(scope="session")
def services(shared_database: str, wire: str) -> Iterator[tuple[Service, Service, Service]]:
    """Three processes on one database, the last with pages of 3."""
    on, by = ("--database-url", shared_database), {"WORKFLOWS_WIRE": wire}
    with (
        Service(*on, **by) as one,
        Service(*on, **by) as other,
        Service(*on, **by, WORKFLOWS_PAGE_SIZE="3") as small,
    ):
        yield one, other, small


@pytest.fixture
def service(services: tuple[Service, Service, Service]) -> Service:
    """A process that serves."""
    return services[0]


@pytest.fixture
def client(services: tuple[Service, Service, Service]) -> Client:
    """A client of a process that serves."""
    return services[0].client


@pytest.fixture
def elsewhere(services: tuple[Service, Service, Service]) -> Client:
    """A client of another process on the same database."""
    return services[1].client


@pytest.fixture
def paging(services: tuple[Service, Service, Service]) -> Client:
    """A client of a process whose pages hold 3 workflows."""
    return services[2].client


@pytest.fixture
def user() -> str:
    """A user who has no workflow yet."""
    return f"user {next(_NUMBERS)}"


@pytest.fixture
def other_user() -> str:
    """Another user."""
    return f"other_user {next(_NUMBERS)}"


@pytest.fixture
def serve(database: str, wire: str) -> Iterator[Callable[..., Service]]:
    """Starts processes on a database of this test's own; they end with the test."""
    started: list[Service] = []

    def start(**environment: str) -> Service:
        service = Service("--database-url", database, **{"WORKFLOWS_WIRE": wire, **environment})
        started.append(service)
        return service

    yield start
    for service in started:
        service.close()
