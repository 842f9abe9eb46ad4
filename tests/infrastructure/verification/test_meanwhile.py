"""Verification while the service goes on: what grows meanwhile is never called damaged."""

from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

import pytest

from application.erasure import EraseUser, Erasures
from infrastructure.eventstore.erasure import PostgresErasures
from infrastructure.proof.kept import KeptLog as LogOfEpoch
from infrastructure.proof.receipts import FolderReceipts
from infrastructure.tlog.checkpoints import SignedCheckpoint
from tests.infrastructure.verification.verdicts import feed, named
from tests.support.given import create, increment
from tests.support.proofs import KEY, KeptLog, record, write
from tests.support.stores import open_store

ROUNDS = 6


def test_a_witness_that_cosigns_meanwhile_has_seen_no_more_than_there_is(
    kept: KeptLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = LogOfEpoch.newest

    def grows_then(log: LogOfEpoch) -> SignedCheckpoint | None:
        found = newest(log)
        with open_store(kept.dsn) as store:
            write(store, 1)
        kept.follow()
        kept.cosign()
        return found

    monkeypatch.setattr(LogOfEpoch, "newest", grows_then)

    assert named(feed(kept)) == []


def test_a_record_that_grows_and_is_erased_meanwhile_holds(kept: KeptLog, tmp_path: Path) -> None:
    ended = Event()
    faults: list[Exception] = []

    def until_the_end(work: Callable[[], object]) -> Thread:
        def run() -> None:
            try:
                while not ended.is_set():
                    work()
            except Exception as fault:  # noqa: BLE001 - the test shows it
                faults.append(fault)

        thread = Thread(target=run)
        thread.start()
        return thread

    def sign() -> None:
        kept.follow()
        kept.cosign()

    receipts = FolderReceipts(tmp_path, lambda: KEY)
    erasures = Erasures(PostgresErasures(kept.dsn), receipts, receipts.sign)
    with open_store(kept.dsn) as store, open_store(kept.dsn) as another:

        def come_and_go() -> None:
            user, workflow_id = f"user {uuid4()}", str(uuid4())
            made = create(id=workflow_id, user_id=user, idempotency_key="k")
            record(another, [made, increment(id=workflow_id, user_id=user, job_id="j")])
            erasures.erase(EraseUser(user, "asked", "law", validate_only=False), "admin")

        works = [sign, lambda: write(store, 20, events=3), come_and_go]
        threads = [until_the_end(work) for work in works]
        try:
            found = [named(feed(kept, since_last=number % 2 == 1)) for number in range(ROUNDS)]
        finally:
            ended.set()
            for thread in threads:
                thread.join()

    assert faults == []
    assert found == [[]] * ROUNDS
    assert named(feed(kept)) == []
