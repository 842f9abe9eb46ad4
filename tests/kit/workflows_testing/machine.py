"""Does each thing to a running service, at any of its processes, and to its model, and compares.

`service_machine(*addresses)` makes a state machine for processes that serve one database. Each
run has users of its own, so that it needs no empty database, and leaves its workflows there.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from secrets import token_hex
from typing import Any, ClassVar

import grpc
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
)

from workflows_testing.checks import check
from workflows_testing.client import Answer, Client, Refused, outcome
from workflows_testing.model import BUILD_STATUSES, Expected, Model, Request, Workflow
from workflows_testing.recording import Recorder, RecordingClient
from workflows_testing.requests import OTHER_PAYLOADS, PAYLOADS

KINDS = sorted(PAYLOADS)
_USERS = st.sampled_from(["alice", "bob"])
_WHO = st.sampled_from(["owner"] * 6 + ["other", "nobody"])
_OWNERS = st.sampled_from(["owner"] * 7 + ["other"])
_KEYS = st.sampled_from(["", "", "", "k1", "k2"])
_AT = st.integers(0, 2)
_JOBS = st.sampled_from(["", "one", "two", "three"])
_ASKED = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["nightly", "Nightly 100%", "weekly"]),
        "interval": st.sampled_from([1, 5, 60]),
        "max_consecutive_job_failures_allowed": st.sampled_from([2, 3, 4]),
    }
)
_FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "query": st.sampled_from(["NIGHT", "y", "%", "none"]),
        "kind": st.sampled_from(KINDS),
        "build_status": st.sampled_from(BUILD_STATUSES),
        "is_terminated": st.just(True),
        "interval_min": st.sampled_from([1, 5, 60]),
        "interval_max": st.sampled_from([60, 100]),
    },
)
MOST_WORKFLOWS = 4  # of one run: few enough for much to happen to each


class ServiceAndModel(RuleBasedStateMachine):
    """Runs of a few users with a few workflows each."""

    workflows: Bundle[str] = Bundle("workflows")

    addresses: ClassVar[Sequence[str]]
    client: Callable[[str, Recorder], Client]
    alone: ClassVar[bool]

    def __init__(self) -> None:
        super().__init__()
        self._model = Model()
        self._recorder = Recorder()
        self.clients = [self.client(at, self._recorder) for at in self.addresses]
        self._run = token_hex(4)

    def teardown(self) -> None:
        """Checks everything that this run's clients saw."""
        for client in self.clients:
            client.close()
        assert check(self._recorder.calls) == []

    @precondition(lambda self: len(self._model.workflows) < MOST_WORKFLOWS)
    @rule(
        target=workflows,
        at=_AT,
        user=_USERS,
        key=_KEYS,
        asked=_ASKED,
        kind=st.sampled_from(KINDS),
        log_retention=st.booleans(),
    )
    def create(
        self, at: int, user: str, key: str, asked: Request, kind: str, log_retention: bool
    ) -> MultipleResults[str]:
        own = {"kind": kind, "payload": PAYLOADS[kind], "log_retention": log_retention}
        return self._create(at, user, key, {**asked, **own})

    @precondition(lambda self: self._model.created)
    @rule(target=workflows, at=_AT, place=st.integers(0, 3))
    def repeat_a_create(self, at: int, place: int) -> MultipleResults[str]:
        known = list(self._model.created.items())
        (user, key), (asked, _) = known[place % len(known)]
        return self._create(at, user, key, asked)

    @rule(
        at=_AT,
        workflow_id=workflows,
        who=_OWNERS,
        key=_KEYS,
        asked=_ASKED,
        payloads=st.sampled_from([PAYLOADS, OTHER_PAYLOADS]),
    )
    def update(
        self,
        at: int,
        workflow_id: str,
        who: str,
        key: str,
        asked: Request,
        payloads: Mapping[str, str],
    ) -> None:
        kind = self._model.workflows[workflow_id].asked["kind"]
        self._update(at, workflow_id, who, key, {**asked, "payload": payloads[kind]})

    @rule(at=_AT, workflow_id=workflows, key=_KEYS)
    def update_to_what_it_is(self, at: int, workflow_id: str, key: str) -> None:
        unchanged = dict(self._model.workflows[workflow_id].asked)
        del unchanged["kind"], unchanged["log_retention"]
        self._update(at, workflow_id, "owner", key, unchanged)

    @rule(
        at=_AT,
        workflow_id=workflows,
        who=_WHO,
        status=st.sampled_from(BUILD_STATUSES),
        generation=st.sampled_from([0, 0, 1, 2, 3]),
    )
    def build(self, at: int, workflow_id: str, who: str, status: str, generation: int) -> None:
        user = self._caller(workflow_id, who)
        expected = self._model.build(workflow_id, user, status, generation)
        client, caller = self._at(at), self._user(user)
        self._agree(
            expected, outcome(lambda: client.build(workflow_id, status, caller, generation))
        )

    @rule(at=_AT, workflow_id=workflows, who=_WHO, job=_JOBS)
    def increment(self, at: int, workflow_id: str, who: str, job: str) -> None:
        self._increment(at, workflow_id, who, job)

    @precondition(lambda self: self._model.counted)
    @rule(at=_AT, place=st.integers(0, 11), who=st.sampled_from(["owner", "other", "nobody"]))
    def redeliver(self, at: int, place: int, who: str) -> None:
        workflow_id, job = self._model.counted[place % len(self._model.counted)]
        self._increment(at, workflow_id, who, job)

    @rule(at=_AT, workflow_id=workflows, who=_WHO)
    def reset(self, at: int, workflow_id: str, who: str) -> None:
        user = self._caller(workflow_id, who)
        expected = self._model.reset(workflow_id, user)
        client, caller = self._at(at), self._user(user)
        self._agree(expected, outcome(lambda: client.reset(workflow_id, caller)))

    @rule(at=_AT, workflow_id=workflows, who=_OWNERS)
    def terminate(self, at: int, workflow_id: str, who: str) -> None:
        user = self._caller(workflow_id, who)
        expected = self._model.terminate(workflow_id, user)
        client, owner = self._at(at), self._user(user)
        self._agree(expected, outcome(lambda: client.terminate(workflow_id, owner)))

    @rule(at=_AT, workflow_id=workflows, who=_OWNERS)
    def delete(self, at: int, workflow_id: str, who: str) -> None:
        user = self._caller(workflow_id, who)
        expected = self._model.delete(workflow_id, user)
        client, owner = self._at(at), self._user(user)
        self._agree(expected, outcome(lambda: client.delete(workflow_id, owner)))

    @rule(at=_AT, workflow_id=workflows, who=_OWNERS)
    def get(self, at: int, workflow_id: str, who: str) -> None:
        user = self._caller(workflow_id, who)
        client, owner = self._at(at), self._user(user)
        workflow = self._model.visible(workflow_id, user)
        self._shows(workflow, outcome(lambda: client.get(workflow_id, owner)))

    @rule(at=_AT, workflow_id=workflows)
    def get_by_id(self, at: int, workflow_id: str) -> None:
        workflow = self._model.visible(workflow_id, "")
        self._shows(workflow, outcome(lambda: self._at(at).get_by_id(workflow_id)))

    @rule(at=_AT, user=_USERS, filters=_FILTERS)
    def walk(self, at: int, user: str, filters: Request) -> None:
        listed = self._at(at).walk(self._user(user), **filters)
        assert listed == self._model.listed(user, filters)

    def _update(self, at: int, workflow_id: str, who: str, key: str, request: Request) -> None:
        user = self._caller(workflow_id, who)
        expected = self._model.update(workflow_id, user, key, request)
        client, owner = self._at(at), self._user(user)
        update = partial(client.update, workflow_id, owner, idempotency_key=key, **request)
        self._agree(expected, outcome(update))

    def _increment(self, at: int, workflow_id: str, who: str, job: str) -> None:
        user = self._caller(workflow_id, who)
        expected = self._model.increment(workflow_id, user, job)
        client, caller = self._at(at), self._user(user)
        answer = self._agree(expected, outcome(lambda: client.increment(workflow_id, job, caller)))
        if answer is not None and isinstance(expected, Expected):
            assert answer.message.threshold_reached == expected.threshold_reached

    def _create(self, at: int, user: str, key: str, asked: Request) -> MultipleResults[str]:
        client, owner = self._at(at), self._user(user)
        expected = self._model.repeated_create(user, key, asked)
        created = outcome(lambda: client.create(owner, idempotency_key=key, **asked))
        if isinstance(created, Refused) or expected is not None:
            assert expected is not None
            self._agree(expected, created)
            return multiple()
        if not self._model.workflows:
            self._model.position = created.position - 1
        self._agree(self._model.born(created.message.id, user, key, asked), created)
        return multiple(created.message.id)

    def _agree(
        self, expected: grpc.StatusCode | Expected, got: Answer[Any] | Refused
    ) -> Answer[Any] | None:
        """Compares an answer or a refusal; returns the answer."""
        if isinstance(got, Refused):
            assert got.code == expected
            return None
        assert isinstance(expected, Expected), f"not refused as {expected}"
        assert (got.version, got.replayed) == (expected.version, expected.replayed)
        assert got.position == expected.position or not self.alone
        if expected.replayed and hasattr(got.message, "id"):
            assert got.message.id == expected.workflow_id
        return got

    def _shows(self, workflow: Workflow | None, got: Answer[Any] | Refused) -> None:
        """Compares a read."""
        if isinstance(got, Refused):
            assert (got.code, workflow) == (grpc.StatusCode.NOT_FOUND, None)
            return
        assert workflow is not None
        shown = workflow.shown()
        assert {name: getattr(got.message, name) for name in shown} == shown
        assert bool(got.message.terminated_at) == workflow.terminated
        assert got.version == workflow.version

    @invariant()
    def lists_agree(self) -> None:
        """Lists show every user's workflows as they are now."""
        for user in ("alice", "bob"):
            listed = self.clients[0].page(self._user(user)).workflows
            assert [found.id for found in listed] == self._model.listed(user, {})
            for found in listed:
                shown = self._model.workflows[found.id].shown()
                del shown["generation"]
                assert {name: getattr(found, name) for name in shown} == shown

    def _caller(self, workflow_id: str, who: str) -> str:
        owner = self._model.workflows[workflow_id].user
        others = {"alice": "bob", "bob": "alice"}
        return {"owner": owner, "other": others[owner], "nobody": ""}[who]

    def _user(self, name: str) -> str:
        """A user of this run only; the empty user stays empty."""
        return name and f"{name} of run {self._run}"

    def _at(self, place: int) -> Client:
        return self.clients[place % len(self.clients)]


def service_machine(
    *addresses: str,
    client: Callable[[str, Recorder], Client] = RecordingClient,
    alone: bool = True,
) -> type[ServiceAndModel]:
    """The state machine for the processes at these addresses; its `TestCase` runs it.

    `client` makes a client for an address. If others write to the same database meanwhile, pass
    `alone=False`: positions in the feed cannot be foretold then, and are not compared.
    """

    class Processes(ServiceAndModel):
        pass

    Processes.addresses = addresses
    Processes.client = staticmethod(client)
    Processes.alone = alone
    Processes.__name__ = Processes.__qualname__ = "ServiceAndModel"
    return Processes
