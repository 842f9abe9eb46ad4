"""Users who are forgotten: the order of the steps, the receipt, and holds, which beat an erasure.

The steps: a fence, so that nothing new is recorded for the user; the user's workflows are noted;
the content of events, rows and search entries go in batches, then the ledger entries; a signed
receipt is written outside the database; it is stored, and the fence is removed; the log of receipts
takes it in. Each step can be interrupted anywhere and done again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import uuid4

from application.receipts import (
    Erasure,
    KeptReceipt,
    ReceiptProof,
    ReceiptRefused,
    parse_receipt,
    receipt_text,
)
from domain.fields import refuse_invalid, required_text

MAX_REASON = 1000  # characters
MAX_LEGAL_BASIS = 255  # characters


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a user may not be erased, who said so, and since when."""

    reason: str
    held_by: str
    held_at: datetime


class UserHeld(Exception):
    """The user is held: an erasure is refused until the hold is released."""

    def __init__(self, hold: Hold) -> None:
        self.hold = hold
        super().__init__(
            f"This user is held since {hold.held_at:%Y-%m-%d %H:%M} UTC by {hold.held_by}:"
            f" {hold.reason}. Nothing was erased. Release the hold first."
        )


class NotHeld(Exception):
    """A hold cannot be released, because there is none."""


class ErasesElsewhere(Exception):
    """This process keeps no receipts, so it erases nobody: another one of this service does."""


class EraseUser(NamedTuple):
    """Asks for a user to be erased, or only for what that would take away."""

    user_id: str
    reason: str
    legal_basis: str
    validate_only: bool = False

    def check(self) -> None:
        """Raises InvalidFields."""
        refuse_invalid(
            ("user_id", required_text(self.user_id)),
            ("reason", bounded(self.reason, MAX_REASON)),
            ("legal_basis", bounded(self.legal_basis, MAX_LEGAL_BASIS)),
        )


class HoldUser(NamedTuple):
    """Asks for a hold on a user, or for its release."""

    user_id: str
    reason: str
    release: bool = False

    def check(self) -> None:
        """Raises InvalidFields."""
        refuse_invalid(
            ("user_id", required_text(self.user_id)),
            ("reason", bounded(self.reason, MAX_REASON)),
        )


class ErasureStore(Protocol):
    """What an erasure needs of the store. Each method raises StoreUnavailable."""

    def count(self, user_id: str) -> Erasure:
        """What an erasure would take away. Raises UserHeld."""
        ...

    def begin(self, receipt_id: str, asked: EraseUser, actor: str) -> str:
        """Fences a user and returns the id of the erasure: this one, or one that is under way.

        Raises UserHeld.
        """
        ...

    def repeat(self, erasure: Erasure) -> bool:
        """Begins an erasure again that the store does not know. Returns whether there is any."""
        ...

    def forget(self, receipt_id: str) -> Erasure:
        """Does all steps up to the receipt, from where they ended, and returns what went."""
        ...

    def end(self, receipt_id: str, receipt: str | None) -> None:
        """Stores the receipt, and takes the fence away. Without a receipt, nothing was found."""
        ...

    def unfinished(self) -> Sequence[str]:
        """The ids of erasures that were interrupted."""
        ...

    def receipts(self, after: int = 0) -> Iterator[KeptReceipt]:
        """The receipts of complete erasures, by their numbers, those above a number."""
        ...

    def hold(self, asked: HoldUser, actor: str) -> None:
        """Records a hold. A user who is held already stays held, as it was said first."""
        ...

    def release(self, asked: HoldUser, actor: str) -> None:
        """Records the release of a hold. Raises NotHeld."""
        ...


class Receipts(Protocol):
    """The receipts outside the database: a restore does not take them back."""

    def keep(self, receipt_id: str, receipt: str) -> None:
        """Stores a receipt durably. Raises ReceiptRefused if it cannot."""
        ...

    def kept(self) -> Iterator[tuple[str, str]]:
        """The ids and receipts of all. Raises ReceiptRefused for one that was not signed here."""
        ...

    def log(self, following: Callable[[int], Iterator[KeptReceipt]]) -> None:
        """Takes receipts into the log of receipts, each in the place that its number names.

        `following` returns those above a number. A receipt whose number leaves a gap waits for the
        one before it. A log that cannot be written is reported to operators.
        """
        ...

    def proof(self, receipt: KeptReceipt) -> ReceiptProof | None:
        """The proof of a receipt; None if there is none yet, or the log cannot be read."""
        ...

    @property
    def logged(self) -> int:
        """How many receipts the log of receipts covers; 0 if it cannot be read."""
        ...


