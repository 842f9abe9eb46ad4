"""The embedded PostgreSQL ends because its disk is full, and is back when there is room again."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from workflows_testing.client import Answer, Refused

from tests.environments.conftest import postmasters
from tests.environments.disks import mounted
from tests.support.client import outcome
from tests.support.readiness import is_ready
from tests.support.service import Service
from tests.support.waiting import until

ALICE = "alice"
LEFT = 15_000_000  # bytes: less than the server needs to begin the next file of its WAL
BODY = '{"url": "https://example.com/hook", "body": "%s"}'


@pytest.fixture
def disk(folder: Path) -> Iterator[Path]:
    """A disk on which a new cluster has room, and little more."""
    yield from mounted(folder / "disk", "size=160m")


def fill(filler: Path) -> None:
    """Takes nearly all the room that is left on a disk."""
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(filler.parent).free - LEFT)


def test_a_server_that_ended_because_its_disk_was_full_is_started_again(disk: Path) -> None:
    filler = disk / "filler"
    with Service("--data-dir", str(disk / "data")) as service:
        recorded = [service.client.created(ALICE)]
        fill(filler)
        refusals: list[Refused] = []

        def ended() -> bool:
            payload = BODY % os.urandom(300_000).hex()
            answer = outcome(lambda: service.client.create(ALICE, payload=payload))
            if isinstance(answer, Refused):
                refusals.append(answer)
            else:
                recorded.append(answer.message.id)
            return not postmasters(disk)

        until(ended)
        assert {refusal.code for refusal in refusals} == {grpc.StatusCode.UNAVAILABLE}
        assert all(refusal.retry for refusal in refusals)
        until(lambda: not is_ready(service.client))
        until(lambda: "it is started again" in service.log())
        filler.unlink()
        until(lambda: isinstance(outcome(lambda: service.client.create(ALICE)), Answer))
        for workflow_id in recorded:
            assert service.client.get(workflow_id, ALICE).message.id == workflow_id
        assert "No space left on device" in service.log()
        assert service.stop() == 0
    assert not postmasters(disk)
