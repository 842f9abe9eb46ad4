"""What is named where one workflow alone is verified: its own differences, from wherever."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

import pytest

from application.verification.findings import Kind
from infrastructure.postgres.session import Session
from infrastructure.proof.verifier import SessionVerifier, read_only
from tests.infrastructure.verification.verdicts import Named, named, workflow
from tests.support.proofs import KeptLog
from tests.support.tampering import Attacker

Deed = Callable[[Attacker], None]


def nothing(_: Attacker) -> None:
    return


def change_bytes(attacker: Attacker) -> None:
    attacker.do("UPDATE workflow_events SET state = state || ' ' WHERE notification_id = 310")


def change_content(attacker: Attacker) -> None:
    attacker.do("UPDATE workflow_events SET salt = sha256(salt) WHERE notification_id = 310")


def rewrite(attacker: Attacker) -> None:
    attacker.rewrite(10, "Another name")


def insert_before(attacker: Attacker) -> None:
    attacker.insert(5, thorough=True)


def remove(attacker: Attacker) -> None:
    attacker.remove(310, thorough=False)


def remove_and_close_up(attacker: Attacker) -> None:
    attacker.remove(310, thorough=True)


def cut(attacker: Attacker) -> None:
    attacker.cut(600, thorough=False)


def give_away(attacker: Attacker) -> None:
    other = attacker.workflow_at(20)
    attacker.do(
        f"UPDATE workflow_events SET originator_id = '{other}', originator_version = 4"
        " WHERE notification_id = 610"
    )


def receive(attacker: Attacker) -> None:
    own = attacker.workflow_at(10)
    attacker.do(
        f"UPDATE workflow_events SET originator_id = '{own}', originator_version = 4"
        " WHERE notification_id = 620"
    )


def change_row(attacker: Attacker) -> None:
    attacker.do(f"UPDATE workflows SET failures = 9 WHERE id = '{attacker.workflow_at(10)}'")


def change_another(attacker: Attacker) -> None:
    attacker.do("UPDATE workflow_events SET state = state || ' ' WHERE notification_id = 320")


FOUND: list[tuple[Deed, Named]] = [
    (nothing, []),
    (change_another, []),
    (change_bytes, [(Kind.CHANGED_BYTES, 310)]),
    (change_content, [(Kind.CHANGED_CONTENT, 310)]),
    (rewrite, [(Kind.REWRITTEN_CHAIN, 10)]),
    (insert_before, [(Kind.MOVED_EVENT, 11)]),
    (remove, [(Kind.MISSING_EVENT, 310)]),
    (remove_and_close_up, [(Kind.REMOVED_EVENT, 310), (Kind.MOVED_EVENT, 609)]),
    (cut, [(Kind.CUT_TAIL, 610)]),
    (give_away, [(Kind.MOVED_EVENT, 610)]),
    (receive, [(Kind.MOVED_EVENT, 620)]),
    (change_row, [(Kind.WRONG_ROW, 610)]),
]


@pytest.mark.parametrize(("deed", "expected"), FOUND, ids=[deed.__name__ for deed, _ in FOUND])
def test_a_workflow_is_told_what_was_done_to_it(
    kept: KeptLog, attacker: Attacker, deed: Deed, expected: Named
) -> None:
    workflow_id = attacker.workflow_at(10)
    deed(attacker)

    assert named(workflow(kept, workflow_id)) == expected


def test_a_large_workflow_is_verified_apart_with_the_same_verdicts(
    kept: KeptLog, attacker: Attacker
) -> None:
    workflow_id = attacker.workflow_at(10)
    change_bytes(attacker)

    with closing(Session(kept.dsn, greet=read_only)) as session:
        apart, here = (
            SessionVerifier(session, kept.logs, lambda: datetime.now(UTC), kept.dsn, large)
            for large in (0, 1000)
        )
        found = apart.workflow(workflow_id)
        assert found == here.workflow(workflow_id)

    assert named(found) == [(Kind.CHANGED_BYTES, 310)]
