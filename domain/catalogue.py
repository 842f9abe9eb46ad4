"""The kinds of workflows, and the statuses of their builds, that an installation knows.

A catalogue is a value: the caller that makes a command passes the current catalogue. A change of
the catalogue does not change existing workflows: a workflow may have a kind or a build status that
the catalogue does not know any more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

MAX_PAYLOAD_BYTES = 1024 * 1024
"""The most bytes of a payload in UTF-8."""
MAX_NESTING = 64
"""The deepest nesting of objects and arrays in a payload; the outermost one counts."""


class PayloadCheck(Protocol):
    """Returns what is wrong with a payload and what would be accepted; None if it is right."""

    def __call__(self, payload: str, /) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """What a workflow of one kind needs.

    `check` checks the form of a payload and checks it against the schema of the kind. `fits` checks
    the schema alone; the form must have been checked before. `log_retention` is the default if a
    request does not set it.
    """

    check: PayloadCheck
    fits: PayloadCheck
    log_retention: bool


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Kinds by name, and build statuses in their order; there is at least one of each.

    `form` checks what every payload must be, whatever its kind: a JSON object within
    MAX_PAYLOAD_BYTES and MAX_NESTING in which no object has one name twice.
    """

    kinds: Mapping[str, Kind]
    build_statuses: Sequence[str]
    form: PayloadCheck

    @property
    def first_build_status(self) -> str:
        """The build status of a new workflow, and of one whose build starts again."""
        return self.build_statuses[0]

    def kind(self, name: str) -> str | None:
        """One of the known kinds."""
        return None if name in self.kinds else _unknown(self.kinds)

    def build_status(self, name: str) -> str | None:
        """One of the known build statuses."""
        return None if name in self.build_statuses else _unknown(self.build_statuses)

    def payload(self, payload: str, kind: str) -> str | None:
        """A payload of the right form that fits its kind; for an unknown kind, the form alone."""
        known = self.kinds.get(kind)
        return known.check(payload) if known else self.form(payload)

    def new_payload(self, payload: str, kind: str) -> str | None:
        """A new payload, whose form is right, for an existing workflow of this kind."""
        if kind not in self.kinds:
            return f"cannot change: the kind {kind} is not known any more; the old one is accepted"
        return self.kinds[kind].fits(payload)

    def keeps_logs(self, kind: str) -> bool:
        """Whether logs of this kind are kept if the request does not set it."""
        return self.kinds[kind].log_retention


def _unknown(known: Mapping[str, Kind] | Sequence[str]) -> str:
    return f"is unknown; one of {', '.join(known)} is accepted"
