"""The examples for clients go on while the service restarts under them."""

from pathlib import Path

import pytest

from tests.support.database import value
from tests.support.examples import REPORTS, Example, go_example, python_example, running
from tests.support.service import Service
from tests.support.waiting import until

RECORDED = "SELECT count(*) FROM workflow_events"
WITHIN = 120.0  # seconds: patience with a slow machine, not an expectation


@pytest.mark.parametrize("command", [python_example, go_example])
def test_an_example_makes_each_report_once_while_the_service_stops_and_dies(
    command: Example, database: str, tmp_path: Path
) -> None:
    with Service("--database-url", database) as first:
        address = first.address
        program = command(address, tmp_path, REPORTS)
        with running(program, tmp_path) as (process, printed):
            until(lambda: len(printed()) > REPORTS // 10)
            first.stop()
            with Service("--database-url", database, "--listen", address) as second:
                reached = len(printed())
                until(lambda: len(printed()) > reached + REPORTS // 10)
                second.kill()
            assert len(printed()) < REPORTS, "it was over before the second server died"
            with Service("--database-url", database, "--listen", address):
                assert process.wait(WITHIN) == 0, (tmp_path / "errors").read_text()

    assert len(set(printed())) == REPORTS
    assert value(database, RECORDED) == REPORTS
