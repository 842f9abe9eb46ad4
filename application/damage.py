"""Workflows whose stored data cannot be read: found once, then answered at once for a while."""

from time import monotonic

from application.ports import StoredDataDamaged

LOOK_AGAIN_AFTER = 10.0  # seconds
ROOM = 1024  # workflows


class KnownDamage(StoredDataDamaged):
    """The workflow was found damaged a moment ago, and reported then."""


class Damaged:
    """Remembers which workflows were found damaged. For one thread.

    To find the one that spoils a batch takes many reads, which its neighbours wait for. So a
    workflow is looked at again only after a while, when somebody may have mended it.
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
        """Whether the workflow is not to be looked at now."""
        until = self._until.get(workflow_id)
        if until is None:
            return False
        if monotonic() < until:
            return True
        del self._until[workflow_id]
        return False
