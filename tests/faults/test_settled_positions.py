"""What a settled append answers is what its acknowledgement would have said."""

from contextlib import closing

from tests.faults.proxy import Fault, Proxy
from tests.faults.writers import writer
from tests.support.database import select
from tests.support.given import ID, create, increment

_POSITIONS = """
    SELECT notification_id FROM workflow_events WHERE originator_id = %s ORDER BY originator_version
"""


def test_each_command_of_a_settled_batch_tells_its_own_position(database: str) -> None:
    with writer(database) as direct:
        direct.done(create(max_consecutive_job_failures_allowed=100))
    jobs = [increment(job_id=f"job {n}") for n in range(6)]
    with closing(Proxy(database)) as proxy, writer(proxy.dsn) as cut_off:
        proxy.arm(Fault.CUT_AFTER_COMMIT)
        outcomes = cut_off.done(*jobs)
    positions = [position for (position,) in select(database, _POSITIONS, ID)]
    assert [done.position for done in outcomes] == positions[1:]
