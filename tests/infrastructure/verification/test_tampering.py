"""Every way of tampering is found, named with its first position, and nothing is named beside it.

See the fixture `kept` for the positions.
"""

import pytest

from application.verification.findings import Kind
from tests.infrastructure.verification.verdicts import Named, feed, named
from tests.support.proofs import KeptLog
from tests.support.tampering import Attacker, Tamper, flip, sign_anew


def bytes_changed(attacker: Attacker, _: KeptLog) -> None:
    attacker.do("UPDATE workflow_events SET state = state || ' ' WHERE notification_id = 310")


def recorded_at_changed(attacker: Attacker, _: KeptLog) -> None:
    attacker.do(
        "UPDATE workflow_events SET state = convert_to(regexp_replace(convert_from(state, 'UTF8'),"
        " '\"recorded_at\":\"2', '\"recorded_at\":\"1'), 'UTF8') WHERE notification_id = 310"
    )


def content_changed(attacker: Attacker, _: KeptLog) -> None:
    attacker.do(
        "UPDATE workflow_events SET content = convert_to(replace(convert_from(content, 'UTF8'),"
        " 'gateway', 'someone'), 'UTF8') WHERE notification_id = 310"
    )


def salt_changed(attacker: Attacker, _: KeptLog) -> None:
    attacker.do("UPDATE workflow_events SET salt = sha256(salt) WHERE notification_id = 310")


def content_taken_away(attacker: Attacker, _: KeptLog) -> None:
    workflow_id = attacker.workflow_at(310)
    attacker.do(
        "UPDATE workflow_events SET salt = NULL, content = NULL"
        f" WHERE originator_id = '{workflow_id}'",
        f"DELETE FROM workflows WHERE id = '{workflow_id}'",
        f"DELETE FROM command_ledger WHERE workflow_id = '{workflow_id}'",
    )


def name_changed(attacker: Attacker, _: KeptLog) -> None:
    attacker.do("UPDATE workflow_events SET topic = 'deleted.v1' WHERE notification_id = 310")


def positions_swapped(attacker: Attacker, _: KeptLog) -> None:
    attacker.do(
        "UPDATE workflow_events SET notification_id = 5000 WHERE notification_id = 310",
        "UPDATE workflow_events SET notification_id = 310 WHERE notification_id = 320",
        "UPDATE workflow_events SET notification_id = 320 WHERE notification_id = 5000",
    )


def versions_swapped(attacker: Attacker, _: KeptLog) -> None:
    workflow_id = attacker.workflow_at(310)
    moves = [(2, 50), (3, 2), (50, 3)]
    attacker.do(
        *(
            f"UPDATE workflow_events SET originator_version = {to}"
            f" WHERE originator_id = '{workflow_id}' AND originator_version = {version}"
            for version, to in moves
        )
    )


def bytes_swapped(attacker: Attacker, _: KeptLog) -> None:
    attacker.do(
        "CREATE TEMPORARY TABLE two AS SELECT * FROM workflow_events"
        " WHERE notification_id IN (310, 320)",
        "UPDATE workflow_events AS e SET state = t.state, salt = t.salt, content = t.content"
        " FROM two AS t WHERE e.notification_id + t.notification_id = 630",
    )


def inserted(attacker: Attacker, _: KeptLog) -> None:
    attacker.insert(310, thorough=False)


def inserted_with_all_that_belongs_to_it(attacker: Attacker, _: KeptLog) -> None:
    attacker.insert(310, thorough=True)


def removed(attacker: Attacker, _: KeptLog) -> None:
    attacker.remove(310, thorough=False)


def removed_and_closed_up(attacker: Attacker, _: KeptLog) -> None:
    attacker.remove(310, thorough=True)


def tail_cut(attacker: Attacker, _: KeptLog) -> None:
    attacker.cut(890, thorough=False)


def tail_cut_with_all_that_belongs_to_it(attacker: Attacker, _: KeptLog) -> None:
    attacker.cut(890, thorough=True)


