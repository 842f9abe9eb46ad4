"""Filters of events, as searches and watches read them: every bad field is found at once."""

from collections.abc import Callable
from dataclasses import fields
from datetime import datetime
from typing import TypeVar

from google.protobuf.timestamp_pb2 import Timestamp
from workflows import history_pb2 as pb

from application.search import Criteria
from application.watches import WatchFilter
from domain.errors import InvalidFields
from domain.fields import Check
from domain.workflow import Workflow
from infrastructure.rpc.history import convert, render
from infrastructure.rpc.workflows.convert import workflow_id

T = TypeVar("T")

_FIELDS = {render.FIELDS.get(field.name, field.name): field.name for field in fields(Workflow)}
"""The fields of Workflow by their names in the contract."""

_NO_FIELD = f"is no field of a workflow; {', '.join(_FIELDS)} are accepted"
_NOT_WATCHED = "cannot be watched for; user_id, workflow_id and types are accepted"
_WATCHED = frozenset({"user_id", "workflow_id", "types"})


class Complaints:
    """What is wrong with the parts of a request, gathered while they are converted."""

    def __init__(self) -> None:
        self.found: list[Check] = []

    def gather(self, conversion: Callable[[], T], otherwise: T) -> T:
        """The result of a conversion; `otherwise` if it raises InvalidFields."""
        try:
            return conversion()
        except InvalidFields as refused:
            self.found += [(each.field, each.reason) for each in refused.violations]
            return otherwise


def criteria(given: pb.EventFilter, complaints: Complaints) -> Criteria:
    """What a search asks for."""
    changed_field = _FIELDS.get(given.changed_field, "")
    if given.changed_field and not changed_field:
        complaints.found.append(("filter.changed_field", _NO_FIELD))
    return Criteria(
        user_id=given.user_id,
        workflow_id=workflow_id(given.workflow_id),
        types=_types(given, complaints),
        actor=given.actor,
        changed_field=changed_field,
        request_id=given.request_id,
        trace_id=given.trace_id,
        idempotency_key=given.idempotency_key,
        job_id=given.job_id,
        since=time(given, "since", complaints),
        until=time(given, "until", complaints),
    )


def watched(given: pb.EventFilter, complaints: Complaints) -> WatchFilter:
    """What a watch asks for."""
    others = [field.name for field, _ in given.ListFields() if field.name not in _WATCHED]
    complaints.found += [(f"filter.{name}", _NOT_WATCHED) for name in others]
    types = _types(given, complaints)
    return WatchFilter(given.user_id, workflow_id(given.workflow_id), types)


def time(given: pb.EventFilter, name: str, complaints: Complaints) -> datetime | None:
    """The time in a field of a filter, since or until; None if it is not set."""
    if not given.HasField(name):  # type: ignore[arg-type] # since or until
        return None
    at: Timestamp = getattr(given, name)
    return complaints.gather(lambda: convert.time(at, f"filter.{name}"), None)


def _types(given: pb.EventFilter, complaints: Complaints) -> frozenset[str]:
    return complaints.gather(lambda: convert.types(given.types, "filter.types"), frozenset())
