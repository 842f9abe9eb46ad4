"""Every event says why it came about: by a call, or by a rule that followed from another event."""

from application.handler import CommandHandler
from application.ports import NewEvent
from tests.application.conftest import ORIGIN, handle
from tests.support.given import LATER, create, created, failed, increment, terminated, update
from tests.support.memory import MemoryEventStore


def test_an_event_is_caused_by_the_call_that_asked_for_it(
    handler: CommandHandler, memory: MemoryEventStore
) -> None:
    handle(handler, create(idempotency_key="k"), increment(job_id="j"), update(name="hourly"))
    causes = [(new.origin, new.idempotency_key, new.policy) for _, new in memory.feed]
    assert causes == [(ORIGIN, "k", ""), (ORIGIN, "", ""), (ORIGIN, "", "")]


def test_the_threshold_is_the_actor_of_the_termination_that_follows_from_it(
    handler: CommandHandler, memory: MemoryEventStore
) -> None:
    handle(handler, create(max_consecutive_job_failures_allowed=1), increment(job_id="j"))
    _, (_, counted), (_, ended) = memory.feed
    at = {"at": LATER}
    assert counted == NewEvent(failed(1, "j", **at), ORIGIN, "")
    assert ended.event == terminated("failure_threshold", "j", **at)
    assert (ended.origin.actor, ended.origin.request_id) == ("policy:failure-threshold", "req")
    assert (ended.policy, ended.preceding_version) == ("failure-threshold", 2)
    assert memory.feed[0][1].event == created(max_failures=1)
