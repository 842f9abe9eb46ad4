"""Accesses of several callers share a commit, and one that cannot be recorded stands alone."""

from collections.abc import Sequence

import pytest

from application.access import ANONYMOUS, Caller, Role
from application.accesses import Access, AccessNotRecorded, Recorder, Subject, is_own
from application.ports import AppendRefused, StoreUnavailable

EVE, MAX, ODD = (
    Access(actor, actor, "GetProof", Subject(), "r") for actor in ("eve", "max", "odd")
)


class Log:
    """An access log in memory, which cannot hold accesses by `odd`."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.commits: list[Sequence[Access]] = []
        self._fault = fault

    def record(self, accesses: Sequence[Access]) -> None:
        """See AccessLog."""
        if self._fault:
            raise self._fault
        if ODD in accesses:
            raise AppendRefused
        self.commits.append(accesses)


def test_a_batch_is_one_commit() -> None:
    log = Log()
    assert list(Recorder(log).answer([EVE, MAX])) == [EVE, MAX]
    assert log.commits == [[EVE, MAX]]


def test_one_that_cannot_be_held_harms_no_other() -> None:
    log = Log()
    first, odd, last = Recorder(log).answer([EVE, ODD, MAX])
    assert (first, last) == (EVE, MAX)
    assert isinstance(odd, AccessNotRecorded)
    assert log.commits == [[EVE], [MAX]]


def test_a_log_that_is_away_refuses_all() -> None:
    with pytest.raises(AccessNotRecorded, match="cannot be recorded, so it is refused"):
        list(Recorder(Log(StoreUnavailable())).answer([EVE, MAX]))


@pytest.mark.parametrize(
    ("caller", "owner", "own"),
    [
        (Caller("i", "alice", frozenset({Role.USER})), "alice", True),
        (Caller("i", "eve", frozenset({Role.AUDITOR})), "alice", False),
        (Caller("i", "eve", frozenset({Role.AUDITOR})), "", False),
        (ANONYMOUS, "anonymous", False),
    ],
)
def test_own_is_what_a_credential_proves(caller: Caller, owner: str, own: bool) -> None:
    assert is_own(caller, owner) is own
