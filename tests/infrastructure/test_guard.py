"""What the guard reports to those who run the service."""

from typing import cast

import pytest
from structlog.testing import capture_logs

from application.access import Door, Role, Rule
from application.damage import KnownDamage
from application.ports import StoredDataDamaged
from domain.errors import WorkflowNotFound
from infrastructure.rpc.gate import Gate
from infrastructure.rpc.guard import Guard, Reply, guarded
from infrastructure.telemetry.observer import InertObserver
from infrastructure.wire.calls import Call

RULES = {"Method": Rule(Door.PUBLIC, frozenset(Role))}


class Refusals:
    """A call that keeps how it was refused."""

    metadata = ()

    def __init__(self) -> None:
        self.codes: list[str] = []

    def refuse(self, code: object, *_: object) -> None:
        """See Call.refuse."""
        self.codes.append(str(code))


@pytest.mark.parametrize(
    ("error", "code", "reported"),
    [
        (StoredDataDamaged("x"), "StatusCode.DATA_LOSS", ["STORED_DATA_DAMAGED"]),
        (KnownDamage("x"), "StatusCode.DATA_LOSS", []),
        (KeyError("x"), "StatusCode.INTERNAL", ["INTERNAL"]),
        (WorkflowNotFound("x"), "StatusCode.NOT_FOUND", []),
    ],
    ids=["damage", "known damage", "fault", "refusal"],
)
def test_what_nobody_expects_is_logged_and_damage_only_when_it_is_found(
    error: Exception, code: str, reported: list[str]
) -> None:
    def failing(request: bytes, reply: Reply) -> None:
        raise error

    call = Refusals()
    method = guarded("tests.Service", {"Method": failing}, RULES, Guard(Gate(), InertObserver()))
    with capture_logs() as logged:
        method["/tests.Service/Method"](b"", cast("Call", call))
    assert call.codes == [code]
    assert [entry["reason"] for entry in logged] == reported
