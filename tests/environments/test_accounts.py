"""A user without an account, as platforms for containers make one up for each installation."""

import os
from pathlib import Path

import pytest

from tests.environments.conftest import postmasters
from tests.environments.users import ServiceOfUser, ServiceWithoutAccount, needs_root
from tests.support.service import NotStarted

pytestmark = needs_root


def give(folder: Path, service: type[ServiceOfUser]) -> None:
    """Gives a folder and all that it holds to the user of a service."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, service.owner, service.group, follow_symlinks=False)


def test_a_database_is_not_made_for_it_and_the_refusal_says_what_would_do(folder: Path) -> None:
    give(folder, ServiceWithoutAccount)
    starting = ServiceWithoutAccount("--data-dir", str(folder / "data"))
    with starting as service, pytest.raises(NotStarted) as caught:
        assert service.announced
    assert "the uid 1000770000 has none here" in caught.value.output
    assert "/etc/passwd: workflows:x:1000770000:0::/:" in caught.value.output
    assert not list((folder / "data").glob("postgres*"))


def test_a_database_that_was_made_before_is_served_by_it(folder: Path) -> None:
    data_dir = folder / "data"
    give(folder, ServiceOfUser)
    with ServiceOfUser("--data-dir", str(data_dir)) as service:
        workflow_id = service.client.created("alice")
        assert service.stop() == 0
    give(folder, ServiceWithoutAccount)
    with ServiceWithoutAccount("--data-dir", str(data_dir)) as service:
        assert service.client.get(workflow_id, "alice").message.id == workflow_id
        assert service.stop() == 0, service.log()
    assert not postmasters(folder)
