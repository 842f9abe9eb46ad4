"""Compares streams, rows and ledger with each other; what follows from known damage is left out."""

from collections.abc import Iterator, Sequence
from typing import Any

from psycopg import Connection

from application import check
from application.check import Claim
from application.leaves import LeafUnreadable
from application.verification.findings import Finding, Kind
from application.verification.streams import Examined, examine
from application.verification.testimony import Testimony
from infrastructure.eventstore.feed import decode
from infrastructure.eventstore.stored_form import digest
from infrastructure.proof.kept import KeptLog
from infrastructure.proof.stored import stream_of
from infrastructure.proof.work import Work
from infrastructure.readmodel.checking import CheckedPostgres
from infrastructure.tlog.checkpoints import LogRefused

EXAMINED = 1000  # workflows whose events are examined one by one

_NAMES = {
    check.Kind.DIFFERS: (Kind.WRONG_ROW, "the row is not the fold of the events: {}"),
    check.Kind.MISSING: (Kind.MISSING_ROW, "the workflow has no row{}"),
    check.Kind.SURPLUS: (Kind.STRANGE_ROW, "the row belongs to no events: {}"),
    check.Kind.LOST: (Kind.LOST_CONTENT, "content is gone, and no erasure took it away{}"),
    check.Kind.ASTRAY: (Kind.LEDGER_ASTRAY, "an entry of the ledger is astray: {}"),
}
_PLACES = frozenset({"position", "created_position"})


class Agreement:
    """Compares what a database holds with itself."""

    def __init__(
        self, connection: Connection[Any], log: KeptLog | None, size: int, testimony: Testimony
    ) -> None:
        """`log` covers `size` events; `testimony` is what is known already."""
        self._connection = connection
        self._log = log
        self._size = size
        self._testimony = testimony

    def everything(self, begin: int, work: Work) -> Iterator[Finding]:
        """What is wrong with workflows that have events after a position, and with the ledger."""
        unreadable: list[str] = []
        for part in CheckedPostgres(self._connection, since=begin).parts():
            yield from self._named(part.findings, unreadable)
            if part.step == "rows":
                work.folded(part.looked_at)
        for number, workflow_id in enumerate(unreadable):
            if number < EXAMINED:
                yield from self.examined(workflow_id).findings
            elif not self._testimony.touches(workflow_id):
                yield Finding(Kind.UNREADABLE_EVENT, 0, "its events are damaged", workflow_id)

    def row(self, workflow_id: str) -> Iterator[Finding]:
        """What is wrong with the row of a workflow, if its events can be read."""
        for part in CheckedPostgres(self._connection).workflows([workflow_id]):
            yield from self._named(part.findings, [])

    def examined(self, workflow_id: str) -> Examined:
        """The events of a workflow, examined one by one."""
        return examine(stream_of(self._connection, workflow_id), decode, digest, self._testimony)

    def _named(self, found: Sequence[check.Finding], unreadable: list[str]) -> Iterator[Finding]:
        for finding in found:
            if finding.kind is check.Kind.UNREADABLE:
                unreadable.append(finding.workflow_id)
            elif finding.kind in _NAMES and not self._follows(finding):
                kind, sentence = _NAMES[finding.kind]
                description = sentence.format(finding.detail)
                yield Finding(kind, finding.position, description, finding.workflow_id)

    def _follows(self, finding: check.Finding) -> bool:
        """Whether a finding follows from differences of events that are named already."""
        if self._testimony.is_empty:
            return False
        claim = finding.claim
        match finding.kind:
            case check.Kind.ASTRAY:
                return claim is not None and self._is_signed(claim)
            case check.Kind.LOST:
                return False
        if self._testimony.touches(finding.workflow_id):
            return True
        if claim is None:
            return False
        moved = {*finding.columns} <= _PLACES
        ahead = finding.kind is check.Kind.SURPLUS or "version" in finding.columns
        created = Claim(claim.workflow_id, 1, claim.created_position)
        return (moved or ahead) and self._is_signed(claim) and self._is_signed(created)

    def _is_signed(self, claim: Claim) -> bool:
        """Whether the log has this event where a row or an entry says that it stands.

        Without a log, an event at a missing position is taken to have been there.
        """
        if claim.position > self._size or self._log is None:
            return self._testimony.is_hole(claim.position)
        try:
            leaf = self._log.leaf(claim.position, self._size)
        except (LogRefused, LeafUnreadable):
            return False
        if leaf is None or leaf.identity != (claim.workflow_id, claim.version):
            return False
        return not claim.digest or leaf.digest == claim.digest.hex()
