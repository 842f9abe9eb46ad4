"""The types of a row in the table of methods."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from google.protobuf.message import DecodeError, Message

from domain.catalogue import Catalogue
from domain.errors import InvalidFields, Violation
from infrastructure.rpc.errors import Undecodable
from infrastructure.rpc.wire_text import Broken, repaired
from infrastructure.wire.calls import Metadata

M = TypeVar("M", bound=Message)
NOT_UTF_8 = "is not UTF-8; text in UTF-8 is accepted"

Q = TypeVar("Q")
A = TypeVar("A")

Rendered = tuple[Message, Metadata]
"""A reply: its message, and its trailing metadata."""


class Door(StrEnum):
    """Who a method is for."""

    PUBLIC = "public"
    """Any client."""
    INTERNAL = "internal"
    """Other services only."""


class LaneName(StrEnum):
    """The lane of a method; also its name for observers and threads."""

    WRITES = "writes"
    LOOKUPS = "lookups"
    LISTS = "lists"
    CHECKS = "checks"
    """Parses and checks large requests before they enter the lane of their method."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a request is converted with: the time, a new id for an owner, settings."""

    now: Callable[[], datetime]
    new_id: Callable[[str], str]
    terminate_at_threshold: bool
    catalogue: Catalogue


@dataclass(frozen=True, slots=True)
class MethodRow(Generic[M, Q, A]):
    """One method of a service: all that is known about it before anything serves it.

    `convert` makes of a message what the lane works on, and raises InvalidFields; `render` makes a
    reply of what the lane returns. Both are pure, except for what `convert` takes from its
    surroundings.
    """

    name: str
    request: type[M]
    door: Door
    lane: LaneName
    convert: Callable[[M, Surroundings], Q]
    render: Callable[[A], Rendered]

    def read(self, request: bytes, surroundings: Surroundings) -> Q:
        """The lane's input, from a request's bytes. Raises Undecodable or InvalidFields."""
        try:
            message = self.request.FromString(request)
        except DecodeError as undecodable:
            raise self._refusal(request, surroundings) from undecodable
        return self.convert(message, surroundings)

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
