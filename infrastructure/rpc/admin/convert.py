"""From requests of the contract of administrators to what is asked, and back to replies."""

from workflows import admin_pb2 as pb

from application.erasure import EraseUser, HoldUser
from application.receipts import Erasure
from infrastructure.rpc.method import Rendered, Surroundings

MAX_IDS = 1000  # workflow ids in a reply; the receipt has all


def erase(request: pb.EraseUserRequest, _: Surroundings) -> EraseUser:
    """An erasure. Raises InvalidFields."""
    asked = EraseUser(request.user_id, request.reason, request.legal_basis, request.validate_only)
    asked.check()
    return asked


def hold(request: pb.HoldUserRequest, _: Surroundings) -> HoldUser:
    """A hold. Raises InvalidFields."""
    return _checked(HoldUser(request.user_id, request.reason))


def release(request: pb.ReleaseHoldRequest, _: Surroundings) -> HoldUser:
    """The release of a hold. Raises InvalidFields."""
    return _checked(HoldUser(request.user_id, request.reason, release=True))


def erased(done: Erasure) -> Rendered:
    """What went, or would go."""
    erasure = pb.Erasure(
        receipt_id=done.id,
        workflow_ids=[each.workflow_id for each in done.workflows[:MAX_IDS]],
        workflows=len(done.workflows),
        events=done.events,
        ledger_entries=done.ledger_entries,
        search_entries=done.search_entries,
        reason=done.reason,
        legal_basis=done.legal_basis,
        actor=done.actor,
        receipt=done.receipt,
    )
    if done.erased_at is not None:
        erasure.erased_at.FromDatetime(done.erased_at)
    message = pb.EraseUserResponse(erasure=erasure, position=done.position, feed=str(done.feed))
    return message, ()


def held(_: HoldUser) -> Rendered:
    """A hold is recorded."""
    return pb.HoldUserResponse(), ()


def released(_: HoldUser) -> Rendered:
    """A hold is released."""
    return pb.ReleaseHoldResponse(), ()


def _checked(asked: HoldUser) -> HoldUser:
    asked.check()
    return asked