class Erasures:
    """Erases users, and finishes what was interrupted or restored."""

    def __init__(
        self,
        store: ErasureStore,
        receipts: Receipts,
        sign: Callable[[str], str],
        *,
        erases: bool = True,
    ) -> None:
        """`sign` makes a signed note of a text.

        `erases` is false in a process that has no place for receipts: it only counts.
        """
        self._store = store
        self._erases = erases
        self._receipts = receipts
        self._sign = sign

    def erase(self, asked: EraseUser, actor: str) -> Erasure:
        """Erases a user. Raises InvalidFields, ErasesElsewhere, UserHeld or StoreUnavailable.

        If nothing is found, the erasure has no id. An erasure of this user that was interrupted is
        finished, as it was asked for then.
        """
        asked.check()
        if asked.validate_only:
            return self._store.count(asked.user_id)
        if not self._erases:
            raise ErasesElsewhere
        return self._finish(self._store.begin(str(uuid4()), asked, actor))

    def resume(self) -> int:
        """Makes the database forget what it must have forgotten; returns how many erasures it did.

        Call it before anything is served; a process that does not erase does nothing. Erasures of
        receipts that the database lacks, because it was restored, are done again; those that were
        interrupted are finished. Raises ReceiptRefused, as it does if receipts are missing that
        the log of receipts covers, or StoreUnavailable.
        """
        if not self._erases:
            return 0
        kept = dict(self._receipts.kept())
        stored = {each.id: each.note for each in self._store.receipts()}
        known = len(kept.keys() | stored.keys())
        if known < self._receipts.logged:
            raise ReceiptRefused(
                f"The log of receipts covers {self._receipts.logged} erasures, and only {known}"
                " receipts are known: what was erased may be back. Restore the folder of receipts."
            )
        for receipt_id in stored.keys() - kept.keys():
            self._receipts.keep(receipt_id, stored[receipt_id])
        done = 0
        for receipt_id in kept.keys() - stored.keys():
            self._store.repeat(parse_receipt(kept[receipt_id]))
            self._store.forget(receipt_id)
            self._store.end(receipt_id, kept[receipt_id])
            done += 1
        for receipt_id in self._store.unfinished():
            self._finish(receipt_id)
            done += 1
        self._receipts.log(self._store.receipts)
        return done

    def hold(self, asked: HoldUser, actor: str) -> None:
        """Sets or releases a hold. Raises InvalidFields, NotHeld or StoreUnavailable."""
        asked.check()
        if asked.release:
            self._store.release(asked, actor)
        else:
            self._store.hold(asked, actor)

    def answer(
        self, batch: Sequence[tuple[EraseUser | HoldUser, str]]
    ) -> Iterator[Erasure | HoldUser | Exception]:
        """What was done for each item of a batch, asked for by an actor, or what was raised."""
        for asked, actor in batch:
            try:
                outcome = self._outcome(asked, actor)
            except Exception as refusal:  # noqa: BLE001 - it is this call's outcome
                yield refusal
            else:
                yield outcome

    def _outcome(self, asked: EraseUser | HoldUser, actor: str) -> Erasure | HoldUser:
        if isinstance(asked, EraseUser):
            return self.erase(asked, actor)
        self.hold(asked, actor)
        return asked

    def _finish(self, receipt_id: str) -> Erasure:
        erasure = self._store.forget(receipt_id)
        if not erasure.workflows:
            self._store.end(receipt_id, None)
            return erasure
        receipt = self._sign(receipt_text(erasure))
        self._receipts.keep(receipt_id, receipt)
        self._store.end(receipt_id, receipt)
        self._receipts.log(self._store.receipts)
        proof = self._receipts.proof(KeptReceipt(erasure.number, receipt_id, receipt))
        return replace(erasure, receipt=receipt, proof=proof)


def bounded(text: str, most: int) -> str | None:
    """A text that must be there and may not be longer."""
    if 1 <= len(text) <= most and text.strip():
        return None
    return f"has {len(text)} characters; 1 to {most} are accepted, not only spaces"
