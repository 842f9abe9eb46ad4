"""From requests of the contract of administrators to what is asked, and back to replies."""

from datetime import datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from workflows import admin_pb2 as pb

from application.erasure import EraseUser, HoldUser
from application.receipts import Erasure
from application.trails import (
    AccessesPage,
    AccessesRequest,
    ErasuresPage,
    ErasuresRequest,
    LoggedAccess,
)
from infrastructure.rpc.history.convert import time
from infrastructure.rpc.method import Rendered, Surroundings
from infrastructure.rpc.workflows.convert import workflow_id

MAX_IDS = 1000  # workflow ids in a reply; the receipt has all
MAX_RECEIPT = 1024 * 1024
"""A longer receipt is not part of a reply: clients take 4 MiB. Its file has it."""


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


def accesses(request: pb.ListAccessesRequest, _: Surroundings) -> AccessesRequest:
    """A page of accesses. Raises InvalidFields."""
    return AccessesRequest(
        request.user_id,
        workflow_id(request.workflow_id),
        request.actor,
        _time(request, "since"),
        _time(request, "until"),
        request.page_size,
        request.cursor,
    )


def erasures(request: pb.ListErasuresRequest, _: Surroundings) -> ErasuresRequest:
    """A page of erasures. Raises InvalidFields."""
    return ErasuresRequest(workflow_id(request.receipt_id), request.page_size, request.cursor)


def erased(done: Erasure) -> Rendered:
    """What went, or would go."""
    message = pb.EraseUserResponse(
        erasure=_erasure(done), position=done.position, feed=str(done.feed)
    )
    return message, ()


def listed_erasures(page: ErasuresPage) -> Rendered:
    """A page of erasures."""
    return pb.ListErasuresResponse(
        erasures=map(_erasure, page.erasures), cursor=page.cursor, policy=page.policy
    ), ()


def listed_accesses(page: AccessesPage) -> Rendered:
    """A page of accesses."""
    return pb.ListAccessesResponse(accesses=map(_access, page.accesses), cursor=page.cursor), ()


def held(_: HoldUser) -> Rendered:
    """A hold is recorded."""
    return pb.HoldUserResponse(), ()


def released(_: HoldUser) -> Rendered:
    """A hold is released."""
    return pb.ReleaseHoldResponse(), ()


def _erasure(done: Erasure) -> pb.Erasure:
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
        receipt=done.receipt if len(done.receipt) <= MAX_RECEIPT else "",
    )
    if done.erased_at is not None:
        erasure.erased_at.FromDatetime(done.erased_at)
    if done.proof is not None:
        erasure.leaf, erasure.proof = done.proof
    return erasure


def _access(logged: LoggedAccess) -> pb.Access:
    access = pb.Access(
        actor=logged.actor,
        method=logged.method,
        user_id=logged.user_id,
        workflow_id=logged.workflow_id,
        request_id=logged.request_id,
    )
    access.accessed_at.FromDatetime(logged.accessed_at)
    return access


def _time(request: Message, name: str) -> datetime | None:
    """A time of a request; None if it is not set. Raises InvalidFields."""
    if not request.HasField(name):
        return None
    given: Timestamp = getattr(request, name)
    return time(given, name)


def _checked(asked: HoldUser) -> HoldUser:
    asked.check()
    return asked
