"""Clients at work: they call without pause, repeat calls with an unknown outcome, and record every
call.

What they do is drawn from a seed. What follows is not foretold, since they run side by side: it is
judged afterwards by checks.py.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from random import Random
from threading import Condition, Event
from types import TracebackType
from typing import Any, Self

import grpc

from workflows_testing.client import Client, Refused
from workflows_testing.model import BUILD_STATUSES
from workflows_testing.recording import Recorder, RecordingClient

USER = "owner"
WORKFLOWS = 5  # at a time, shared by all clients
MAXIMUM = 4  # failures that a workflow may have
PAUSE = 0.02  # seconds before a call that was refused is repeated

Act = Callable[[Client], object]

_AGAIN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
}


class Workload:
    """Clients at work while the block runs, each at any of the addresses, one call at a time.

    `within` is the deadline of each call in seconds. An exception of a client that is no refusal
    is raised at the end of the block.
    """

    def __init__(
        self, addresses: Sequence[str], seed: int, clients: int = 8, within: float = 3.0
    ) -> None:
        self._addresses = addresses
        self._seed = seed
        self._within = within
        self._recorder = Recorder()
        self._stop = Event()
        self._progress = Condition()
        self._acknowledged = 0
        self._pool: list[str] = []
        self._threads = ThreadPoolExecutor(clients)
        self._clients = clients
        self._work: list[Future[None]] = []

    @property
    def recorder(self) -> Recorder:
        """What was recorded so far."""
        return self._recorder

    @property
    def workflows(self) -> Sequence[str]:
        """The workflows that the clients work on now."""
        return list(self._pool)

    def reaches(self, more: int, within: float = 30.0) -> None:
        """Waits until so many more calls succeeded. Raises TimeoutError after `within` seconds."""
        with self._progress:
            goal = self._acknowledged + more
            if not self._progress.wait_for(lambda: self._acknowledged >= goal, within):
                raise TimeoutError(f"not {more} more successful calls within {within} s")

    def __enter__(self) -> Self:
        client = self._client(self._addresses[0])
        self._pool = [self._created(client, f"workflow {n}") for n in range(WORKFLOWS)]
        client.close()
        self._work = [self._threads.submit(self._work_as, n) for n in range(self._clients)]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._threads.shutdown()
        if error is None:
            for worked in self._work:
                worked.result()

    def _client(self, address: str) -> Client:
        return RecordingClient(address, self._recorder, self._within)

    def _created(self, client: Client, key: str) -> str:
        return client.created(
            USER, idempotency_key=key, max_consecutive_job_failures_allowed=MAXIMUM
        )

    def _work_as(self, number: int) -> None:
        random = Random(f"{self._seed}/{number}")
        clients = [self._client(address) for address in self._addresses]
        acts: Mapping[Callable[[Random, str], tuple[Act, bool]], int] = {
            _increment_of_a_job: 8, _increment: 4, _update: 4, _build: 3, _get: 6, _reset: 2,
            _terminate: 1, self._replace: 1,
        }  # fmt: skip
        while not self._stop.is_set():
            (draw,) = random.choices(list(acts), list(acts.values()))
            act, repeatable = draw(random, random.choice(self._pool))
            self._persist(random, clients, act, repeatable)
        for client in clients:
            client.close()

    def _persist(
        self, random: Random, clients: Sequence[Client], act: Act, repeatable: bool
    ) -> None:
        """Does something; if it is safe to repeat, until its outcome is known."""
        while not self._stop.is_set():
            try:
                act(random.choice(clients))
            except Refused as refusal:
                if not repeatable or refusal.code not in _AGAIN:
                    return
                self._stop.wait(PAUSE)
            else:
                with self._progress:
                    self._acknowledged += 1
                    self._progress.notify_all()
                return

    def _replace(self, random: Random, workflow_id: str) -> tuple[Act, bool]:
        """Deletes a workflow, and creates another in its place."""
        key = f"in place of {workflow_id}"

        def act(client: Client) -> None:
            new = self._created(client, key)
            if workflow_id in self._pool:
                self._pool[self._pool.index(workflow_id)] = new
            client.delete(workflow_id, USER)

        return act, True


def _increment_of_a_job(random: Random, workflow_id: str) -> tuple[Act, bool]:
    job = f"job {random.randrange(1000)}"
    return lambda client: client.increment(workflow_id, job), True


def _increment(random: Random, workflow_id: str) -> tuple[Act, bool]:
    return lambda client: client.increment(workflow_id), False


def _update(random: Random, workflow_id: str) -> tuple[Act, bool]:
    wanted: dict[str, Any] = {
        "interval": random.randint(1, 60),
        "max_consecutive_job_failures_allowed": MAXIMUM,
        "idempotency_key": f"update {random.randrange(10**9)}",
    }
    return lambda client: client.update(workflow_id, USER, **wanted), True


def _build(random: Random, workflow_id: str) -> tuple[Act, bool]:
    status = random.choice(BUILD_STATUSES)
    return lambda client: client.build(workflow_id, status), False


def _get(random: Random, workflow_id: str) -> tuple[Act, bool]:
    return lambda client: client.get(workflow_id, USER), True


def _reset(random: Random, workflow_id: str) -> tuple[Act, bool]:
    return lambda client: client.reset(workflow_id), False


def _terminate(random: Random, workflow_id: str) -> tuple[Act, bool]:
    return lambda client: client.terminate(workflow_id, USER), False