def chain_rewritten(attacker: Attacker, _: KeptLog) -> None:
    attacker.rewrite(10, "Another name")


def rewritten_with_the_stolen_key(attacker: Attacker, kept: KeptLog) -> None:
    attacker.rewrite(10, "Another name")
    sign_anew(kept, kept.logs.root.parent / "forged")


def cut_with_the_stolen_key(attacker: Attacker, kept: KeptLog) -> None:
    attacker.cut(300, thorough=True)
    sign_anew(kept, kept.logs.root.parent / "forged")


def row_changed(attacker: Attacker, _: KeptLog) -> None:
    workflow_id = attacker.workflow_at(310)
    attacker.do(f"UPDATE workflows SET payload = '{{}} ' WHERE id = '{workflow_id}'")


def row_gone(attacker: Attacker, _: KeptLog) -> None:
    workflow_id = attacker.workflow_at(310)
    attacker.do(f"DELETE FROM workflows WHERE id = '{workflow_id}'")


def row_of_nothing(attacker: Attacker, _: KeptLog) -> None:
    attacker.do(
        "CREATE TEMPORARY TABLE forged AS SELECT * FROM workflows LIMIT 1",
        "UPDATE forged SET id = gen_random_uuid()",
        "INSERT INTO workflows SELECT * FROM forged",
    )


def entry_of(attacker: Attacker, change: str) -> None:
    workflow_id = attacker.workflow_at(10)
    attacker.do(
        f"UPDATE command_ledger SET {change} WHERE workflow_id = '{workflow_id}' AND version = 1"
    )


def entry_with_another_position(attacker: Attacker, _: KeptLog) -> None:
    entry_of(attacker, "position = 777")


def entry_with_another_version(attacker: Attacker, _: KeptLog) -> None:
    entry_of(attacker, "version = 2")


def entry_of_another_workflow(attacker: Attacker, _: KeptLog) -> None:
    other = attacker.workflow_at(20)
    entry_of(attacker, f"workflow_id = '{other}'")


def moved_to_another_workflow(attacker: Attacker, _: KeptLog) -> None:
    other = attacker.workflow_at(20)
    attacker.do(
        f"UPDATE workflow_events SET originator_id = '{other}', originator_version = 4"
        " WHERE notification_id = 910 - 300"
    )


def bundle_changed(_: Attacker, kept: KeptLog) -> None:
    flip(kept.folder / "tile" / "entries" / "001", 3)


def tile_changed(_: Attacker, kept: KeptLog) -> None:
    flip(kept.folder / "tile" / "0" / "001", 32 * 9)


def upper_tile_changed(_: Attacker, kept: KeptLog) -> None:
    flip(kept.folder / "tile" / "1" / "000.p" / "3", 32)


def tile_gone(_: Attacker, kept: KeptLog) -> None:
    (kept.folder / "tile" / "0" / "001").unlink()


def checkpoint_changed(_: Attacker, kept: KeptLog) -> None:
    flip(kept.folder / "checkpoint", 30)


def event_and_bundle_changed(attacker: Attacker, kept: KeptLog) -> None:
    bytes_changed(attacker, kept)
    forged = KeptLog(kept.dsn, kept.logs.root.parent / "forged")
    forged.follow()
    bundle = forged.folder / "tile" / "entries" / "001"
    (kept.folder / "tile" / "entries" / "001").write_bytes(bundle.read_bytes())


