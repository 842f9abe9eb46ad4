"""Another catalogue of kinds and build statuses serves, and what it left behind stays usable."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.support.client import Client, refused
from tests.support.records import events_of
from tests.support.service import NotStarted, Service

SECOND = Path(__file__).with_name("second.toml")
RUN = '{"image": "alpine:3", "command": ["true"]}'


@pytest.fixture(scope="module")
def second(shared_database: str) -> Iterator[Client]:
    """A client of a service with the second catalogue."""
    catalogue = {"WORKFLOWS_CATALOGUE": str(SECOND)}
    with Service("--database-url", shared_database, **catalogue) as service:
        yield service.client


@pytest.fixture
def container(second: Client, user: str) -> str:
    """A workflow of a kind that only the second catalogue knows."""
    return second.created(user, kind="CONTAINER", payload=RUN)


def test_a_container_lives_its_whole_life(
    second: Client, user: str, container: str, shared_database: str
) -> None:
    def shown() -> tuple[str, int, bool]:
        found = second.get(container, user).message
        return found.build_status, found.generation, bool(found.terminated_at)

    assert shown() == ("QUEUED", 1, False)
    for status in ("STARTED", "COMPLETED"):
        second.build(container, status, generation=1)
    for job in ("one", "two", "three"):
        second.increment(container, job)
    assert shown() == ("COMPLETED", 1, True)
    second.update(container, user, payload=RUN)
    assert shown() == ("QUEUED", 2, False)
    second.build(container, "COMPLETED", generation=2)
    second.update(container, user, payload='{"image": "alpine:4"}')
    assert shown() == ("QUEUED", 3, False)
    second.delete(container, user)
    assert events_of(shared_database, container) == [
        "created",
        *["build_status_changed"] * 2,
        *["failure_incremented"] * 3,
        "terminated",
        "updated",
        "build_status_changed",
        "updated",
        "deleted",
    ]


def test_its_own_rules_hold_and_no_others(second: Client, user: str) -> None:
    bad = {"kind": "CONTAINER", "payload": '{"image": "alpine"}'}
    assert "an image with a tag is accepted" in refused(lambda: second.create(user, **bad)).message
    unknown = refused(lambda: second.create(user, kind="http"))
    assert "one of HEARTBEAT, CONTAINER is accepted" in unknown.message
    ready = refused(lambda: second.build(second.created(user, **OF_HEARTBEAT), "pending"))
    assert "one of QUEUED, STARTED, COMPLETED, FAILED, CANCELED is accepted" in ready.message


OF_HEARTBEAT = {"kind": "HEARTBEAT", "payload": '{"endpoint": "http://h/ready"}'}


def test_each_kind_has_its_own_default_of_log_retention(
    second: Client, user: str, container: str
) -> None:
    heartbeat = second.created(user, **OF_HEARTBEAT)
    kept = [second.get(each, user).message.log_retention for each in (heartbeat, container)]
    assert kept == [False, True]


def test_lists_filter_by_its_kinds_and_statuses(second: Client, user: str, container: str) -> None:
    second.created(user, **OF_HEARTBEAT)
    second.build(container, "STARTED")
    assert second.walk(user, kind="CONTAINER", build_status="STARTED") == [container]


def test_a_workflow_of_a_kind_that_is_not_known_any_more_stays_usable(
    client: Client, user: str, container: str
) -> None:
    assert client.get(container, user).message.build_status == "QUEUED"
    assert client.walk(user) == [container]
    client.update(container, user, payload=RUN, name="renamed")
    other = refused(lambda: client.update(container, user, payload='{"image": "alpine:4"}'))
    assert (other.code, list(other.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, ["payload"])
    client.terminate(container, user)
    client.update(container, user, payload=RUN)
    assert client.get(container, user).message.build_status == "pending"
    client.delete(container, user)


def test_a_wrong_catalogue_is_refused_before_a_database_is_looked_for(tmp_path: Path) -> None:
    wrong = tmp_path / "kinds.toml"
    wrong.write_text('build_statuses = ["QUEUED"]\n\n[kinds.A]\npayload = { type = "strng" }\n')
    with Service("--catalogue", str(wrong)) as service, pytest.raises(NotStarted) as refusal:
        assert service.announced
    assert refusal.value.exit_code == 1
    assert ", line 4: the catalogue" in refusal.value.output
    assert "string, number, integer, boolean, array, object or null" in refusal.value.output
