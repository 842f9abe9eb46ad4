"""The types of a row in the table of methods, and of a service's table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError, Message

from application.access import Role, Rule, rule_of
from domain.catalogue import Catalogue
from domain.errors import InvalidFields, Violation
from infrastructure.rpc.details import Undecodable
from infrastructure.rpc.wire_text import Broken, repaired
from infrastructure.wire.calls import Metadata

M = TypeVar("M", bound=Message)
NOT_UTF_8 = "is not UTF-8; text in UTF-8 is accepted"

Q = TypeVar("Q")
A = TypeVar("A")

Rendered = tuple[Message, Metadata]
"""A reply: its message, and its trailing metadata."""


class LaneName(StrEnum):
    """The lane of a method; also its name for observers and threads."""

    WRITES = "writes"
    LOOKUPS = "lookups"
    LISTS = "lists"
    HISTORY = "history"
    VERIFICATION = "verification"
    ADMIN = "admin"
    SEARCH = "search"
    TRAILS = "trails"
    ACCESSES = "accesses"
    """Records who reads the history of others, before the read enters the lane of its method."""
    CHECKS = "checks"
    """Parses and checks large requests before they enter the lane of their method."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a request is converted with: the time, a new id for an owner and a time, settings.

    Large requests are converted with a catalogue of their own, if there is one.
    """

    now: Callable[[], datetime]
    new_id: Callable[[str, datetime], str]
    terminate_at_threshold: bool
    catalogue: Catalogue
    catalogue_of_large: Catalogue | None = None

    def of_large_requests(self) -> "Surroundings":
        """The surroundings of large requests."""
        return replace(self, catalogue=self.catalogue_of_large or self.catalogue)


Owner = Callable[[M], str]
"""Reads the owner whom a request names: empty if it names none."""


@dataclass(frozen=True, slots=True)
class StreamRow(Generic[M, Q]):
    """A method that answers one request with a stream of messages.

    `convert` makes of a message what the stream's source is asked, and raises InvalidFields. It is
    pure, except for what it takes from its surroundings. `owner` is None if the request names none.
    """

    name: str
    request: type[M]
    convert: Callable[[M, Surroundings], Q]
    owner: Owner[M] | None

    def message(self, request: bytes, surroundings: Surroundings) -> M:
        """The request as a message, from its bytes. Raises Undecodable or InvalidFields."""
        try:
            return self.request.FromString(request)
        except DecodeError as undecodable:
            raise self._refusal(request, surroundings) from undecodable

    def _refusal(self, request: bytes, surroundings: Surroundings) -> Exception:
        """Why bytes are no message: some text is not UTF-8, or they are broken."""
        try:
            readable = repaired(request, self.request)
            message = self.request.FromString(readable.message)
        except (Broken, DecodeError):
            return Undecodable()
        violations = [Violation(field, NOT_UTF_8) for field in readable.fields]
        try:
            self.convert(message, surroundings)
        except InvalidFields as others:
            violations += [v for v in others.violations if v.field not in readable.fields]
        return InvalidFields(violations)


@dataclass(frozen=True, slots=True)
class MethodRow(StreamRow[M, Q], Generic[M, Q, A]):
    """A method that answers one request with one message.

    Its requests wait in a lane. `render` makes a reply of what the lane returns; it is pure.
    """

    lane: LaneName
    render: Callable[[A], Rendered]


class TableRefused(Exception):
    """A service's table does not fit its contract or the table of access."""


@dataclass(frozen=True, slots=True)
class ServiceTable:
    """A service: its contract, and the rows of its methods."""

    descriptor: ServiceDescriptor
    methods: Sequence[MethodRow[Any, Any, Any]]
    streams: Sequence[StreamRow[Any, Any]] = ()

    @property
    def name(self) -> str:
        """The full name of the service."""
        return str(self.descriptor.full_name)

    def rules(self) -> Mapping[str, Rule]:
        """The rule of access of each row, by the method's name.

        Raises NoRule for a method without one, and TableRefused for a row that does not fit.
        """
        for row in (*self.methods, *self.streams):
            self._check(row, rule_of(self.name, row.name))
        return {row.name: rule_of(self.name, row.name) for row in (*self.methods, *self.streams)}

    def _check(self, row: StreamRow[Any, Any], rule: Rule) -> None:
        described = self.descriptor.methods_by_name.get(row.name)
        if described is None or described.input_type is not row.request.DESCRIPTOR:
            raise TableRefused(f"{self.name} has no method {row.name} with this request")
        if described.client_streaming or described.server_streaming is isinstance(row, MethodRow):
            raise TableRefused(f"{row.name} stands among methods of another shape")
        if rule.own and Role.USER in rule.roles and row.owner is None:
            raise TableRefused(f"{row.name} admits users, so its row must read the owner")
