"""The trails that work on the record leaves: who read the history of others, what was erased."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from application.history.questions import DEFAULT_PAGE_SIZE, page_size
from application.ports import Feed, StoreUnavailable
from application.receipts import Erasure, KeptReceipt, ReceiptProof, parse_receipt
from application.seals import Form, Seals
from domain import fields
from domain.fields import refuse_invalid

MAX_ACTOR = 1024  # characters: issuer, subject and token

TRAIL_FORM = Form(
    1,
    "does not belong to this list; the cursor of the page before, with the same filters,"
    " is accepted",
)
"""Holds the number with which the page ended."""


@dataclass(frozen=True, slots=True)
class AccessesRequest:
    """Asks for a page of accesses, newest first, that match all that is set.

    `actor` is whole, or without the id of its token. `since` is included, `until` is not.
    """

    user_id: str = ""
    workflow_id: str = ""
    actor: str = ""
    since: datetime | None = None
    until: datetime | None = None
    page_size: int = 0
    cursor: str = ""

    def __post_init__(self) -> None:
        before = self.since and self.until and self.until <= self.since
        refuse_invalid(
            ("user_id", fields.optional_text(self.user_id)),
            ("workflow_id", fields.workflow_id(self.workflow_id) if self.workflow_id else None),
            ("actor", _TOO_LONG if len(self.actor) > MAX_ACTOR else None),
            ("until", "is not after since; a later time is accepted" if before else None),
            ("page_size", page_size(self.page_size)),
            ("cursor", TRAIL_FORM.complaint(self.cursor)),
        )

    @property
    def question(self) -> str:
        """All that must be the same on each page."""
        named = (self.user_id, self.workflow_id, self.actor, self.since, self.until)
        return "\0".join(["accesses", *(str(each or "") for each in named)])


@dataclass(frozen=True, slots=True)
class ErasuresRequest:
    """Asks for a page of erasures, newest first; or for one, by the id of its receipt."""

    receipt_id: str = ""
    page_size: int = 0
    cursor: str = ""

    def __post_init__(self) -> None:
        refuse_invalid(
            ("receipt_id", fields.workflow_id(self.receipt_id) if self.receipt_id else None),
            ("page_size", page_size(self.page_size)),
            ("cursor", TRAIL_FORM.complaint(self.cursor)),
        )

    @property
    def question(self) -> str:
        """All that must be the same on each page."""
        return f"erasures\0{self.receipt_id}"


_TOO_LONG = f"is too long; at most {MAX_ACTOR} characters are accepted"


class LoggedAccess(NamedTuple):
    """An access as it was recorded; a user or workflow that is not known is empty."""

    number: int
    accessed_at: datetime
    actor: str
    method: str
    user_id: str
    workflow_id: str
    request_id: str


@dataclass(frozen=True, slots=True)
class AccessesPage:
    """A page of accesses; the cursor is empty on the last page."""

    accesses: Sequence[LoggedAccess]
    cursor: str


@dataclass(frozen=True, slots=True)
class ErasuresPage:
    """A page of erasures, each with the proof of its receipt; the cursor is empty on the last page.

    `policy` is that by which the proofs are verified; empty if nothing is logged.
    """

    erasures: Sequence[Erasure]
    cursor: str
    policy: str


class TrailStore(Protocol):
    """Where trails are kept. For one thread. Each method raises StoreUnavailable."""

    def accesses(
        self, asked: AccessesRequest, before: int | None, limit: int
    ) -> Sequence[LoggedAccess]:
        """The newest accesses that match, with numbers below one; None for the first ones."""
        ...

    def receipts(self, receipt_id: str, before: int | None, limit: int) -> Sequence[KeptReceipt]:
        """The receipts with the highest numbers below one, as many as fit into one answer.

        At least one, if there is any. With an id, only that one.
        """
        ...


class ReceiptProofs(Protocol):
    """The log of receipts. Raises StoredDataDamaged if its files contradict each other."""

    @property
    def policy(self) -> str:
        """The policy by which proofs are verified; empty if nothing is logged yet."""
        ...

    def proof(self, receipt: KeptReceipt) -> ReceiptProof | None:
        """The proof of a receipt; None if no checkpoint covers it yet."""
        ...


class Trails:
    """Answers questions about trails. For one thread."""

    def __init__(
        self,
        store: TrailStore,
        proofs: ReceiptProofs,
        secret: bytes,
        current_feed: Callable[[], Feed],
    ) -> None:
        """`secret` seals cursors."""
        self._store = store
        self._proofs = proofs
        self._seals = Seals(TRAIL_FORM, secret, current_feed)

    def answer(
        self, batch: Sequence[AccessesRequest | ErasuresRequest]
    ) -> Iterator[AccessesPage | ErasuresPage | Exception]:
        """A page or a refusal for each request, in order. Raises StoreUnavailable."""
        for asked in batch:
            try:
                yield self._page(asked)
            except StoreUnavailable:
                raise
            except Exception as refusal:  # noqa: BLE001 - it is the outcome of this request
                yield refusal

    def _page(self, asked: AccessesRequest | ErasuresRequest) -> AccessesPage | ErasuresPage:
        before = None
        if asked.cursor:
            [before] = self._seals.read(asked.cursor, asked.question)
        size = asked.page_size or DEFAULT_PAGE_SIZE
        if isinstance(asked, AccessesRequest):
            found = self._store.accesses(asked, before, size + 1)
            shown, more = found[:size], len(found) > size
            return AccessesPage(shown, self._cursor(asked, shown[-1].number) if more else "")
        kept = self._store.receipts(asked.receipt_id, before, size)
        more = bool(kept) and not asked.receipt_id and kept[-1].number > 1
        cursor = self._cursor(asked, kept[-1].number) if more else ""
        return ErasuresPage([self._erasure(each) for each in kept], cursor, self._proofs.policy)

    def _cursor(self, asked: AccessesRequest | ErasuresRequest, number: int) -> str:
        return self._seals.write(asked.question, number)

    def _erasure(self, receipt: KeptReceipt) -> Erasure:
        return parse_receipt(receipt.note).proven(self._proofs.proof(receipt))
