"""Calls on both bodies of the wire, made by a real client on a real server."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from time import monotonic
from typing import Any

import grpc
import pytest

from infrastructure.wire.calls import Call
from tests.support.wire_server import (
    ECHO,
    HOLD,
    SOON,
    Busy,
    Serving,
    Waiting,
    WireServer,
    echo,
    error_of,
)

YEAR = 365 * 24 * 3600.0  # seconds
RAISE = "/tests.Service/Raise"


@pytest.mark.parametrize("message", [b"hello", b"", b"x" * 1_000_000], ids=["short", "empty", "1M"])
def test_a_message_is_answered_at_once_or_later(
    wire: WireServer, held: Waiting, message: bytes
) -> None:
    assert wire.call(ECHO)(message, timeout=SOON) == message
    calling = wire.call(HOLD).future(b"", timeout=SOON)
    _, call = held.next()
    assert not calling.done()
    call.answer(message)
    assert calling.result(SOON) == message


def test_many_that_wait_are_answered_from_many_threads_each_with_its_own(
    wire: WireServer, held: Waiting, elsewhere: ThreadPoolExecutor
) -> None:
    numbers = [b"%d" % n for n in range(200)]
    calling = [wire.call(HOLD).future(number, timeout=SOON) for number in numbers]
    waiting = [held.next() for _ in numbers]
    Random(1).shuffle(waiting)
    list(elsewhere.map(lambda one: one[1].answer(b"re: " + one[0]), waiting))
    assert [call.result(SOON) for call in calling] == [b"re: " + number for number in numbers]


def test_calls_go_on_while_others_are_answered_from_other_threads(
    wire: WireServer, held: Waiting, elsewhere: ThreadPoolExecutor
) -> None:
    def answer_one(_: int) -> None:
        request, call = held.next()
        call.answer(request)

    def ask(number: int) -> Sequence[bytes]:
        name = ECHO if number % 2 else HOLD
        return [wire.call(name)(b"%d/%d" % (number, turn), timeout=SOON) for turn in range(50)]

    with ThreadPoolExecutor(8) as clients:
        asking = clients.map(ask, range(8), timeout=SOON)
        answering = elsewhere.map(answer_one, range(4 * 50), timeout=SOON)
        assert list(asking) == [[b"%d/%d" % (n, turn) for turn in range(50)] for n in range(8)]
        list(answering)


def test_a_method_sees_what_came_beside_the_message_and_who_sent_it(
    wire: WireServer, held: Waiting
) -> None:
    sent = (("x-request-id", "r-1"), ("some-bin", b"\x00\xff"))
    calling = wire.call(HOLD).future(b"", timeout=SOON, metadata=sent)
    _, call = held.next()
    assert set(sent) <= {(key, value) for key, value in call.metadata}
    assert call.peer.startswith("ipv4:127.0.0.1:")
    assert call.identities == []
    call.answer(b"")
    calling.result(SOON)


def test_an_answer_carries_trailing_metadata(wire: WireServer, held: Waiting) -> None:
    trailing = (("x-workflow-version", "7"), ("some-bin", b"\x00\xff"))
    calling: Any = wire.call(HOLD).future(b"", timeout=SOON)
    held.next()[1].answer(b"done", trailing)
    assert (calling.result(SOON), calling.code(), calling.details()) == (
        b"done",
        grpc.StatusCode.OK,
        "",
    )
    assert tuple(map(tuple, calling.trailing_metadata())) == trailing


def test_a_refusal_carries_code_text_and_details_at_once_or_later(serving: Serving) -> None:
    text, details = "Größe: 3 → 4", (("grpc-status-details-bin", b"\x08\x03"),)
    codes = [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]
    by_name = {code.name.encode(): code for code in codes}
    with ThreadPoolExecutor(1) as elsewhere:

        def now(request: bytes, call: Call) -> None:
            call.refuse(by_name[request], text, details)

        def later(request: bytes, call: Call) -> None:
            elsewhere.submit(now, request, call)

        with serving({ECHO: now, HOLD: later}) as wire:
            for name in (ECHO, HOLD):
                for code in codes:
                    refused = error_of(wire.call(name).future(code.name.encode(), timeout=SOON))
                    assert (refused.code(), refused.details()) == (code, text)
                    assert tuple(map(tuple, refused.trailing_metadata())) == details


def test_a_client_that_ends_its_side_without_a_message_gets_unimplemented(
    wire: WireServer,
) -> None:
    streaming: grpc.StreamUnaryMultiCallable[bytes, bytes] = wire.channel.stream_unary(ECHO)
    refused = error_of(streaming.future(iter(()), timeout=SOON))
    assert refused.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "exactly one message" in refused.details()


def test_a_call_knows_its_deadline_by_the_monotonic_clock(wire: WireServer, held: Waiting) -> None:
    before = monotonic()
    calling = wire.call(HOLD).future(b"", timeout=SOON)
    _, call = held.next()
    rounding = 0.1  # seconds: the wire rounds a time-out up
    assert before < call.deadline <= monotonic() + SOON + rounding
    call.answer(b"")
    calling.result(SOON)
    calling = wire.call(HOLD).future(b"")
    _, without = held.next()
    assert without.deadline > monotonic() + 10 * YEAR
    without.answer(b"")
    calling.result(SOON)


@pytest.mark.parametrize("fault", [LookupError("inside"), SystemExit("inside")], ids=repr)
def test_a_method_that_raises_is_answered_and_harms_no_other(
    serving: Serving, fault: BaseException
) -> None:
    def method(_: bytes, __: Call) -> None:
        raise fault

    with serving({ECHO: echo, RAISE: method}) as wire:
        broken = [wire.call(RAISE).future(b"", timeout=SOON) for _ in range(2)]
        assert wire.call(ECHO)(b"a", timeout=SOON) == b"a"
        refused = [error_of(call) for call in broken]
    assert {error.code() for error in refused} == {grpc.StatusCode.INTERNAL}
    assert not any("inside" in error.details() for error in refused)


def test_an_answer_that_cannot_be_sent_holds_up_no_other(serving: Serving, held: Waiting) -> None:
    no_metadata: Any = (("x-workflow-version", 7),)
    numbers = [b"%d" % n for n in range(3)]
    busy = Busy()
    with serving({ECHO: busy, HOLD: held}) as wire:
        bad, *good = [wire.call(HOLD).future(number, timeout=SOON) for number in numbers]
        waiting = dict(held.next() for _ in numbers)
        occupying = wire.call(ECHO).future(b"", timeout=SOON)
        busy.wait()
        waiting[b"0"].answer(b"", no_metadata)
        for number in numbers[1:]:
            waiting[number].answer(number)
        busy.free.set()
        occupying.result(SOON)
        assert [call.result(5) for call in good] == numbers[1:]
        bad.cancel()


def test_a_method_that_nobody_offers_is_unimplemented(wire: WireServer) -> None:
    refused = error_of(wire.call("/tests.Service/Other").future(b"", timeout=SOON))
    assert refused.code() is grpc.StatusCode.UNIMPLEMENTED
