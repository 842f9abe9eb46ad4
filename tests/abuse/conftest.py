"""The services that are attacked, and the report of what they met."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial

import pytest
from psycopg.conninfo import make_conninfo

from tests.abuse.callers import LARGE, WORST
from tests.abuse.report import Line, table
from tests.abuse.under_attack import JUDGES_SPEED, PATIENCE, Attacked
from tests.support.client import together
from tests.support.database import execute
from tests.support.service import Service

_REPORTS = pytest.StashKey[dict[str, list[Line]]]()


@pytest.fixture(scope="session")
def shared_database(postgres: str, migrated: str) -> str:
    """The DSN of a migrated database."""
    execute(postgres, f"CREATE DATABASE abuse TEMPLATE {migrated}")
    return make_conninfo(postgres, dbname="abuse")


@pytest.fixture(scope="module")
def serve(
    request: pytest.FixtureRequest, shared_database: str
) -> Callable[[], AbstractContextManager[Service]]:
    """Starts a service on the wire that the module names."""
    return lambda: Service(
        *("--database-url", shared_database),
        WORKFLOWS_WIRE=request.module.WIRE,
        WORKFLOWS_PATIENCE=PATIENCE,
    )


@pytest.fixture(scope="module")
def attacked(serve: Callable[[], AbstractContextManager[Service]]) -> Iterator[Attacked]:
    """A service, after its first use: what that made belongs to rest, such as connections."""
    with serve() as service:
        client = service.client
        for _ in range(3):  # Each thread of the service has had work.
            together([partial(client.create, "neighbour") for _ in range(300)])
        together([partial(client.page, "neighbour") for _ in range(20)])
        together([partial(client.create, "worst", payload=payload) for payload in WORST])
        large = client.created("large", kind="script", payload=LARGE)
        for _ in range(3):  # The buffers of each connection to the database have had a full batch.
            together([partial(client.get, large, "large") for _ in range(64)])
        attacked = Attacked(service)
        with attacked.attackers:
            yield attacked


@pytest.fixture(scope="module")
def beyond(request: pytest.FixtureRequest) -> Mapping[str, str]:
    """The attacks that the module's wire does not withstand, each with the reason."""
    found: Mapping[str, str] = getattr(request.module, "BEYOND", {})
    return found


@pytest.fixture(scope="module")
def report(request: pytest.FixtureRequest) -> list[Line]:
    """The lines of the module's report."""
    return request.config.stash.setdefault(_REPORTS, {}).setdefault(request.module.WIRE, [])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Prints the reports of `make abuse`."""
    for wire, lines in config.stash.get(_REPORTS, {}).items() if JUDGES_SPEED else ():
        terminalreporter.write_line("")
        for line in table(f"On the wire `{wire}`: ms, MiB above rest, s of a stop", lines):
            terminalreporter.write_line(line)
