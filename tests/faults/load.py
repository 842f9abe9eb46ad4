"""Clients that call without pause, retry what they do not know, and remember every answer."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event

import grpc

from tests.support.client import Client, Refused
from tests.support.database import select
from tests.support.waiting import until

CLIENTS = 12
MAXIMUM = 100  # failures that a workflow may have, and so the most turns of a client


@dataclass
class Load:
    """A client a workflow; each counts jobs on it, one after the other, under ids of its own."""

    client: Client
    stop: Event = field(default_factory=Event)
    refusals: Counter[grpc.StatusCode] = field(default_factory=Counter)
    workflows: list[str] = field(default_factory=list)
    acknowledged: set[tuple[str, str]] = field(default_factory=set)
    asked: set[tuple[str, str]] = field(default_factory=set)

    def work(self, number: int) -> None:
        """One client, until it is told to stop."""
        workflow = self.workflows[number]
        for job in (f"{number}/{turn}" for turn in range(MAXIMUM - 1)):
            self.asked.add((workflow, job))
            while (workflow, job) not in self.acknowledged:
                if self.stop.is_set():
                    return
                self._count(workflow, job)

    def _count(self, workflow: str, job: str) -> None:
        try:
            self.client.increment(workflow, job)
        except Refused as refusal:
            self.refusals[refusal.code] += 1
            self.stop.wait(0.02)  # As a client does that is asked to come back soon.
        else:
            self.acknowledged.add((workflow, job))

    @property
    def refused(self) -> int:
        """How many calls ended with another status than OK."""
        return sum(self.refusals.values())

    def reaches(self, more: int, within: float = 15.0) -> None:
        """Waits until so many more jobs are acknowledged."""
        goal = len(self.acknowledged) + more
        until(lambda: len(self.acknowledged) >= goal, within)


@contextmanager
def load(client: Client) -> Iterator[Load]:
    """Clients at work until the block ends."""
    working = Load(client)
    working.workflows = [
        client.created("owner", max_consecutive_job_failures_allowed=MAXIMUM)
        for _ in range(CLIENTS)
    ]
    with ThreadPoolExecutor(CLIENTS) as threads:
        clients: Sequence[Future[None]] = [
            threads.submit(working.work, number) for number in range(CLIENTS)
        ]
        try:
            yield working
        finally:
            working.stop.set()
    for worked in clients:
        worked.result()


def counted(database: str) -> list[tuple[str, str]]:
    """Every job that was counted, as often as it was."""
    query = """
        SELECT originator_id::text, convert_from(state, 'UTF8')::json -> 'event' ->> 'job_id'
        FROM workflow_events WHERE topic = 'failure_incremented.v1'
    """
    return [(workflow, job) for workflow, job in select(database, query)]


def assert_nothing_lost_or_doubled(load: Load, database: str) -> None:
    """What was acknowledged is there, what is there was asked for, and each once."""
    found = counted(database)
    assert len(found) == len(set(found))
    assert load.acknowledged <= set(found) <= load.asked
