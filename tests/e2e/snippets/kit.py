from domain.workflow import decide, evolve
from hypothesis import settings
from workflows_testing.checks import check
from workflows_testing.life import life
from workflows_testing.machine import service_machine
from workflows_testing.recording import Recorder, RecordingClient

ADDRESS = "127.0.0.1:50052"
SHORT = settings(max_examples=10, stateful_step_count=20, deadline=None)

# Random lives of one workflow, decided by your own pair of functions.
TestAggregate = life(decide, evolve).TestCase
TestAggregate.settings = SHORT

# Random calls to a running service, compared with a model. Name several processes if there are.
TestService = service_machine(ADDRESS).TestCase
TestService.settings = SHORT


# Calls of your own making, recorded and judged: nothing lost, nothing twice, nothing stale.
def test_a_redelivered_job_counts_once() -> None:
    recorder = Recorder()
    client = RecordingClient(ADDRESS, recorder)
    workflow_id = client.created("alice")
    for _ in range(3):
        client.increment(workflow_id, "job-1")
    assert client.get(workflow_id, "alice").message.consecutive_job_failures_count == 1
    client.close()
    assert check(recorder.calls) == []
