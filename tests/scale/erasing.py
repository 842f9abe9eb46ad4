"""One of many users is erased: in how long, and whether any byte is left."""

import grpc
from workflows import admin_pb2 as admin
from workflows import history_pb2 as pb
from workflows.admin_pb2_grpc import WorkflowAdminServiceStub
from workflows.history_pb2_grpc import WorkflowHistoryServiceStub

from tests.scale.stage import Figure, Stage, seconds
from tests.support.bytesearch import found, scrub
from tests.support.database import value
from tests.support.waiting import until

USER = "erna.musterfrau@example.com"
WORDS = {
    "user": USER,
    "name": "ErnasSecretReport",
    "payload": "https://erna.example/invoices",
    "idempotency key": "ernas-key-",
    "job id": "ernas-job-",
}
WITHIN = 1800.0  # seconds: to verify, or to fill the search
_SEARCHED = "SELECT position FROM followers WHERE name = 'search'"


def erasing(stage: Stage) -> list[Figure]:
    """A user with some events is erased; the record is verified before and after."""
    live(stage)
    figures = [Figure("events in the search and in the log", followed(stage), "s after the last")]
    before = verified(stage)
    scrub(stage.dsn)
    assert found(WORDS, stage.root, stage.service.log()).keys() == WORDS.keys()
    stage.settle()
    took = seconds(lambda: erase(stage))
    stage.say("scrubbing")
    scrubbed = seconds(lambda: scrub(stage.dsn))
    left = found(WORDS, stage.root, stage.service.log())
    assert left == {}, left
    after = verified(stage)
    what = f"EraseUser, {stage.sizes.erased} events of one user among {stage.events:,}"
    return [
        *figures,
        Figure(what, took, "s", "below 2"),
        Figure("scrub.sql, after which a search through all bytes finds nothing", scrubbed, "s"),
        Figure("VerifyFeed before the erasure: it holds", before, "events/s", "at least 20,000"),
        Figure("VerifyFeed after the erasure: it holds", after, "events/s", "at least 20,000"),
    ]


def live(stage: Stage) -> None:
    """Records the user's events: half are creations, half are failures."""
    client = stage.service.client
    for number in range(stage.sizes.erased // 2):
        workflow_id = client.created(
            USER,
            name=f"{WORDS['name']} {number}",
            payload=f'{{"url": "{WORDS["payload"]}"}}',
            idempotency_key=f"{WORDS['idempotency key']}{number}",
        )
        client.increment(workflow_id, f"{WORDS['job id']}{number}")


def followed(stage: Stage) -> float:
    """Seconds until the search and a signed checkpoint hold every event."""
    history = WorkflowHistoryServiceStub(stage.service.client.channel)
    last = stage.events
    stage.say(f"waiting for the followers to reach {last:,}")

    def both() -> bool:
        try:
            size = history.GetCheckpoint(pb.GetCheckpointRequest(), timeout=60).size
        except grpc.RpcError:
            return False
        return size >= last and bool(value(stage.dsn, f"SELECT ({_SEARCHED}) >= %s", last))

    return seconds(lambda: until(both, WITHIN))


def verified(stage: Stage) -> float:
    """Events verified a second. Fails unless the whole record holds."""
    stage.say("verifying")
    history = WorkflowHistoryServiceStub(stage.service.client.channel)
    reports: list[pb.FeedReport] = []

    def verify() -> None:
        *_, last = history.VerifyFeed(pb.VerifyFeedRequest(), timeout=WITHIN)
        reports.append(last.report)

    took = seconds(verify)
    [report] = reports
    assert report.integrity.holds, report.integrity
    assert report.completeness.holds, report.completeness
    assert report.events == stage.events
    return report.events / took


def erase(stage: Stage) -> None:
    """Erases the user, and looks at the receipt's figures."""
    service = WorkflowAdminServiceStub(stage.service.client.channel)
    asked = admin.EraseUserRequest(user_id=USER, reason="request 7", legal_basis="GDPR Art. 17")
    erased = service.EraseUser(asked, timeout=60).erasure
    assert erased.events == erased.search_entries == stage.sizes.erased
    assert erased.ledger_entries == stage.sizes.erased
    assert erased.proof
