"""The log of checkpoints: every event a leaf, whatever breaks; and nothing signed that differs."""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from application.followers import FollowerRefused
from application.leaves import Leaf, index_of, position_of
from application.ports import Feed, FeedBatch, FeedEnd, StoredEvent
from infrastructure.eventstore.horizon import begin_epoch
from infrastructure.postgres.connection import connect
from infrastructure.proof.checkpointing import Checkpointing
from infrastructure.proof.keys import KeyUnusable, SigningKey, read, read_or_make
from infrastructure.proof.logs import Logs
from infrastructure.tlog.checkpoints import CHECKPOINT, Checkpoint, newest
from infrastructure.tlog.tiles import Tiles
from tests.support.database import execute, select
from tests.support.followers import run
from tests.support.proofs import KEY, KeptLog, write
from tests.support.stores import OpenStore, open_store
from tests.support.waiting import until

FEED = Feed(7)


@pytest.fixture
def store(database: str) -> Iterator[OpenStore]:
    with open_store(database) as opened:
        yield opened


@pytest.fixture
def kept(store: OpenStore, tmp_path: Path) -> KeptLog:
    return KeptLog(store.dsn, tmp_path)


def newest_of(logs: Logs, epoch: int) -> Checkpoint:
    signed = newest(logs.source(epoch), KEY.log_signer(epoch).verifier)
    assert signed is not None
    return signed.checkpoint


