"""How a command ends when it cannot go on: one exception, which is shown in one place."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from infrastructure.client.failures import Failure

REFUSED = 1  # exit code: what was asked for could not be done
MISUSED = 2  # exit code: the command line itself is wrong


class CommandFailed(Exception):
    """Ends a command; `app.py` shows the failure, as text or as JSON."""

    def __init__(self, failure: Failure, exit_code: int = REFUSED, heading: str = "") -> None:
        """`heading` is the name of a call's status, which is shown first."""
        super().__init__(failure.message)
        self.failure = failure
        self.exit_code = exit_code
        self.heading = heading


def give_up(message: str, code: str = "REFUSED", exit_code: int = REFUSED) -> NoReturn:
    """Ends the command with a sentence; `code` is for machines."""
    raise CommandFailed(Failure(code, message), exit_code)


def misused(message: str) -> NoReturn:
    """Ends a command whose arguments cannot be used."""
    give_up(message, "USAGE", MISUSED)


@contextmanager
def refusals(*kinds: type[Exception]) -> Iterator[None]:
    """Ends the command if one of these is raised in the block; users see its text."""
    try:
        yield
    except kinds as refused:
        code = re.sub(r"(?<!^)(?=[A-Z])", "_", type(refused).__name__).upper()
        raise CommandFailed(Failure(code, str(refused))) from refused


@contextmanager
def calls_to(target: str) -> Iterator[None]:
    """Ends the command if a call to the target fails in the block."""
    import grpc  # noqa: PLC0415 - commands that call nothing start faster without it

    from infrastructure.client.channel import NotSent  # noqa: PLC0415 - as above
    from infrastructure.client.statuses import failure_of  # noqa: PLC0415 - as above

    try:
        yield
    except NotSent as refused:
        misused(str(refused))
    except grpc.RpcError as error:
        failure = failure_of(error, target)
        raise CommandFailed(failure, heading=failure.code) from None
