"""Text that is not UTF-8: which fields of a message hold it."""

from contextlib import suppress
from typing import Any, cast

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from workflows import workflows_pb2 as pb

from domain.errors import InvalidFields
from infrastructure.rpc.details import Undecodable
from infrastructure.rpc.method import MethodRow, Surroundings
from infrastructure.rpc.wire_text import Broken, repaired
from infrastructure.rpc.workflows.methods import METHODS
from tests.support.given import CATALOGUE, ID, NOW

BAD = b"\xc3("
SURROUNDINGS = Surroundings(lambda: NOW, lambda *_: ID, True, CATALOGUE)


def text(number: int, value: bytes) -> bytes:
    """A string field on the wire, or a message."""
    return bytes([number << 3 | 2, len(value)]) + value


def row(name: str) -> MethodRow[Any, Any, Any]:
    """The method of this name."""
    return next(row for row in cast("Any", METHODS) if row.name == name)


def read(row: MethodRow[Any, Any, Any], request: bytes) -> None:
    """Reads a request as the dispatcher does."""
    row.convert(row.message(request, SURROUNDINGS), SURROUNDINGS)


def refused(method: str, request: bytes) -> list[str]:
    """The fields that a request is refused for."""
    with pytest.raises(InvalidFields) as refusal:
        read(row(method), request)
    return [violation.field for violation in refusal.value.violations]


def test_each_field_with_bad_text_is_named_beside_the_other_bad_ones() -> None:
    request = (
        text(1, b"alice") + text(2, BAD) + text(3, b"[]") + text(4, b"http") + text(8, b"\xff")
    )
    assert refused("CreateWorkflow", request) == [
        "name",
        "idempotency_key",
        "payload",
        "interval",
        "max_consecutive_job_failures_allowed",
    ]


def test_a_field_of_a_message_inside_is_named_by_its_path() -> None:
    filters = text(2, b"cron") + text(1, b"\xed\xa0\x80")
    assert refused("ListWorkflows", text(1, b"alice") + text(3, filters)) == [
        "filters.query",
        "filters.kind",
    ]


def test_what_is_not_of_the_contract_is_stepped_over() -> None:
    unknown = b"\x98\x06\x07" + b"\x9b\x06" + text(1, BAD) + b"\x9c\x06" + b"\xa5\x06abcd"
    unknown += b"\xa9\x06abcdefgh" + b"\xaa\x06\x01\xff"
    assert repaired(unknown + text(2, BAD), pb.CreateWorkflowRequest).fields == ["name"]


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(text(2, BAD) + b"\x0a\x05abc", id="cut off"),
        pytest.param(text(2, BAD) + b"\x0f", id="an unknown wire type"),
        pytest.param(text(2, BAD) + b"\x0b", id="an open group"),
        pytest.param(text(2, BAD) + b"\x0b\x14", id="another group's end"),
        pytest.param(text(2, BAD) + b"\x02\x00", id="field number 0"),
        pytest.param(b"\xff" * 11, id="an endless varint"),
        pytest.param(text(2, BAD) + b"\x98\x06\x07" * 101, id="more parts than any of ours"),
    ],
)
def test_what_is_no_message_at_all_is_broken(request_bytes: bytes) -> None:
    with pytest.raises(Broken):
        repaired(request_bytes, pb.CreateWorkflowRequest)
    with pytest.raises(Undecodable):
        read(row("CreateWorkflow"), request_bytes)


@for_all(st.binary(max_size=40), st.sampled_from(list(METHODS)))
def test_any_bytes_are_read_or_refused(
    request_bytes: bytes, method: MethodRow[Any, Any, Any]
) -> None:
    with suppress(InvalidFields, Undecodable):
        read(method, request_bytes)
