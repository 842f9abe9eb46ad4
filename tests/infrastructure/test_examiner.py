"""Large payloads are checked in another process, with the same results."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import get_ident

import psutil
import pytest

from infrastructure.catalogue.examiner import ELSEWHERE, Examiner, ExaminerLost
from infrastructure.catalogue.loading import load, read
from tests.support.waiting import until

LARGE = "x" * ELSEWHERE
RIGHT = f'{{"url":"http://example.com/","x":"{LARGE}"}}'


@pytest.fixture
def examiner() -> Iterator[Examiner]:
    """An examiner of the default catalogue."""
    with closing(Examiner(read(None))) as examiner:
        yield examiner


def processes() -> list[psutil.Process]:
    """The processes that check."""
    children = psutil.Process().children()
    return [each for each in children if "infrastructure.catalogue.examining" in each.cmdline()]


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("http", RIGHT),
        ("http", f'{{"x":"{LARGE}"}}'),
        ("docker", f'{{"image":"é","x":"🚀{LARGE}"}}'),
        ("nobody's", f'{{"a":"{LARGE}","a":1}}'),
        ("script", f'{{"a":"{LARGE}"'),
    ],
)
def test_a_large_payload_is_judged_as_it_would_be_here(
    examiner: Examiner, kind: str, payload: str
) -> None:
    for _ in range(2):
        assert examiner.catalogue.payload(payload, kind) == load(None).payload(payload, kind)
    assert len(processes()) == 1


def test_a_process_is_started_for_large_payloads_only_and_closed_with_the_examiner() -> None:
    with closing(Examiner(read(None))) as examiner:
        assert examiner.catalogue.payload("{}", "script") is None
        assert not processes()
        assert examiner.catalogue.payload(RIGHT, "http") is None
        assert processes()
    assert not processes()


def test_a_process_that_has_ended_is_replaced(examiner: Examiner) -> None:
    examiner.catalogue.payload(RIGHT, "http")
    (first,) = processes()
    first.kill()
    until(lambda: first.status() == psutil.STATUS_ZOMBIE)
    assert examiner.catalogue.payload(RIGHT, "http") is None
    assert processes() not in ([], [first])


def test_a_payload_whose_check_ends_the_process_is_refused_and_the_next_is_checked(
    examiner: Examiner,
) -> None:
    examiner.catalogue.payload(RIGHT, "http")
    (process,) = processes()
    process.suspend()
    threads: list[int] = []
    with ThreadPoolExecutor(1, initializer=lambda: threads.append(get_ident())) as thread:
        checking = thread.submit(examiner.catalogue.payload, RIGHT, "http")
        until(lambda: threads and sys._current_frames()[threads[0]].f_code.co_name == "_exactly")
        process.kill()
        with pytest.raises(ExaminerLost):
            checking.result()
    assert examiner.catalogue.payload(RIGHT, "http") is None


def test_without_the_means_to_start_a_process_payloads_are_checked_here(
    examiner: Examiner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.catalogue.examiner._COMMAND", ("/nowhere/python",))
    assert examiner.catalogue.payload(RIGHT, "http") is None
    assert examiner.catalogue.payload(f'{{"x":"{LARGE}"}}', "http")
    assert not processes()
