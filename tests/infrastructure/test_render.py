"""Replies of the contract: what the rest of the service relies on about them."""

from application.ports import OTHER_BYTES, ListedWorkflow
from application.queries import Page
from infrastructure.rpc.workflows import render
from tests.support.given import ID, LATER, NOW


def test_a_listed_workflow_without_name_and_payload_fits_into_its_allowance() -> None:
    largest = ListedWorkflow(
        id=ID,
        name="",
        payload="",
        kind="docker",
        build_status="building",
        interval=525_600,
        failures=2**31 - 1,
        max_failures=100,
        log_retention=True,
        created_at=NOW,
        updated_at=LATER,
        terminated_at=LATER,
        created_position=1,
    )
    page, _ = render.page(Page([largest], ""))
    framing = 16  # bytes: the lengths of a large name, a large payload, and the whole
    assert page.ByteSize() + framing <= OTHER_BYTES
