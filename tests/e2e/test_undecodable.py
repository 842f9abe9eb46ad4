"""Bytes that are no message: INVALID_ARGUMENT from every method, and nothing of the inside."""

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from workflows import workflows_pb2 as pb

from tests.e2e.discretion import assert_discreet
from tests.support.client import WITHIN, Client, Refused

SERVICE = pb.DESCRIPTOR.services_by_name["WorkflowsService"]
METHODS = [method.name for method in SERVICE.methods]
UNDECODABLE = {
    "a truncated field": b"\x0a\xff",
    "an unknown wire type": b"\x0f",
    "an endless varint": b"\xff" * 16,
    "an end of no group": b"\x0c",
    "text": b"Hello",
    "a huge length": b"\x0a\xff\xff\xff\xff\x07x",
    "many bytes": b"\xff" * 1_000_000,
}


@pytest.mark.both_wires
@pytest.mark.parametrize("request_bytes", UNDECODABLE.values(), ids=UNDECODABLE)
@pytest.mark.parametrize("method", METHODS)
def test_undecodable_bytes_are_an_invalid_argument(
    client: Client, method: str, request_bytes: bytes
) -> None:
    refusal = refused_raw(client, method, request_bytes)
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "UNDECODABLE_REQUEST",
    )
    assert_discreet(refusal)


@pytest.mark.parametrize("text", [b"\xc3\x28", b"\xed\xa0\x80"], ids=["cut", "a surrogate"])
@pytest.mark.parametrize("method", ["GetWorkflow", "TerminateWorkflow", "UpdateWorkflow"])
def test_text_that_is_not_utf_8_is_named_by_its_field(
    client: Client, method: str, text: bytes
) -> None:
    refusal = refused_raw(client, method, b"\x0a" + bytes([len(text)]) + text)
    assert refusal.reason == "INVALID_FIELDS"
    assert list(refusal.fields)[:2] == ["id", "user_id"]
    assert "id is not UTF-8; text in UTF-8 is accepted" in refusal.message
    assert_discreet(refusal)


@pytest.mark.parametrize("method", METHODS)
def test_an_empty_request_is_an_invalid_argument(client: Client, method: str) -> None:
    refusal = refused_raw(client, method, b"")
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_FIELDS",
    )


@pytest.mark.parametrize("method", METHODS)
def test_any_bytes_are_refused_discreetly(client: Client, method: str) -> None:
    @given(st.binary(max_size=64))
    def property_(request_bytes: bytes) -> None:
        refusal = refused_raw(client, method, request_bytes)
        assert refusal.code == grpc.StatusCode.INVALID_ARGUMENT
        assert_discreet(refusal)

    property_()


@pytest.mark.parametrize("method", METHODS)
def test_a_request_beyond_the_limit_of_the_transport_is_refused(
    client: Client, method: str
) -> None:
    refusal = refused_raw(client, method, b"\x0a" * 2_000_000)
    assert refusal.code == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_method_that_does_not_exist_is_unimplemented(client: Client) -> None:
    refusal = refused_raw(client, "StealWorkflow", b"")
    assert refusal.code == grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.both_wires
@pytest.mark.parametrize("method", METHODS)
def test_a_call_without_a_message_is_unimplemented(client: Client, method: str) -> None:
    call: grpc.StreamUnaryMultiCallable[bytes, bytes] = client.channel.stream_unary(
        f"/{SERVICE.full_name}/{method}"
    )
    with pytest.raises(grpc.RpcError) as caught:
        call(iter(()), timeout=WITHIN)
    refusal = Refused(caught.value)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNIMPLEMENTED, "NO_MESSAGE")


def refused_raw(client: Client, method: str, request_bytes: bytes) -> Refused:
    """How raw bytes are refused by a method."""
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = client.channel.unary_unary(
        f"/{SERVICE.full_name}/{method}"
    )
    with pytest.raises(grpc.RpcError) as caught:
        call(request_bytes, timeout=WITHIN)
    return Refused(caught.value)
