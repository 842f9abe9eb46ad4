"""A service that exists in numbers only: seeded clients, a clock that jumps, and bugs on demand."""

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import Enum, auto
from random import Random
from typing import Any

from workflows_testing.checks import CREATE, INCREMENT
from workflows_testing.history import Call, LogEntry, Outcome

GET = "GetWorkflow"
CLIENTS = 6
TURNS = 30  # calls of each client
SOME_TIME = 1000  # the longest time between two steps of a call


class Bug(Enum):
    """What the service does wrong, once, in the middle of a run."""

    LOSES = auto()  # acknowledges an increment without recording it
    DOUBLES = auto()  # records an increment twice
    REPEATS = auto()  # counts a redelivered job again
    LIES = auto()  # records an increment, and says that it had no effect
    IS_STALE = auto()  # shows a workflow as it was before something acknowledged


class Simulation:
    """A run: `calls` and `log` are what the clients and the service remember of it."""

    def __init__(self, seed: int, bug: Bug | None = None) -> None:
        self.calls: list[Call] = []
        self.log: list[LogEntry] = []
        self._random = Random(seed)
        self._bug = bug
        self.harmed = ""  # the id of the call that the bug struck
        self._versions: dict[str, int] = defaultdict(int)
        self._acknowledged: dict[str, int] = defaultdict(int)
        self._told_before: dict[str, int] = {}
        self._answers: dict[tuple[str, str, str], Mapping[str, Any]] = {}
        self._run()

    def _run(self) -> None:
        """Steps of all clients in the order of their times."""
        clients = [self._client(number) for number in range(CLIENTS)]
        waiting = [(self._random.randrange(SOME_TIME), number) for number in range(CLIENTS)]
        heapq.heapify(waiting)
        while waiting:
            self._now, number = heapq.heappop(waiting)
            if next(clients[number], None) is not None:
                later = self._now + self._random.randint(1, SOME_TIME)
                heapq.heappush(waiting, (later, number))

    def _client(self, number: int) -> Iterator[bool]:
        """One client's calls: each begins, has its effect, and returns, at three times."""
        for turn in range(TURNS):
            call = self._begun(f"{number}-{turn}", str(number))
            yield True
            done = self._effect(call)
            yield True
            if self._random.random() < 0.1 and call.id != self.harmed:
                self.calls.append(call)  # The answer is lost on its way.
            else:
                self.calls.append(replace(done, returned=self._now))
                self._acknowledge(done)
            yield True

    def _acknowledge(self, done: Call) -> None:
        known = self._acknowledged[done.workflow_id]
        self._acknowledged[done.workflow_id] = max(known, done.version)

    def _begun(self, name: str, client: str) -> Call:
        workflow = f"w{self._random.randrange(3)}"
        method = self._random.choice([INCREMENT, INCREMENT, GET]) if self.log else CREATE
        request = {"id": workflow, "user_id": "alice"}
        if method == INCREMENT and self._random.random() < 0.7:
            request["job_id"] = f"job {self._random.randrange(40)}"
        if method == CREATE:
            request["idempotency_key"] = workflow
        self._told_before[name] = self._acknowledged[workflow]
        return Call(
            id=name, client=client, server="", method=method, request=request,
            called=self._now, reply={},
        )  # fmt: skip

    def _effect(self, call: Call) -> Call:
        workflow = str(call.request["id"])
        if call.key and call.key in self._answers and not self._strikes(Bug.REPEATS, call):
            return replace(call, **self._answers[call.key], replayed=True)
        version = self._versions[workflow]
        if call.method == GET:
            told = self._told_before[call.id] == version > 1  # So that to show less is a fault.
            stale = told and self._strikes(Bug.IS_STALE, call)
            return self._answered(call, version - stale)
        answered = self._answered(call, version + 1)
        if not self._strikes(Bug.LOSES, call):
            self._record(call, workflow)
        if self._strikes(Bug.DOUBLES, call):
            self._record(call, workflow)
        if call.key:
            own = ("outcome", "version", "reply")
            self._answers[call.key] = {name: getattr(answered, name) for name in own}
        if self._strikes(Bug.LIES, call):
            return replace(call, outcome=Outcome.REFUSED, code="ABORTED")
        return answered

    def _record(self, call: Call, workflow: str) -> None:
        self._versions[workflow] += 1
        self.log.append(
            LogEntry(
                workflow_id=workflow,
                version=self._versions[workflow],
                position=len(self.log) + 1,
                name=call.method,
                request_id=call.id,
            )
        )

    def _answered(self, call: Call, version: int) -> Call:
        reply = {"id": call.request["id"], "version": version}
        return replace(call, outcome=Outcome.OK, code="OK", version=version, reply=reply)

    def _strikes(self, bug: Bug, call: Call) -> bool:
        if self._bug is not bug or self.harmed or len(self.log) < 20:
            return False
        self.harmed = call.id
        return True
