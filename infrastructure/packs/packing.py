"""Makes evidence packs: events, their proofs, and what is needed to verify both elsewhere."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from importlib.resources import files
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import orjson
from psycopg import Connection

from application.exports import ExportRequest, Piece
from application.history.proofs import NotProvable
from application.ports import FeedEnd, StoredEvent
from application.progress import Progress
from infrastructure.eventstore.feed import feed_end
from infrastructure.packs import lines
from infrastructure.packs.archive import Archive
from infrastructure.packs.manifest import manifest
from infrastructure.packs.selection import connected, events, positions, receipts
from infrastructure.proof.kept import KeptLog
from infrastructure.proof.keys import SigningKey
from infrastructure.proof.logs import Logs
from infrastructure.proof.signed import damage_of_logs
from infrastructure.tlog.checkpoints import SignedCheckpoint
from infrastructure.tlog.policy import NONE

COVERED_WITHIN = 5.0  # seconds in which a checkpoint should cover what was just recorded
_LOOK_EVERY = 0.1  # seconds
_FORMAT = "workflows.pack.v1"
_STEPS = 2  # for each event: the event, and its proof

_NO_LOG = "This server keeps no log of checkpoints, so nothing can be proved. Set --log-dir."
_NOTHING_SIGNED = "No checkpoint is signed yet. Try again soon."
_NOT_COSIGNED = "No checkpoint is cosigned as the policy asks. Run a witness, then try again."
_OTHER_KEY = "This server has another key than its log. Bring back the key that signed the log."


class PackMaker:
    """Makes packs of what one database holds. Each pack has a connection of its own."""

    def __init__(
        self,
        dsn: str,
        logs: Logs | None,
        key: Callable[[], SigningKey],
        now: Callable[[], datetime],
    ) -> None:
        """`key` is asked for with each pack: it signs the log of checkpoints, and packs too."""
        self._dsn = dsn
        self._logs = logs
        self._key = key
        self._now = now

    def pieces(self, asked: ExportRequest) -> Iterator[Piece]:
        """The pieces of a pack; see Packs.pieces. They must be closed if they are not all read."""
        with connected(self._dsn) as connection, damage_of_logs():
            end = feed_end(connection)
            log = KeptLog.of(self._logs, end.feed.epoch)
            if log is None:
                raise NotProvable(_NO_LOG if self._logs is None else _NOTHING_SIGNED)
            key = self._key()
            if key.log_signer(end.feed.epoch).verifier != log.verifier:
                raise NotProvable(_OTHER_KEY)
            signed = _proven(log, end)
            chosen = positions(connection, asked, signed.checkpoint.size)
            pack = _Pack(connection, log, signed, chosen, key, self._now())
            yield from pack.pieces(_facts(asked, pack.id, end, signed, len(chosen), self._now()))


class _Pack:
    """One pack while it is made."""

    def __init__(
        self,
        connection: Connection[Any],
        log: KeptLog,
        signed: SignedCheckpoint,
        chosen: Sequence[int],
        key: SigningKey,
        now: datetime,
    ) -> None:
        self.id = str(uuid4())
        self._connection = connection
        self._log = log
        self._signed = signed
        self._chosen = chosen
        self._key = key
        self._archive = Archive(now)
        self._steps = 0
        self._began = monotonic()
        self._forgotten: dict[str, None] = {}

    def pieces(self, facts: dict[str, object]) -> Iterator[Piece]:
        for name, content in self._contents(facts):
            for data in self._archive.add(name, content):
                yield Piece(data, self._progress)
        signer = self._key.signer(f"{self._key.name}/pack/{self.id}")
        for name, file in manifest(self.id, self._archive.files, signer):
            for data in self._archive.add(name, [file]):
                yield Piece(data, self._progress)
        yield Piece(self._archive.end(), self._progress)

    def _contents(self, facts: dict[str, object]) -> Iterator[tuple[str, Iterable[bytes]]]:
        """The files of the pack but for the manifest, in their order."""
        here = files("infrastructure.packs")
        yield "README.md", [(here / "README.md").read_bytes()]
        yield "verify.py", [(here / "verify.py").read_bytes()]
        yield "pack.json", [orjson.dumps(facts, option=_READABLE)]
        yield "policy", [str(self._log.policy).encode()]
        yield "checkpoint", [str(self._signed.note).encode()]
        yield "descriptors.binpb", [(files("workflows") / "workflows.protoset").read_bytes()]
        yield "events.jsonl", self._events()
        yield (
            "proofs.jsonl",
            self._counted(lines.proof_lines(self._log, self._signed, self._chosen)),
        )
        erased = receipts(self._connection, list(self._forgotten))
        yield "receipts.jsonl", lines.receipt_lines(erased)

    def _events(self) -> Iterator[bytes]:
        found: Iterable[StoredEvent] = events(self._connection, self._chosen)
        for event in lines.signed_events(found, self._log, self._signed.checkpoint.size):
            if event.content is None:
                self._forgotten[event.workflow_id] = None
            self._steps += 1
            yield lines.event_line(event)

    def _counted(self, made: Iterable[bytes]) -> Iterator[bytes]:
        for line in made:
            self._steps += 1
            yield line

    @property
    def _progress(self) -> Progress:
        done = self._steps // _STEPS
        return Progress("export", done, len(self._chosen), done, monotonic() - self._began)


_READABLE = orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE


def _facts(
    asked: ExportRequest,
    pack_id: str,
    end: FeedEnd,
    signed: SignedCheckpoint,
    count: int,
    now: datetime,
) -> dict[str, object]:
    """What the pack says of itself."""
    return {
        "format": _FORMAT,
        "id": pack_id,
        "made_at": now,
        "origin": signed.checkpoint.origin,
        "feed": str(end.feed),
        "position": signed.checkpoint.size,
        "events": count,
        "filter": {
            "workflow_id": asked.workflow_id,
            "user_id": asked.user_id,
            "since": asked.since,
            "until": asked.until,
        },
    }


def _proven(log: KeptLog, end: FeedEnd) -> SignedCheckpoint:
    """The newest checkpoint that meets the policy; waits a little for one that covers all events.

    Events that it does not cover are not in the pack. Raises NotProvable.
    """
    give_up_at = monotonic() + COVERED_WITHIN
    while True:
        signed = log.proven()
        covered = signed is not None and signed.checkpoint.size >= end.position
        if covered or log.policy.quorum != NONE or monotonic() > give_up_at:
            break
        sleep(_LOOK_EVERY)
    if signed is None:
        raise NotProvable(_NOTHING_SIGNED)
    if not log.policy.met_by(signed.note):
        raise NotProvable(_NOT_COSIGNED)
    return signed
