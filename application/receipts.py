"""Receipts of erasures: what went, why and when, without a word about the person.

Each receipt is a signed note, and a leaf of the log of receipts: nobody can take one away, or put
another one in its place, without contradicting a checkpoint that was signed.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from application.ports import Feed

_FORMAT = "workflows.receipt.v1"
_LEAF = "workflows.erasure.v1"
_HEADS = 12  # lines between the format and the first workflow


class ErasedWorkflow(NamedTuple):
    """A workflow whose content was erased: how many events it has, and the last one's place.

    `digest` is the SHA-256 of the stored bytes of the last event, which stay: by it, the log of
    checkpoints proves the workflow that the receipt names.
    """

    workflow_id: str
    events: int
    position: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure took away; if it was only counted, it has no id, time, number and receipt.

    `position` is the last position of the feed that was taken into account. `number` counts the
    erasures that took anything away, from 1.
    """

    id: str
    reason: str
    legal_basis: str
    actor: str
    feed: Feed
    position: int
    erased_at: datetime | None
    workflows: Sequence[ErasedWorkflow]
    events: int
    ledger_entries: int
    search_entries: int
    number: int = 0
    receipt: str = ""
    proof: "ReceiptProof | None" = field(default=None, compare=False)
    """Proves the receipt; None if the log of receipts does not cover it yet."""

    def proven(self, proof: "ReceiptProof | None") -> "Erasure":
        """The same with a proof of its receipt."""
        return replace(self, proof=proof)


class ReceiptRefused(Exception):
    """A receipt cannot be read, or its signature does not fit. The text says which one."""


def receipt_text(erasure: Erasure) -> str:
    """The text of a receipt, without personal data: one fact a line, then one workflow a line."""
    moment = erasure.erased_at.isoformat() if erasure.erased_at else ""
    lines = [
        _FORMAT,
        f"id {erasure.id}",
        f"number {erasure.number}",
        f"feed {erasure.feed}",
        f"position {erasure.position}",
        f"erased_at {moment}",
        f"reason {json.dumps(erasure.reason)}",
        f"legal_basis {json.dumps(erasure.legal_basis)}",
        f"actor {json.dumps(erasure.actor)}",
        f"events {erasure.events}",
        f"ledger_entries {erasure.ledger_entries}",
        f"search_entries {erasure.search_entries}",
        f"workflows {len(erasure.workflows)}",
        *(f"{w[0]} {w.events} {w.position} {w.digest.hex()}" for w in erasure.workflows),
    ]
    return "".join(f"{line}\n" for line in lines)


class KeptReceipt(NamedTuple):
    """A receipt as it is stored: the number and the id of its erasure, and the signed note."""

    number: int
    id: str
    note: str

    @property
    def leaf(self) -> bytes:
        """What the log of receipts says of it: digests and numbers only."""
        digest = sha256(self.note.encode()).hexdigest()
        return f"{_LEAF}\n{self.number}\n{self.id}\n{digest}\n".encode()


class ReceiptProof(NamedTuple):
    """The leaf of a receipt, and the proof that the log of receipts holds it."""

    leaf: bytes
    proof: str


def parse_receipt(receipt: str) -> Erasure:
    """The erasure of a receipt; its signature is not looked at. Raises ReceiptRefused."""
    text, _, _ = receipt.rpartition("\n\n")
    form, *lines = text.split("\n")
    if form != _FORMAT:
        raise ReceiptRefused("a receipt of an erasure has another format")
    heads, workflows = lines[:_HEADS], lines[_HEADS:]
    try:
        facts = dict(line.split(" ", 1) for line in heads)
        number, _, epoch = facts["feed"].partition("/")
        erased = [line.split(" ") for line in workflows]
        return Erasure(
            facts["id"],
            json.loads(facts["reason"]),
            json.loads(facts["legal_basis"]),
            json.loads(facts["actor"]),
            Feed(int(epoch), int(number)),
            int(facts["position"]),
            datetime.fromisoformat(facts["erased_at"]),
            [ErasedWorkflow(i, int(n), int(p), bytes.fromhex(d)) for i, n, p, d in erased],
            int(facts["events"]),
            int(facts["ledger_entries"]),
            int(facts["search_entries"]),
            int(facts["number"]),
            receipt,
        )
    except (ValueError, KeyError) as unreadable:
        raise ReceiptRefused("a receipt of an erasure cannot be read") from unreadable
