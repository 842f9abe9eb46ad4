"""Pages of the disk whose checksum is wrong: only the workflows on them cannot be read."""

import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial

import grpc
import psycopg
import pytest
from workflows_testing import requests

from application.verification.findings import Kind
from infrastructure.contract import UNREADABLE_KEY
from infrastructure.proof.verifying import Verification
from tests.faults.own_server import OwnServer
from tests.support.client import Answer, Refused, together
from tests.support.database import execute, select, value
from tests.support.service import Service
from tests.support.waiting import until

ALICE = "alice"
COUNT = 60
LARGE = '{"url": "https://example.com/hook", "body": "%s"}'
PAGE = 8192  # bytes
_PATH = "SELECT pg_relation_filepath(%s::regclass)"
_IDS_ON_A_PAGE = "SELECT id::text FROM workflows WHERE (ctid::text::point)[0] = %s"
_TOAST = "SELECT reltoastrelid::regclass::text FROM pg_class WHERE oid = 'workflows'::regclass"
_EVICT = "SELECT pg_buffercache_evict_all()"


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    """A PostgreSQL of these tests' own."""
    with closing(OwnServer()) as server:
        execute(server.dsn, "CREATE EXTENSION pg_buffercache")
        yield server


@pytest.fixture
def service(server: OwnServer) -> Iterator[Service]:
    """A service on it, which has a list of many workflows, one of them large."""
    execute(server.dsn, "TRUNCATE workflows, workflow_events, command_ledger, lost_rows")
    with Service("--database-url", server.dsn) as service:
        large = LARGE % os.urandom(200_000).hex()
        service.client.create(ALICE, name="large", payload=large)
        for number in range(COUNT):
            service.client.create(ALICE, name=f"report {number}")
        yield service


def damage(server: OwnServer, table: str, page: int) -> None:
    """Changes a byte of a page on the disk, and has the server read the page from there."""
    execute(server.dsn, "CHECKPOINT")
    with (server.data / value(server.dsn, _PATH, table)).open("r+b") as file:
        file.seek((page + 1) * PAGE - 100)
        [byte] = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 0xFF]))
    execute(server.dsn, _EVICT)


def shown_and_left_out(service: Service) -> tuple[list[str], set[str]]:
    """The ids on all pages of the list, and those that it lacks."""
    client = service.client
    shown: list[str] = []
    left_out: set[str] = set()
    cursor = ""
    while True:
        answer = client.ask(client.stub.ListWorkflows, requests.page(ALICE, cursor))
        shown += [listed.id for listed in answer.message.workflows]
        left_out |= set(filter(None, str(answer.trailing.get(UNREADABLE_KEY, "")).split(",")))
        if not (cursor := answer.message.cursor):
            return shown, left_out


@pytest.mark.parametrize("table", ["workflows", "the large payload's"])
def test_a_list_answers_all_but_the_workflows_on_a_damaged_page(
    server: OwnServer, service: Service, table: str
) -> None:
    every = service.client.walk(ALICE)
    if table == "workflows":
        lost = {found for (found,) in select(server.dsn, _IDS_ON_A_PAGE, 1)}
        assert 1 < len(lost) < COUNT
        damage(server, table, 1)
    else:
        lost = {every[-1]}
        damage(server, value(server.dsn, _TOAST), 2)
    for _ in range(2):
        assert shown_and_left_out(service) == ([i for i in every if i not in lost], lost)
    for workflow_id in lost:
        assert service.log().count(f'"workflow": "{workflow_id}"') == 1


def test_calls_at_once_fail_for_the_workflows_on_a_damaged_page_alone(
    server: OwnServer, service: Service
) -> None:
    client = service.client
    every = list(client.walk(ALICE))
    lost = {found for (found,) in select(server.dsn, _IDS_ON_A_PAGE, 0)}
    damage(server, "workflows", 0)
    got = together([partial(client.get, i, ALICE) for i in every], at_once=40)
    counted = together([partial(client.increment, i) for i in every], at_once=40)
    for workflow_id, *outcomes in zip(every, got, counted, strict=True):
        for outcome in outcomes:
            if workflow_id in lost:
                assert isinstance(outcome, Refused)
                assert outcome.code is grpc.StatusCode.DATA_LOSS
            else:
                assert isinstance(outcome, Answer)


def test_an_emptied_table_of_damaged_pages_is_made_anew_from_the_events(
    server: OwnServer, service: Service
) -> None:
    every = list(service.client.walk(ALICE))
    damage(server, "workflows", 1)
    assert shown_and_left_out(service)[1]
    execute(server.dsn, "TRUNCATE workflows")
    until(lambda: shown_and_left_out(service) == (every, set()))


@pytest.mark.parametrize("table", ["workflow_events", "workflows"])
def test_verification_names_a_damaged_page_by_its_first_event(
    server: OwnServer, service: Service, table: str
) -> None:
    on_the_page = (
        "SELECT min(notification_id) FROM workflow_events WHERE (ctid::text::point)[0] = 1"
    )
    first = value(server.dsn, on_the_page) if table == "workflow_events" else 0
    damage(server, table, 1)

    with psycopg.connect(server.dsn, autocommit=True) as connection:
        report = Verification(connection, None, lambda: datetime.now(UTC)).feed(whole=True)

    found = [(each.kind, each.position) for each in report.integrity.findings]
    assert found == [(Kind.DAMAGED_STORAGE, first)]
