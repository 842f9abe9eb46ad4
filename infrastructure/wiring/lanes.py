"""The lanes of the service, their bounds, and how the work of methods enters them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from application.accesses import Access
from application.draft import Done, Submission
from application.erasure import EraseUser, HoldUser
from application.history.questions import Question, WhatIfRequest
from application.history.results import Answer
from application.ports import View
from application.queries import Lookup, Page, PageRequest
from application.receipts import Erasure
from application.searches import SearchPage, SearchRequest
from application.trails import AccessesPage, AccessesRequest, ErasuresPage, ErasuresRequest
from application.verification.answers import VerifyWorkflow
from application.verification.findings import WorkflowReport
from domain.commands import Command
from infrastructure.identity.origin import Origins
from infrastructure.lanes.batcher import Limits
from infrastructure.lanes.lane import Lane
from infrastructure.lanes.parallel import ParallelLanes
from infrastructure.rpc.dispatch import Entrance, checked
from infrastructure.rpc.guard import Reply
from infrastructure.rpc.method import LaneName
from infrastructure.telemetry.observer import Observer
from infrastructure.wiring.store import Store

WRITES = Limits()
LOOKUPS = Limits(batch=128, linger=0.004)  # A workflow may hold a payload of 1 MiB.
CHECKS = Limits(queue=256, queue_bytes=16_000_000, share=64, share_bytes=4_000_000, batch=1)
LISTS = Limits(queue=1024, share=256, batch=1)
HISTORY = Limits(queue=256, share=64, batch=1)
VERIFICATIONS = Limits(queue=64, share=8, batch=1)
ADMINISTRATION = Limits(queue=64, share=64, batch=1)
SEARCH = Limits(queue=64, share=16, batch=1)
ACCESSES = Limits(queue=1024, share=256)
TRAILS = Limits(queue=64, share=16, batch=1)

STORED_TWICE = 2  # A command is stored in its event and in the current-state row.


@dataclass(frozen=True, slots=True)
class Lanes:
    """Where callers wait for the threads that work for them."""

    writes: Lane[Submission, Done]
    lookups: Lane[Lookup, View]
    lists: list[Lane[PageRequest, Page]]
    histories: list[Lane[Question, Answer]]
    verifications: Lane[VerifyWorkflow, WorkflowReport]
    administration: Lane[tuple[EraseUser | HoldUser, str], Erasure | HoldUser]
    searches: Lane[SearchRequest, SearchPage]
    accesses: Lane[Access, Access]
    trails: Lane[AccessesRequest | ErasuresRequest, AccessesPage | ErasuresPage]
    checks: Lane[Callable[[], Any], Any]

    @property
    def all(self) -> list[Lane[Any, Any]]:
        """Every lane, those first from which work goes on to others."""
        return [
            self.checks,
            self.accesses,
            self.administration,
            self.searches,
            self.verifications,
            self.trails,
            *self.histories,
            *self.lists,
            self.lookups,
            self.writes,
        ]

    @property
    def alive(self) -> bool:
        """Whether the threads of all lanes do their work."""
        return all(lane.alive for lane in self.all)


@contextmanager
def opened_lanes(store: Store, observer: Observer) -> Iterator[Lanes]:
    """The lanes, which are drained when the block ends."""
    lists = [Lane(LaneName.LISTS, each.pages, LISTS, observer) for each in store.lists]
    histories: list[Lane[Question, Answer]] = [
        Lane(LaneName.HISTORY, each.answer, HISTORY, observer) for each in store.histories
    ]
    searches = Lane(LaneName.SEARCH, store.searches.answer, SEARCH, observer)
    verifications: Lane[VerifyWorkflow, WorkflowReport] = Lane(
        LaneName.VERIFICATION, store.verifications.answer, VERIFICATIONS, observer
    )
    lookups = Lane(LaneName.LOOKUPS, store.lookups.look_up, LOOKUPS, observer)
    writes = Lane(LaneName.WRITES, store.commands.handle, WRITES, observer)
    checks: Lane[Callable[[], Any], Any] = Lane(LaneName.CHECKS, checked, CHECKS, observer)
    administration: Lane[tuple[EraseUser | HoldUser, str], Erasure | HoldUser] = Lane(
        LaneName.ADMIN, store.erasures.answer, ADMINISTRATION, observer
    )
    accesses: Lane[Access, Access] = Lane(
        LaneName.ACCESSES, store.accesses.answer, ACCESSES, observer
    )
    trails: Lane[AccessesRequest | ErasuresRequest, AccessesPage | ErasuresPage] = Lane(
        LaneName.TRAILS, store.trails.answer, TRAILS, observer
    )
    lanes = Lanes(
        writes,
        lookups,
        lists,
        histories,
        verifications,
        administration,
        searches,
        accesses,
        trails,
        checks,
    )
    try:
        yield lanes
    finally:
        for lane in lanes.all:
            lane.drain()


def _submission(
    origins: Origins, command: Command, reply: Reply, method: str, owner: str
) -> Submission:
    reply.origin = origins.of(reply.metadata, reply.caller, method, owner)
    return Submission(command, reply.origin)


def _question(origins: Origins, question: Question, reply: Reply, *_: str) -> Question:
    if isinstance(question, WhatIfRequest):
        return question.by(partial(origins.of, reply.metadata, reply.caller))
    return question


def entrances(lanes: Lanes, origins: Origins) -> Mapping[LaneName, Entrance]:
    """How the work of methods enters each lane, by the lane's name."""
    return {
        LaneName.WRITES: Entrance(
            lanes.writes,
            partial(_submission, origins),
            STORED_TWICE,
        ),
        LaneName.LOOKUPS: Entrance(lanes.lookups, lambda lookup, *_: lookup),
        LaneName.LISTS: Entrance(ParallelLanes(lanes.lists), lambda page, *_: page),
        LaneName.TRAILS: Entrance(lanes.trails, lambda asked, *_: asked),
        LaneName.VERIFICATION: Entrance(lanes.verifications, lambda asked, *_: asked),
        LaneName.ADMIN: Entrance(
            lanes.administration, lambda asked, reply, *_: (asked, reply.caller.actor)
        ),
        LaneName.HISTORY: Entrance(
            ParallelLanes(lanes.histories),
            partial(_question, origins),
        ),
        LaneName.SEARCH: Entrance(lanes.searches, lambda asked, reply, *_: asked.by(reply.caller)),
    }
