"""What the rows of a methods' table are made of."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from google.protobuf.message import DecodeError, Message

from domain.catalogue import Catalogue
from infrastructure.rpc.errors import Undecodable
from infrastructure.wire.calls import Metadata

M = TypeVar("M", bound=Message)
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
    """Where the work of a method is done; also the name that observers and threads know."""

    WRITES = "writes"
    LOOKUPS = "lookups"
    LISTS = "lists"
    CHECKS = "checks"
    """Where large requests are parsed and checked before they enter the lane of their method."""


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

    `convert` makes of a message what the lane works on, and raises InvalidFields; `render` makes
    a reply of what the lane returns. Both are pure, but for what `convert` takes from its
    surroundings.
    """

    name: str
    request: type[M]
    door: Door
    lane: LaneName
    convert: Callable[[M, Surroundings], Q]
    render: Callable[[A], Rendered]

    def parse(self, request: bytes) -> M:
        """The message in a request's bytes. Raises Undecodable."""
        try:
            return self.request.FromString(request)
        except DecodeError as undecodable:
            raise Undecodable from undecodable
