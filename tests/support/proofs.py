"""A store whose log of checkpoints is written by the test itself, step by step."""

import secrets
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from uuid import uuid4

from application.draft import Submission
from application.handler import CommandHandler
from application.ports import Origin
from domain.commands import Command
from infrastructure.eventstore.feed import feed_end, read_feed
from infrastructure.postgres.connection import connect
from infrastructure.proof.checkpointing import Checkpointing
from infrastructure.proof.keys import SigningKey
from infrastructure.proof.logs import Logs
from infrastructure.tlog.notes import COSIGNATURE, Signer
from infrastructure.tlog.policy import Policy
from infrastructure.tlog.witness import Witness, publish
from tests.support.given import create, increment
from tests.support.stores import DIGESTS, OpenStore

KEY = SigningKey.made("workflows.example")
WITNESS_KEY = SigningKey.made("witness.example")
ORIGIN = Origin("gateway", "req", "trace")


def record(store: OpenStore, commands: Sequence[Command]) -> None:
    """Records what follows from commands."""
    for outcome in CommandHandler(store.store, DIGESTS).handle(
        [Submission(command, ORIGIN) for command in commands]
    ):
        if isinstance(outcome, Exception):
            raise outcome


def creations(count: int) -> list[str]:
    """Ids for so many workflows."""
    return [str(uuid4()) for _ in range(count)]


def write(store: OpenStore, workflows: int, events: int = 1) -> list[str]:
    """Records new workflows, each with so many events, their events in turns; returns their ids."""
    ids = creations(workflows)
    record(store, [create(id=each, idempotency_key=secrets.token_hex(8)) for each in ids])
    for number in range(1, events):
        record(
            store,
            [
                increment(id=each, job_id=f"{each} {number}", terminate_at_threshold=False)
                for each in ids
            ],
        )
    return ids


class KeptLog:
    """The logs of a database in a folder, and a witness of theirs."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn = dsn
        self.logs = Logs(folder / "log")
        self.witness = Witness(
            Signer(WITNESS_KEY.name, COSIGNATURE, WITNESS_KEY.private), folder / "witness"
        )

    @property
    def epoch(self) -> int:
        """The epoch of the database."""
        with closing(connect(self.dsn)) as connection:
            return feed_end(connection).feed.epoch

    @property
    def folder(self) -> Path:
        """The folder of the current log."""
        return self.logs.folder(self.epoch)

    def follow(self, key: SigningKey = KEY) -> int:
        """Brings the log up to date, as a server process does that begins anew; its size."""
        follower = Checkpointing(self.logs, lambda: key, 0.0)
        with closing(connect(self.dsn)) as connection:
            position = follower.begin(None, feed_end(connection))
            while (batch := read_feed(connection, position, content=False)).events:
                follower.handle(batch, None)
                position = batch.position
            follower.rest()
        return position

    def cosign(self, *, quorum: bool = True) -> None:
        """Has the witness cosign the newest checkpoint; the policy asks for it from then on."""
        log = KEY.log_signer(self.epoch).verifier
        verifier = self.witness.signer.verifier
        note = self.witness.cosign(self.logs.source(self.epoch), log, 1_800_000_000, [verifier])
        publish(self.folder, note, verifier)
        if quorum:
            self.logs.keep_policy(self.epoch, Policy.of(log, [verifier], 1))
