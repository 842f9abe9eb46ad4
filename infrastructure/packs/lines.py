"""The lines of a pack: events as they are stored, and the proof of each."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

import orjson

from application.leaves import Leaf, index_of
from application.ports import StoredDataDamaged, StoredEvent
from infrastructure.proof.kept import KeptLog
from infrastructure.tlog.checkpoints import SignedCheckpoint
from infrastructure.tlog.files import Source
from infrastructure.tlog.proofs import inclusion_proof
from infrastructure.tlog.tiles import Tiles, written_proof

_KEPT = 16_384  # hashes of subtrees: neighbours share most of their proofs
_KEPT_TILES = 16


def event_line(event: StoredEvent) -> bytes:
    """An event with its exact bytes; state and content are texts of JSON.

    Raises StoredDataDamaged if they are no texts.
    """
    try:
        return _line(
            {
                "position": event.position,
                "workflow_id": event.workflow_id,
                "version": event.version,
                "name": event.name,
                "state": event.state.decode(),
                "salt": None if event.salt is None else event.salt.hex(),
                "content": None if event.content is None else event.content.decode(),
            }
        )
    except UnicodeDecodeError as damaged:
        raise StoredDataDamaged(f"the event at position {event.position} is no text") from damaged


def signed_events(events: Iterable[StoredEvent], log: KeptLog, size: int) -> Iterator[StoredEvent]:
    """The events, each compared with the leaf that was signed for it.

    Raises StoredDataDamaged at the first that differs.
    """
    for event in events:
        leaf = Leaf.of(event.position, event.workflow_id, event.version, event.name, event.state)
        if leaf != log.leaf(event.position, size):
            raise StoredDataDamaged(
                f"the event at position {event.position} is not the one that was signed"
            )
        yield event


def proof_lines(log: KeptLog, signed: SignedCheckpoint, chosen: Sequence[int]) -> Iterator[bytes]:
    """A line for each position: the proof that its leaf is in the log (c2sp.org/tlog-proof)."""
    size = signed.checkpoint.size
    subtree: Callable[[int, int], bytes] = lru_cache(_KEPT)(_KeptTiles(log.source, size).subtree)
    for position in chosen:
        index = index_of(position)
        proof = written_proof(index, inclusion_proof(index, size, subtree), signed.note)
        yield _line({"position": position, "proof": proof})


class _KeptTiles(Tiles):
    """Tiles of which the last ones that were read stay in memory."""

    def __init__(self, source: Source, size: int) -> None:
        super().__init__(source, size)
        self._kept = lru_cache(_KEPT_TILES)(super().hashes)

    def hashes(self, level: int, number: int) -> list[bytes]:
        """See Tiles.hashes."""
        return self._kept(level, number)


def receipt_lines(receipts: Iterable[tuple[str, str]]) -> Iterator[bytes]:
    """A line for each receipt of an erasure."""
    for receipt_id, receipt in receipts:
        yield _line({"id": receipt_id, "receipt": receipt})


def _line(fields: dict[str, object]) -> bytes:
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)
