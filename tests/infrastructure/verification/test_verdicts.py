"""What the verdicts say where no log is kept, since the last time, and after an erasure."""

from pathlib import Path

from application.erasure import EraseUser, Erasures
from application.verification.findings import MOST, Kind
from infrastructure.eventstore.erasure import PostgresErasures
from infrastructure.proof.receipts import FolderReceipts
from tests.infrastructure.verification.verdicts import feed, feed_without_log, named, workflow
from tests.support.given import create, increment
from tests.support.proofs import KEY, KeptLog, creations, record, write
from tests.support.stores import open_store
from tests.support.tampering import Attacker, sign_anew

UNPROVEN = (Kind.NO_CHECKPOINT, 0)


def test_without_a_log_completeness_does_not_hold_and_nothing_is_called_damaged(
    kept: KeptLog,
) -> None:
    report = feed_without_log(kept)

    assert report.integrity.holds
    assert not report.completeness.holds
    assert not report.completeness.damaged
    assert named(report) == [UNPROVEN]


def test_without_a_log_a_missing_event_is_not_reported_again_where_it_shows(
    kept: KeptLog, attacker: Attacker
) -> None:
    attacker.remove(310, thorough=False)

    assert named(feed_without_log(kept)) == [UNPROVEN, (Kind.MISSING_EVENT, 310)]


def test_without_a_log_an_event_that_was_removed_and_closed_up_shows_at_the_next_one(
    kept: KeptLog, attacker: Attacker
) -> None:
    attacker.remove(310, thorough=True)

    assert named(feed_without_log(kept)) == [(Kind.REMOVED_EVENT, 609), UNPROVEN]


def test_without_a_log_a_changed_event_shows_by_the_one_after_it(
    kept: KeptLog, attacker: Attacker
) -> None:
    attacker.do("UPDATE workflow_events SET state = state || ' ' WHERE notification_id = 310")

    assert named(feed_without_log(kept)) == [(Kind.BROKEN_CHAIN, 310), UNPROVEN]


def test_a_chain_that_is_broken_beyond_a_missing_event_is_reported_too(kept: KeptLog) -> None:
    with open_store(kept.dsn) as store:
        [workflow_id] = write(store, 1, events=5)
    attacker = Attacker(kept.dsn)
    # The service itself recorded a broken chain, as it were: the log has signed what stands there.
    attacker.do("UPDATE workflow_events SET state = state || ' ' WHERE notification_id = 904")
    kept.follow()
    kept.cosign()
    attacker.do("DELETE FROM workflow_events WHERE notification_id = 902")

    assert attacker.workflow_at(905) == workflow_id
    assert named(feed(kept)) == [(Kind.BROKEN_CHAIN, 904), (Kind.MISSING_EVENT, 902)]


def test_since_the_last_time_only_what_follows_is_verified(
    kept: KeptLog, attacker: Attacker
) -> None:
    assert feed(kept).holds
    with open_store(kept.dsn) as store:
        write(store, 100)
    kept.follow()
    kept.cosign()
    attacker.do("UPDATE workflow_events SET state = state || ' ' WHERE notification_id = 310")

    again = feed(kept, since_last=True)

    assert named(again) == []
    assert (again.from_position, again.position) == (769, 1000)  # It begins with a whole tile.
    assert named(feed(kept)) == [(Kind.CHANGED_BYTES, 310)]

    attacker.do("UPDATE workflow_events SET state = state || ' ' WHERE notification_id = 950")
    assert named(feed(kept, since_last=True)) == [(Kind.CHANGED_BYTES, 950)]


def test_a_log_that_was_signed_anew_contradicts_the_last_verification_too(
    kept: KeptLog, attacker: Attacker, tmp_path: Path
) -> None:
    assert feed(kept).holds
    for path in (kept.folder / "cosigned").iterdir():
        path.unlink()
    kept.logs.begin(kept.epoch, KEY.log_signer(kept.epoch).verifier)
    attacker.rewrite(10, "Another name")
    sign_anew(kept, tmp_path / "forged")

    for since_last in (False, True):
        assert named(feed(kept, since_last=since_last)) == [(Kind.REWRITTEN_LOG, 1)]


def test_the_first_position_that_was_rewritten_is_narrowed_by_what_was_seen(
    kept: KeptLog, attacker: Attacker, tmp_path: Path
) -> None:
    with open_store(kept.dsn) as store:
        write(store, 100)
    kept.follow()
    assert feed(kept).holds
    attacker.rewrite(950, "Another name")
    sign_anew(kept, tmp_path / "forged")

    assert named(feed(kept)) == [(Kind.REWRITTEN_LOG, 901)]


def test_what_no_checkpoint_covers_soon_could_not_be_shown(kept: KeptLog) -> None:
    with open_store(kept.dsn) as store:
        write(store, 1)

    assert feed(kept).holds
    late = feed(kept, later=300)

    assert named(late) == [(Kind.STALE_CHECKPOINT, 901)]
    assert not late.completeness.damaged


def test_a_checkpoint_without_the_cosignatures_that_are_asked_for_shows_nothing(
    kept: KeptLog,
) -> None:
    for path in (kept.folder / "cosigned").iterdir():
        path.unlink()

    report = feed(kept)

    assert named(report) == [(Kind.NOT_COSIGNED, 0)]
    assert not report.completeness.damaged


def test_the_first_findings_are_named_and_all_are_counted(
    kept: KeptLog, attacker: Attacker
) -> None:
    attacker.do("UPDATE workflow_events SET salt = sha256(salt) WHERE notification_id > 600")

    report = feed(kept)

    assert (len(report.integrity.findings), report.integrity.faults) == (MOST, 300)
    assert named(report)[0] == (Kind.CHANGED_CONTENT, 601)


def test_the_events_of_an_erased_user_verify(kept: KeptLog, tmp_path: Path) -> None:
    [workflow_id] = creations(1)
    with open_store(kept.dsn) as store:
        record(
            store, [create(id=workflow_id, user_id="bob"), increment(id=workflow_id, user_id="bob")]
        )
    kept.follow()
    kept.cosign()
    receipts = FolderReceipts(tmp_path, lambda: KEY)
    erasures = Erasures(PostgresErasures(kept.dsn), receipts, receipts.sign)
    erased = erasures.erase(EraseUser("bob", "asked for", "GDPR 17", validate_only=False), "admin")

    assert erased.events == 2
    assert named(feed(kept)) == []
    assert named(workflow(kept, workflow_id)) == []
