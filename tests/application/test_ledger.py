"""The ledger's digests: one size, one scope each, and nothing in them that could be read."""

from collections.abc import Sequence

import pytest
from hypothesis import given as for_all
from workflows_testing import strategies

from application.ledger import LedgerDigests
from domain.commands import Command
from tests.support.given import (
    OTHER_ID,
    OTHER_USER,
    build_status,
    create,
    delete,
    increment,
    terminate,
    update,
)
from tests.support.stores import DIGESTS

KEYED: Sequence[Command] = [
    create(idempotency_key="k"),
    create(idempotency_key="k", user_id=OTHER_USER),
    create(idempotency_key="other"),
    update(idempotency_key="k"),
    update(idempotency_key="k", id=OTHER_ID),
    increment(job_id="k"),
    increment(job_id="k", id=OTHER_ID),
]


def test_each_key_counts_in_its_own_scope_only() -> None:
    keys = [DIGESTS.key(command) for command in KEYED]
    assert None not in keys
    assert len(set(keys)) == len(KEYED)


def test_a_key_of_an_update_belongs_to_its_workflow_for_every_caller() -> None:
    other = update(idempotency_key="k", user_id=OTHER_USER)
    assert DIGESTS.key(other) == DIGESTS.key(update(idempotency_key="k"))


@pytest.mark.parametrize("command", [create(), update(), increment(), terminate(), delete()])
def test_a_command_without_a_key_has_none(command: Command) -> None:
    assert DIGESTS.key(command) is None


def test_what_never_carries_a_key_has_none() -> None:
    assert DIGESTS.key(build_status("building")) is None


@pytest.mark.parametrize("command", KEYED, ids=lambda command: type(command).__name__)
def test_without_the_secret_no_digest_can_be_made_again(command: Command) -> None:
    others = LedgerDigests(b"another secret")
    assert DIGESTS.key(command) != others.key(command)
    assert DIGESTS.request(command) != others.request(command)


@for_all(strategies.creates())
def test_a_digest_has_one_size_whatever_it_stands_for(command: Command) -> None:
    assert len(DIGESTS.request(command)) == 32
    assert len(DIGESTS.key(command) or bytes(32)) == 32
