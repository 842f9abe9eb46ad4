"""Which version of a workflow, and which position of the feed, a moment means."""

from application.history.questions import AtPosition, AtTime, AtVersion, Moment
from application.ports import Place, Record, Version
from domain.errors import InvalidFields, Violation, WorkflowNotFound


class NotYetCreated(WorkflowNotFound):
    """The workflow did not exist yet at the moment that was asked for."""

    def __init__(self, workflow_id: str, place: Place) -> None:
        super().__init__(workflow_id)
        self.args = (f"Workflow {workflow_id} did not exist yet at position {place.position}.",)


def place_of(record: Record, moment: AtTime | AtPosition | None) -> Place:
    """The place of the record that a moment means.

    Raises InvalidFields for a position after the end of the feed, or TimeNotFound.
    """
    match moment:
        case AtTime(time):
            return record.place._replace(position=record.position_at(time))
        case AtPosition(position) if position > record.place.position:
            _refuse("position", position, f"0 to {record.place.position}, its last position,")
        case AtPosition(position):
            return record.place._replace(position=position)
    return record.place


def version_of(
    record: Record, workflow_id: str, last: int, moment: Moment
) -> tuple[Version, Place]:
    """The version of a workflow that a moment means, and the place that goes with it.

    `last` is how many events the workflow has. The version is 0 if it did not exist yet. Raises
    InvalidFields for a version that it never had; see also `place_of`.
    """
    if isinstance(moment, AtVersion):
        if moment.version > last:
            _refuse("version", moment.version, f"0 to {last}, its last version,")
        version = Version(workflow_id, moment.version)
        position = next(record.events([version])).position if version.version else 0
        return version, record.place._replace(position=position)
    place = place_of(record, moment)
    if moment is None or not last:
        return Version(workflow_id, last), place
    return Version(
        workflow_id, record.versions_at([workflow_id], place.position)[workflow_id]
    ), place


def _refuse(name: str, value: int, accepted: str) -> None:
    complaint = f"is {value}; {accepted} is accepted"
    raise InvalidFields([Violation(f"moment.{name}", complaint)])
