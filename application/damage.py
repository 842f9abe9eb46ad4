"""Workflows whose stored data cannot be read: found once, then refused at once."""

from time import monotonic

from application.ports import StoredDataDamaged

LOOK_AGAIN_AFTER = 10.0  # seconds
ROOM = 1024  # workflows


class KnownDamage(StoredDataDamaged):
    """The workflow was found damaged a short time ago; the damage was reported at that time."""


class Damaged:
    """Remembers which workflows were found damaged. For one thread.

    Finding the damaged workflow of a batch takes many reads, and all other commands of the batch
    wait for them. So a damaged workflow is read again only after a while: an operator may have
    repaired it.
    """

    def __init__(self, look_again_after: float = LOOK_AGAIN_AFTER) -> None:
        """`look_again_after` is in seconds."""
        self._look_again_after = look_again_after
        self._until: dict[str, float] = {}

    def __bool__(self) -> bool:
        """Whether any workflow is remembered."""
        return bool(self._until)

    def found(self, workflow_id: str, fault: Exception) -> None:
        """Remembers a workflow if the fault that it caused is damage."""
        if isinstance(fault, StoredDataDamaged) and len(self._until) < ROOM:
            self._until[workflow_id] = monotonic() + self._look_again_after

    def known(self, workflow_id: str) -> bool:
        """Whether the workflow must not be read now."""
        until = self._until.get(workflow_id)
        if until is None:
            return False
        if monotonic() < until:
            return True
        del self._until[workflow_id]
        return False