def leaves_of(logs: Logs, epoch: int) -> list[Leaf]:
    """All leaves of a log."""
    size = newest_of(logs, epoch).size
    tiles = Tiles(logs.source(epoch), size)
    bundles = [tiles.leaves(number) for number in range((size + 255) // 256)]
    return [Leaf.parse(leaf) for bundle in bundles for leaf in bundle]


def test_positions_count_from_one_and_leaves_from_zero() -> None:
    assert [index_of(1), index_of(257)] == [0, 256]
    assert position_of(index_of(5)) == 5


def test_a_leaf_names_the_event_by_digests_alone() -> None:
    leaf = Leaf.of(3, "an id", 2, "created.v1", b"state")

    assert leaf.text(Feed(17)) == (
        b"workflows.event.v1\n17/0\n3\nan id\n2\ncreated.v1\n"
        b"4ba69735ca53765ed6a709edb56c6ea236b7193a3b29a6b390c346f0f4340e4e\n"
    )
    assert Leaf.parse(leaf.text(Feed(17))) == leaf


def test_the_log_holds_every_event_from_its_stored_bytes(store: OpenStore, kept: KeptLog) -> None:
    write(store, 150, events=4)
    assert kept.follow() == 600
    write(store, 1)
    assert kept.follow() == 601

    rows = select(
        store.dsn,
        "SELECT notification_id, originator_id::text, originator_version, topic,"
        " encode(sha256(state), 'hex') FROM workflow_events ORDER BY 1",
    )
    assert leaves_of(kept.logs, kept.epoch) == [Leaf(*row) for row in rows]


def test_a_running_follower_covers_each_event_soon(store: OpenStore, kept: KeptLog) -> None:
    follower = Checkpointing(kept.logs, lambda: KEY, 0.1)
    with run(store.dsn, follower):
        for count in (1, 2, 3):
            write(store, 1)
            until(lambda count=count: covers(kept, count))  # type: ignore[misc]


def covers(kept: KeptLog, size: int) -> bool:
    """Whether there is a checkpoint of so many events."""
    signed = newest(kept.logs.source(kept.epoch), KEY.log_signer(kept.epoch).verifier)
    return signed is not None and signed.checkpoint.size == size


class Killed(BaseException):
    """The process ends here."""


def stored(begin: int, end: int) -> list[StoredEvent]:
    """Events of a feed, without a database."""
    return [StoredEvent("id", n, n, "reset.v1", b"%d" % n, None, None) for n in range(begin, end)]


def feed(logs: Logs, *ends: int) -> None:
    """Follows a feed without a database as one process does; each end is that of a batch."""
    follower = Checkpointing(logs, lambda: KEY, 0.0)
    position = follower.begin(None, FeedEnd(FEED, ends[-1]))
    for end in ends:
        if end > position:
            batch = FeedBatch(position, stored(position + 1, end + 1), FeedEnd(FEED, end))
            follower.handle(batch, None)
            position = end


def test_a_log_goes_on_wherever_its_process_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at each flush of a file or folder, then begun anew: the same log in the end."""
    whole = Logs(tmp_path / "whole")
    feed(whole, 250, 600)
    before = Logs(tmp_path / "before")
    feed(before, 250)
    flush, killed = os.fsync, True
    step = 0
    while killed:
        logs = Logs(tmp_path / f"killed at {step}")
        shutil.copytree(before.root, logs.root)
        left = [step]

        def flush_or_die(descriptor: int, left: list[int] = left) -> None:
            if not left[0]:
                raise Killed
            left[0] -= 1
            flush(descriptor)

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", flush_or_die)
            try:
                feed(logs, 600)
            except Killed:
                assert newest_of(logs, 7).size in (250, 600)
            else:
                killed = False
        feed(logs, 600)
        assert newest_of(logs, 7) == newest_of(whole, 7)
        assert leaves_of(logs, 7) == leaves_of(whole, 7)
        step += 1
    assert step > 12


def test_two_processes_never_sign_two_histories(tmp_path: Path) -> None:
    logs = Logs(tmp_path)
    one = Checkpointing(logs, lambda: KEY, 0.0)
    one.begin(None, FeedEnd(FEED, 3))
    feed(logs, 2)

    with pytest.raises(FollowerRefused, match="another process"):
        one.handle(FeedBatch(0, stored(1, 4), FeedEnd(FEED, 3)), None)

    assert newest_of(logs, 7).size == 2


def test_after_a_restore_to_an_earlier_point_nothing_is_signed(
    store: OpenStore, kept: KeptLog
) -> None:
    write(store, 5)
    kept.follow()
    signed = (kept.folder / CHECKPOINT).read_text()
    execute(store.dsn, "DELETE FROM workflow_events WHERE notification_id > 3")

    with pytest.raises(FollowerRefused, match="restored to an earlier point"):
        kept.follow()
    with open_store(store.dsn) as restored:
        write(restored, 4)
    with pytest.raises(FollowerRefused, match="another event at position 5"):
        kept.follow()

    assert (kept.folder / CHECKPOINT).read_text() == signed


def test_a_new_epoch_needs_a_log_that_was_begun_for_it(store: OpenStore, kept: KeptLog) -> None:
    write(store, 2)
    kept.follow()
    old = kept.epoch
    with closing(connect(store.dsn)) as connection:
        new = begin_epoch(connection).epoch

    with pytest.raises(FollowerRefused, match="new-origin"):
        kept.follow()
    kept.logs.begin(new, KEY.log_signer(new).verifier)

    assert kept.follow() == 2
    assert {newest_of(kept.logs, epoch).size for epoch in (old, new)} == {2}
    assert newest_of(kept.logs, new).origin == f"workflows.example/{new}"


def test_another_key_does_not_go_on(store: OpenStore, kept: KeptLog) -> None:
    write(store, 1)
    kept.follow()

    with pytest.raises(FollowerRefused, match="not signed by this key"):
        kept.follow(SigningKey.made("workflows.example"))


def test_a_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "log.key"

    key = read_or_make(path, "workflows.example")

    assert path.stat().st_mode & 0o777 == 0o600
    assert str(read_or_make(path)) == str(read(path)) == str(key)
    assert list(path.parent.iterdir()) == [path]


def test_a_key_that_others_may_read_or_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.key"
    read_or_make(path)
    path.chmod(0o640)
    with pytest.raises(KeyUnusable, match="chmod 600"):
        read_or_make(path)
    path.chmod(0o600)
    path.write_text(path.read_text()[:-10] + "AAAAAAAA=\n")
    with pytest.raises(KeyUnusable, match="key file"):
        read_or_make(path)


def test_a_receipt_is_signed_by_the_installation_and_is_no_checkpoint() -> None:
    note = KEY.sign("workflows.receipt.v1\n17\n")

    assert note.signed_by([KEY.signer(KEY.name).verifier])
    with pytest.raises(ValueError, match="kind"):
        KEY.sign("workflows.example/17\n3\nroot\n"[10:])