FOUND: list[tuple[Tamper, Named]] = [
    (bytes_changed, [(Kind.CHANGED_BYTES, 310)]),
    (recorded_at_changed, [(Kind.CHANGED_BYTES, 310)]),
    (content_changed, [(Kind.CHANGED_CONTENT, 310)]),
    (salt_changed, [(Kind.CHANGED_CONTENT, 310)]),
    (content_taken_away, [(Kind.LOST_CONTENT, 10)]),
    (name_changed, [(Kind.CHANGED_NAME, 310)]),
    (positions_swapped, [(Kind.SWAPPED_EVENTS, 310)]),
    (versions_swapped, [(Kind.SWAPPED_EVENTS, 310)]),
    (bytes_swapped, [(Kind.SWAPPED_EVENTS, 310)]),
    (inserted, [(Kind.INSERTED_EVENT, 310)]),
    (inserted_with_all_that_belongs_to_it, [(Kind.INSERTED_EVENT, 310)]),
    (removed, [(Kind.MISSING_EVENT, 310)]),
    (removed_and_closed_up, [(Kind.REMOVED_EVENT, 310)]),
    (tail_cut, [(Kind.CUT_TAIL, 891)]),
    (tail_cut_with_all_that_belongs_to_it, [(Kind.CUT_TAIL, 891)]),
    (chain_rewritten, [(Kind.REWRITTEN_CHAIN, 10)]),
    (rewritten_with_the_stolen_key, [(Kind.REWRITTEN_LOG, 1)]),
    (cut_with_the_stolen_key, [(Kind.CUT_LOG, 301)]),
    (row_changed, [(Kind.WRONG_ROW, 610)]),
    (row_gone, [(Kind.MISSING_ROW, 610)]),
    (row_of_nothing, [(Kind.STRANGE_ROW, 0)]),
    (entry_with_another_position, [(Kind.LEDGER_ASTRAY, 10)]),
    (entry_with_another_version, [(Kind.LEDGER_ASTRAY, 10)]),
    (entry_of_another_workflow, [(Kind.LEDGER_ASTRAY, 10)]),
    (moved_to_another_workflow, [(Kind.MOVED_EVENT, 610)]),
    (bundle_changed, [(Kind.DAMAGED_LOG, 257)]),
    (tile_changed, [(Kind.DAMAGED_LOG, 266)]),
    (upper_tile_changed, [(Kind.DAMAGED_LOG, 257)]),
    (tile_gone, [(Kind.DAMAGED_LOG, 257)]),
    (checkpoint_changed, [(Kind.DAMAGED_LOG, 0)]),
]


@pytest.mark.parametrize(("tamper", "expected"), FOUND, ids=[t.__name__ for t, _ in FOUND])
def test_each_way_of_tampering_is_named_and_nothing_beside_it(
    kept: KeptLog, attacker: Attacker, tamper: Tamper, expected: Named
) -> None:
    tamper(attacker, kept)

    report = feed(kept)

    assert named(report) == expected
    assert report.integrity.damaged or report.completeness.damaged


def test_an_event_that_was_changed_together_with_its_bundle_is_named_with_the_bundle(
    kept: KeptLog, attacker: Attacker
) -> None:
    event_and_bundle_changed(attacker, kept)

    assert named(feed(kept)) == [(Kind.CHANGED_BYTES, 310), (Kind.DAMAGED_LOG, 310)]


def test_an_untouched_store_holds(kept: KeptLog) -> None:
    report = feed(kept)

    assert named(report) == []
    assert (report.events, report.from_position, report.position) == (900, 1, 900)
    assert "\n900\n" in report.checkpoint
    assert "witness.example" in report.checkpoint


def test_deeds_that_have_nothing_to_do_with_each_other_are_each_named(
    kept: KeptLog, attacker: Attacker
) -> None:
    row = attacker.workflow_at(20)
    entry_with_another_position(attacker, kept)
    attacker.do(
        f"UPDATE workflows SET payload = '[]' WHERE id = '{row}'",
        "UPDATE workflow_events SET salt = sha256(salt) WHERE notification_id = 340",
    )
    attacker.remove(330, thorough=False)
    attacker.shift(331, -1, thorough=False)

    assert named(feed(kept)) == [
        (Kind.LEDGER_ASTRAY, 10),
        (Kind.REMOVED_EVENT, 330),
        (Kind.CHANGED_CONTENT, 339),
        (Kind.WRONG_ROW, 619),
    ]
