"""A failure as data: a call's status, or a command that cannot go on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Detail = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong. `code` is a status's name or our own; `hint` is what to do next."""

    code: str
    message: str
    details: Sequence[Detail] = ()
    hint: str = ""

    def as_json(self) -> dict[str, Any]:
        """The failure for machines."""
        error = {"code": self.code, "message": self.message, "details": list(self.details)}
        return {"error": error | ({"hint": self.hint} if self.hint else {})}
