"""Which body of the wire runs, and that the start says so."""

import grpc
import pytest
from structlog.testing import capture_logs

from infrastructure.wire.choice import Body, Choice, body
from infrastructure.wire.direct import PASSED_WITH, DirectWire
from infrastructure.wire.handled import HandledWire


@pytest.mark.parametrize(
    ("choice", "grpcio", "chosen", "reason"),
    [
        ("auto", min(PASSED_WITH), DirectWire, "is known"),
        ("auto", "1.99.0", HandledWire, "grpcio 1.99.0 is not known"),
        ("direct", "1.99.0", DirectWire, "setting"),
        ("handled", min(PASSED_WITH), HandledWire, "setting"),
    ],
)
def test_the_body_is_chosen_by_setting_or_version_and_one_line_says_why(
    choice: Choice, grpcio: str, chosen: Body, reason: str
) -> None:
    with capture_logs() as lines:
        assert body(choice, grpcio) is chosen
    [line] = lines
    assert f"{line['body'].title()}Wire" in str(chosen)
    assert reason in line["reason"]


def test_the_fast_body_runs_with_the_grpcio_that_is_installed() -> None:
    assert grpc.__version__ in PASSED_WITH
