"""Packs, each made by a process of its own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection

from application.exports import ExportRequest, PackTooLarge, Piece
from application.history.proofs import NotProvable
from application.ports import StoredDataDamaged, StoreUnavailable
from domain.errors import WorkflowNotFound
from infrastructure.packs.packing import PackMaker
from infrastructure.process.apart import LOOK_EVERY, working
from infrastructure.proof.keys import SigningKey
from infrastructure.proof.logs import Logs

_REFUSALS = (PackTooLarge, NotProvable, StoreUnavailable, StoredDataDamaged)


class ExportFailed(Exception):
    """The process of an export ended without the end of its pack."""


@dataclass(frozen=True, slots=True)
class _Job:
    """What to export, from which database and logs, signed by which key; none without logs."""

    database: str
    logs: Logs | None
    key: str
    asked: ExportRequest


@dataclass(frozen=True, slots=True)
class PacksApart:
    """Implements Packs. At most a piece or two of a pack are in memory, however slow its reader."""

    database: str
    logs: Logs | None
    key: Callable[[], SigningKey]

    def pieces(self, asked: ExportRequest, wanted: Callable[[], bool]) -> Iterator[Piece]:
        """See Packs.pieces. Raises ExportFailed too."""
        key = str(self.key()) if self.logs else ""
        job = _Job(self.database, self.logs, key, asked)
        with working(_work, job, "export") as pieces:
            while wanted():
                if not pieces.poll(LOOK_EVERY):
                    continue
                try:
                    found = pieces.recv()
                except EOFError:
                    raise ExportFailed("the process of an export ended early") from None
                if found is None:
                    return
                if isinstance(found, Exception):
                    raise found
                yield found


def _work(job: _Job, pieces: Connection) -> None:
    maker = PackMaker(
        job.database, job.logs, lambda: SigningKey.parse(job.key), lambda: datetime.now(UTC)
    )
    outcome: Exception | None = None
    try:
        for piece in maker.pieces(job.asked):
            pieces.send(piece)
    except BrokenPipeError:  # The pack is not wanted any more.
        return
    except WorkflowNotFound as refused:
        refused.args = (refused.workflow_id,)  # It is made anew of these at the other end.
        outcome = refused
    except _REFUSALS as refused:
        outcome = refused
    pieces.send(outcome)
