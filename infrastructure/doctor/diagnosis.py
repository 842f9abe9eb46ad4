"""What an examination found: how something is, what was seen, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum

from infrastructure.postgres.unusable import DatabaseUnusable


class State(StrEnum):
    """How something is."""

    WELL = "well"
    DOUBTFUL = "doubtful"
    """The service works; an operator should look before it does not."""
    ILL = "ill"
    """The service cannot do its work, or not all of it."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that was examined.

    `advice` says what to do, and `command` can be typed then; both are empty if it is well.
    """

    subject: str
    state: State
    seen: str
    advice: str = ""
    command: str = ""

    @classmethod
    def of(cls, subject: str, refused: DatabaseUnusable) -> "Diagnosis":
        """Why a service would refuse to start."""
        return cls(subject, State.ILL, refused.what, refused.advice, refused.command)

    @property
    def remedy(self) -> str:
        """What to do, with the command at its end."""
        return ": ".join(part for part in (self.advice, self.command) if part)
