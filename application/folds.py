"""A workflow's events folded one by one: what its current-state row must hold."""

from application.ports import FORGOTTEN, Forgotten, RecordedEvent, StoredDataDamaged
from domain.events import WorkflowEvent
from domain.values import value
from domain.workflow import Workflow, evolve


@value()
class Folded:
    """A workflow after its first `version` events.

    The state is FORGOTTEN if the content of any of them was erased. `position` and `digest` are
    those of the last event, `created_position` is the position of the first.
    """

    workflow_id: str
    workflow: Workflow | Forgotten
    version: int
    position: int
    created_position: int
    digest: bytes


def fold(before: Folded | None, event: RecordedEvent) -> Folded:
    """The workflow after one more event; `before` is None for the first.

    Raises StoredDataDamaged if the event does not follow: its version, its position, the digest
    that it names, or the fact itself.
    """
    version, position, digest = (
        (before.version, before.position, before.digest) if before else (0, 0, b"")
    )
    follows = event.version == version + 1 and event.position > position
    if not follows or event.previous != digest:
        raise StoredDataDamaged(
            f"event {event.version} of workflow {event.workflow_id}, at position"
            f" {event.position}, does not follow the one before it, event {version}"
        )
    return Folded(
        event.workflow_id,
        evolved(before.workflow if before else None, event.event),
        event.version,
        event.position,
        before.created_position if before else event.position,
        event.digest,
    )


def evolved(
    workflow: Workflow | Forgotten | None, event: WorkflowEvent | Forgotten
) -> Workflow | Forgotten:
    """The state after an event; FORGOTTEN if the content of any event was erased.

    Raises StoredDataDamaged if the event cannot follow this state.
    """
    if isinstance(event, Forgotten) or isinstance(workflow, Forgotten):
        return FORGOTTEN
    try:
        return evolve(workflow, event)
    except ValueError as impossible:
        raise StoredDataDamaged(str(impossible)) from impossible
