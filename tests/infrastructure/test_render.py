"""Replies of the contract: what the rest of the service relies on about them."""

from dataclasses import replace

from application.ports import View
from application.queries import OTHER_BYTES, Page
from infrastructure.rpc.workflows import render
from tests.support.given import ID, created, terminated, workflow


def test_a_listed_workflow_without_name_and_payload_fits_into_its_allowance() -> None:
    ended = workflow(created(name="", payload="", interval=525_600), terminated())
    largest = replace(
        ended,
        kind="docker",
        build_status="building",
        failures=2**31 - 1,
        max_failures=100,
        log_retention=True,
    )
    page, _ = render.page(Page([View(ID, largest, 1)], ""))
    framing = 16  # bytes: the lengths of a large name, a large payload, and the whole
    assert page.ByteSize() + framing <= OTHER_BYTES
